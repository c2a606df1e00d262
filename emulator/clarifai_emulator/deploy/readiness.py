"""Waits until a deployment serves a version, and says for what; ends with the reason if that takes too long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.clock import Clock
from clarifai_emulator.dispatch.lane import LaneKey
from clarifai_emulator.errors import CallerError
from clarifai_emulator.events import EventBus
from clarifai_emulator.nodepools.fleet import Fleet
from clarifai_emulator.nodepools.supervisor import Supervisor

# A wait without news for so long says that it goes on.
_NEWS_SECONDS = 5.0
# How long a deploy waits for room that others hold, unless it is told: loading a model may take much longer.
ROOM_SECONDS = 60.0
# And for a model whose code starts a program that is not here: some wait for it for ever.
LACKING_SECONDS = 10.0


class Overtaken(CallerError):
    """Somebody told the deployment something else meanwhile: what is there is theirs to say."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that a deploy waits: ``ready`` for a replica that takes work, of these ``room`` without a place."""

    ready: float
    room: float


class DeployWait:
    """Waits for replicas of one emulator."""

    def __init__(self, *, supervisor: Supervisor, events: EventBus, clock: Clock) -> None:
        self._supervisor = supervisor
        self._events = events
        self._clock = clock

    async def until_ready(self, key: LaneKey, patience: Patience, progress: Callable[[str], None]) -> None:
        """Wait until a replica takes work, or until it is clear that none will. Raises ``CallerError``."""
        changed = asyncio.Event()
        unsubscribe = self._events.subscribe(lambda event: changed.set())
        said, started = "", self._clock.monotonic()
        try:
            while self._clock.monotonic() - started < patience.ready:
                if self._supervisor.settle(key):
                    return
                fleet = self._supervisor.fleets.get(key)
                if fleet is not None:
                    self._require_hope(key, fleet, patience.room)
                reason = fleet.lane.pending_reason if fleet is not None else ""
                if reason and reason != said:
                    said = reason
                    progress(f"waiting: {reason}")
                changed.clear()
                left = patience.ready - (self._clock.monotonic() - started)
                try:
                    # wait_for of Python 3.11 may not notice that it is cancelled while events come
                    async with asyncio.timeout(min(_NEWS_SECONDS, max(left, 0.0))):
                        await changed.wait()
                except TimeoutError:
                    progress(f"still waiting for a replica after {self._clock.monotonic() - started:.0f} s")
            raise self._too_long(key, patience.ready)
        finally:
            unsubscribe()

    def _require_hope(self, key: LaneKey, fleet: Fleet, room_seconds: float) -> None:
        """Raise why no replica will take work, or not soon."""
        if fleet.stuck is not None:
            raise fleet.stuck
        if fleet.lane.refusal is not None:
            raise fleet.lane.refusal
        if fleet.retired:
            raise Overtaken(
                StatusCode.MODEL_DEPLOYMENT_FAILED,
                f"Version {key.version_id[:8]} was not ready before '{key.deployment_id}' was given "
                "another one, or was deleted.",
                hint="Somebody else deployed, too; `clarifai-emulator status` shows what is there now.",
            )
        since = fleet.no_room_since
        if since is not None and not fleet.active and self._clock.monotonic() - since >= room_seconds:
            raise self._too_long(key, room_seconds)

    def _too_long(self, key: LaneKey, seconds: float) -> CallerError:
        fleet = self._supervisor.fleets.get(key)
        reason = fleet.lane.pending_reason if fleet is not None else ""
        if reason:
            return CallerError(
                StatusCode.MODEL_DEPLOYING,
                f"No replica of '{key.deployment_id}' was ready within {seconds:g} s. {reason.rstrip('.')}.",
                hint="--wait SECONDS waits longer.",
            )
        return CallerError(
            StatusCode.MODEL_DEPLOYING,
            f"No replica of '{key.deployment_id}' was ready within {seconds:g} s.",
            hint="Look at what it printed: `clarifai-emulator logs`; --wait SECONDS waits longer.",
        )
