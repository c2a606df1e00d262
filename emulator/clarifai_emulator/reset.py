"""Resets an emulator: lists all that it keeps and, for each, how a reset forgets it.

One user's account and everything go through the same list. What belongs to nobody (names that are made up, replicas
that are warm, events) is forgotten with everything only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clarifai_emulator.events import EventBus
from clarifai_emulator.faults import Faults
from clarifai_emulator.logbook import LogBook
from clarifai_emulator.messages.address import ModelKey
from clarifai_emulator.models.artifact_files import ArtifactFiles
from clarifai_emulator.models.uploaded import UploadedFiles
from clarifai_emulator.nodepools.nodepools import Nodepools
from clarifai_emulator.store import Store

if TYPE_CHECKING:
    from clarifai_emulator.deploy_half import Deploying


# So many resources are given back to the system in one turn of the event loop.
_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Scope:
    """Say whose things are forgotten: those of the users for whom ``owns`` holds; None: everything.

    ``begin`` creates what is there at the start. ``keep_warm``: of everything, replicas that are idle go on and
    serve the next deployment of the same code; those of one account always do, since others may use them.
    """

    begin: Callable[[], Awaitable[None]]
    owns: Callable[[str], bool] | None = None
    keep_warm: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Resetter:
    """Forgets what one emulator keeps. ``deploying``: what brings code into nodepools; None while nothing was ever
    asked of it. ``forget_calls``: forgets what is kept of calls, of these users or of all."""

    faults: Faults
    deploying: Callable[[], Deploying | None]
    uploaded: UploadedFiles
    artifacts: ArtifactFiles
    nodepools: Nodepools
    store: Store
    hosted: set[ModelKey]
    logbook: LogBook
    events: EventBus
    forget_calls: Callable[[Callable[[str], bool] | None], None]

    @property
    def parts(self) -> Mapping[str, Callable[[Scope], Awaitable[None]]]:
        """Return how each thing that is kept is forgotten, in the order in which that is done."""
        return {
            "faults": self._forget_faults,
            "builds": self._forget_builds,
            "dev loop": self._forget_dev_loop,
            "replicas, resources, room, debuggers": self._forget_resources,
            "hosted models": self._forget_hosted,
            "uploaded files": self._forget_files,
            "log lines": self._forget_logs,
            "events": self._forget_events,
            "calls": self._forget_kept_calls,
        }

    async def reset(self, scope: Scope) -> None:
        """Forget all that is in scope, and begin again."""
        for forget in self.parts.values():
            await forget(scope)
        await scope.begin()

    async def _forget_faults(self, scope: Scope) -> None:
        if scope.owns is None:
            self.faults.clear()
            return
        for active in self.faults:
            if scope.owns(active.user_id):
                self.faults.drop(active)

    async def _forget_builds(self, scope: Scope) -> None:
        """End all builds. Those of one account end as their versions are deleted."""
        deploying = self.deploying()
        if scope.owns is None and deploying is not None:
            await deploying.uploads.stop()

    async def _forget_dev_loop(self, scope: Scope) -> None:
        deploying = self.deploying()
        if deploying is not None:
            deploying.reloader.clear(scope.owns)

    async def _forget_resources(self, scope: Scope) -> None:
        """Forget the resources between the end of the replicas and that of their room. What runs for others goes
        on."""
        owns = scope.owns
        if owns is None:
            await self.nodepools.reset(keep_warm=scope.keep_warm, forget=self._empty_store)
        else:
            await self.nodepools.release(owns, forget=lambda: self.store.forget(owns))

    def _empty_store(self) -> None:
        """Empty the store; what it held goes in turns of the event loop of its own, between those of requests."""
        leavings = self.store.reset()

        def go_on() -> None:
            if leavings.drop(_AT_ONCE):
                loop.call_soon(go_on)

        loop = asyncio.get_running_loop()
        loop.call_soon(go_on)

    async def _forget_hosted(self, scope: Scope) -> None:
        """Take no model for one that Clarifai hosts any more."""
        owns = scope.owns
        self.hosted.difference_update([key for key in self.hosted if owns is None or owns(key[0])])

    async def _forget_files(self, scope: Scope) -> None:
        """Forget all uploaded files. Those of one account go with their versions, once nothing runs from them."""
        if scope.owns is None:
            self.uploaded.clear()
            self.artifacts.clear()

    async def _forget_logs(self, scope: Scope) -> None:
        if scope.owns is None:
            self.logbook.clear()
        else:
            self.logbook.forget(scope.owns)

    async def _forget_events(self, scope: Scope) -> None:
        """Forget all events. One account reads those since its own reset; others go on reading theirs."""
        if scope.owns is None:
            self.events.clear()

    async def _forget_kept_calls(self, scope: Scope) -> None:
        self.forget_calls(scope.owns)
