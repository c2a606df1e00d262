"""Holds each verb once: what can be done with an emulator from outside, for all of it or for one account.

Two doors are made of the table ``VERBS`` (``verb_table.py``): ``thread.py`` calls a verb from another thread of the
same process, ``service.py`` and ``client.py`` carry it over the network.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from clarifai_emulator.api.call import ApiCall, StreamHandler
from clarifai_emulator.api.playback import Asker, Mode, Player
from clarifai_emulator.api.playback.upstream import Upstream
from clarifai_emulator.api.taps import HeardCall, node_of
from clarifai_emulator.cassettes import Cassette
from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.control.account import Account, UserAccount
from clarifai_emulator.control.call_records import Call, CallLog
from clarifai_emulator.control.checkpoint import Checkpoint
from clarifai_emulator.deploy.deploy_request import Deployed, DeployRequest
from clarifai_emulator.deploy.topology_edits import TopologyOutcome
from clarifai_emulator.deploy.undeployer import Undeployed
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.errors import CallerError, ConfigError
from clarifai_emulator.events import Event
from clarifai_emulator.faults import ActiveFault, Fault, unknown_in
from clarifai_emulator.faults.register import counted_as_dict, is_used_up
from clarifai_emulator.messages.address import parse_address
from clarifai_emulator.models.directory import read_model_directory
from clarifai_emulator.models.progress import Progress
from clarifai_emulator.nodepools.replica_models import model_of_replica
from clarifai_emulator.reload.project import Options, Outcome
from clarifai_emulator.routing import Ask, Decision
from clarifai_emulator.store import Kind

T = TypeVar("T")


def unheard(line: str) -> None:
    """Take a line of progress that nobody wants."""


@dataclass(frozen=True, slots=True)
class FaultState:
    """A fault that was added, as it is now. ``number`` is its own for good; its id may be another one's later."""

    number: int
    id: str
    fault: Fault
    seen: int
    injected: int
    origin: str = ""
    user_id: str = ""

    @property
    def is_used_up(self) -> bool:
        """Tell whether it was injected as often as it may be."""
        return is_used_up(self.fault, self.injected)

    def as_dict(self) -> dict[str, Any]:
        """Return the fault and its counts as JSON."""
        return counted_as_dict(self.id, self.fault, self.seen, self.injected, self.origin)


@dataclass(frozen=True, slots=True)
class CassetteUse:
    """A cassette to record calls into or to play them from. ``record_from``: another platform to record from, which
    the token ``pat`` opens. ``only``: the models whose calls are played, or go there; empty for all."""

    cassette: Cassette
    mode: Mode
    name: str
    record_from: str = ""
    pat: str = ""
    only: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UsedCassette:
    """A cassette after its use."""

    cassette: Cassette
    changed: bool


class Verbs:
    """Does what is asked for one account. ``log``: the calls of the emulator's clients, where they are noted. Runs
    in the emulator's event loop."""

    def __init__(self, account: Account, log: CallLog | None = None) -> None:
        self.account = account
        self._emulator = account.emulator
        self._log = log if log is not None else CallLog()
        self._added: dict[int, ActiveFault] = {}
        self._player: Player | None = None
        self._checkpoints: list[Checkpoint] = []

    # ── models ─────────────────────────────────────────────────────────────────────────────────────────

    async def deploy(self, request: DeployRequest, progress: Progress = unheard) -> Deployed:
        """Deploy a model directory. Raises ``ModelError``, ``CallerError``, and ``ConfigError`` for a model of
        another account."""
        if not self.account.is_everything:
            named = parse_address(request.model)  # the deployer refuses what is none
            directory = None if request.model else await asyncio.to_thread(read_model_directory, request.path)
            owner = named.user_id if named else directory.user_id if directory else ""
            self.account.require_own(owner, f"the model of {request.path}")
            request = replace(request, user_id=self.account.user_id)
        return await self._emulator.deployer.deploy(request, progress)

    async def undeploy(self, name: str | None, user_id: str = "") -> Sequence[Undeployed]:
        """Take away a deployment, or every deployment of a model; see ``Undeployer.undeploy``."""
        user = user_id if self.account.is_everything else self.account.user_id
        return await self._emulator.undeployer.undeploy(name, user_id=user)

    async def dev(self, request: DeployRequest, options: Options, progress: Progress = unheard) -> Deployed:
        """Deploy a model directory so that ``reload`` brings edits of it to where they answer."""
        return await self._emulator.reloader.begin(request, options, progress)

    async def reload(self, path: Path, progress: Progress = unheard) -> Outcome:
        """Bring the edits of a directory in the dev loop to where they answer."""
        return await self._emulator.reloader.reload(path, progress)

    async def models(self) -> dict[str, list[str]]:
        """Return the models that have code, and their methods."""
        store, found = self._emulator.store, dict[str, list[str]]()
        for key in store.keys(Kind.SOURCE):
            version: Any = store.get(Kind.MODEL_VERSION, key)
            if version is not None and self.account.owns(key[0]):
                found.setdefault("/".join(key[:3]), [each.name for each in version.method_signatures])
        return found

    # ── the account ────────────────────────────────────────────────────────────────────────────────────

    async def config(self) -> EmulatorConfig:
        """Return the settings that the emulator was started with; to one account without secrets."""
        return self.account.config()

    async def reset(self, keep_warm: bool = False) -> None:
        """Begin again, as after the start. ``keep_warm``: see ``Emulator.reset``."""
        self._log.forget(self._is_own)
        await self.account.reset(keep_warm=keep_warm)

    async def leave(self) -> None:
        """Empty the account for good: its user is gone."""
        await self.eject()
        if isinstance(self.account, UserAccount):
            await self.account.leave()

    async def checkpoint(self) -> int:
        """Remember what the account has; returns the number for ``restore``."""
        self._checkpoints.append(Checkpoint(self._emulator, self.account.owns))
        return len(self._checkpoints) - 1

    async def restore(self, number: int) -> None:
        """Bring back what a checkpoint remembers; later checkpoints are gone."""
        there = self._checkpoints[number]
        del self._checkpoints[number:]
        await there.restore()

    async def require_own(self, user_id: str) -> None:
        """Raise ``ConfigError`` for a user that is not of this account."""
        self.account.require_own(user_id, "What it has")

    async def apply(self, files: tuple[Path, ...]) -> None:
        """Create everything that topology files name. Raises ``ConfigError`` with file and line of each problem."""
        await self.account.apply(*files)

    async def reload_topology(self) -> TopologyOutcome:
        """Apply what has changed in the topology files that the emulator was started with."""
        return await self._emulator.reload_topology()

    async def route(self, ask: Ask) -> Decision:
        """Return where a request would go; where it names no user, the account's. Raises ``RoutingError``."""
        return self._emulator.decide(self.account.asked(ask))

    # ── faults ─────────────────────────────────────────────────────────────────────────────────────────

    async def add_fault(self, fault: Fault) -> FaultState:
        """Inject a fault from now on. Raises ``ConfigError`` for a known id."""
        return self._state(self.account.add_fault(fault))

    async def faults(self) -> list[FaultState]:
        """Return the faults that were added and not removed, oldest first."""
        return [self._state(each) for each in self.account.faults()]

    async def fault(self, number: int) -> FaultState:
        """Return a fault as it is now, removed or not."""
        return self._state(self._added[number])

    async def drop_fault(self, number: int) -> FaultState:
        """Inject a fault no more; nothing happens when it was removed before."""
        active = self._added[number]
        self._emulator.faults.drop(active)
        return self._state(active)

    async def remove_faults(self, fault_ids: tuple[str, ...]) -> list[FaultState]:
        """Inject these faults no more. Raises ``ConfigError``, and removes none, when one is not there."""
        if not self.account.is_everything:
            known = [each.id for each in self.account.faults()]
            missing = next((each for each in fault_ids if each not in known), None)
            if missing is not None:
                raise ConfigError(f"There is no fault '{missing}'. There are: {', '.join(known) or 'none'}.", [])
        return [self._state(each) for each in self._emulator.faults.remove(*fault_ids)]

    async def clear_faults(self) -> list[FaultState]:
        """Remove all faults, and return them."""
        if self.account.is_everything:
            return [self._state(each) for each in self._emulator.faults.clear()]
        return await self.remove_faults(tuple(each.id for each in self.account.faults()))

    async def unknown_names(self, fault: Fault) -> list[str]:
        """List what a fault names and the account does not have, each with the nearest name."""
        return unknown_in(self._emulator.store, fault, self.account.user_id, self.account.owns)

    # ── what happened ──────────────────────────────────────────────────────────────────────────────────

    async def status(self) -> dict[str, Any]:
        """Return what `clarifai-emulator status --json` shows."""
        return self.account.status()

    async def calls(self) -> list[Call]:
        """Return the calls that clients of this account made, oldest first."""
        return self._log.read(self._emulator, self._is_own)

    async def events(self, prefix: str, match: dict[str, Any]) -> list[Event]:
        """Return the kept events whose kind begins with ``prefix`` and whose fields equal ``match``."""
        return self.account.events(self._log.request_ids(self._is_own), prefix, **match)

    async def log_lines(self, log_type: str, match: dict[str, str]) -> list[str]:
        """Return lines of one log type (``runner``, ``builder``, ``runner.events``) whose source has these ids."""
        entries = self._emulator.logbook.entries(log_type, **match)
        return [entry.message for entry in entries if self.account.owns(entry.meta.user_app_id.user_id)]

    async def record_of_test(self, since: int, since_line: int) -> str:
        """Return as JSON what a page that is saved to a file shows of a test: what has happened after the event
        ``since``, and was printed after the line ``since_line`` of the logs."""
        from clarifai_emulator.control.page.record_of_test import record_of_test

        return await record_of_test(self.account, self._log, self._is_own, since, since_line)

    # ── cassettes ──────────────────────────────────────────────────────────────────────────────────────

    async def insert(self, use: CassetteUse) -> None:
        """Let the calls of this account go through a cassette."""
        await self.eject()
        upstream = Upstream(use.record_from, use.pat) if use.record_from else None
        self._player = Player(
            use.cassette, use.mode, name=use.name, upstream=upstream, only=use.only, who=self._asker
        )
        self._emulator.interceptors.insert(0, self._intercept)

    async def cassette_problems(self) -> list[str]:
        """List what was asked and is not recorded."""
        return self._player.problems if self._player is not None else []

    async def eject(self) -> UsedCassette | None:
        """Let calls go their usual way again; returns the cassette as it is now."""
        player, self._player = self._player, None
        if player is None:
            return None
        self._emulator.interceptors.remove(self._intercept)
        await player.close()
        return UsedCassette(player.cassette, player.changed)

    # ── anything else ──────────────────────────────────────────────────────────────────────────────────

    async def run(self, function: Callable[[Emulator], T]) -> T:
        """Call a function with the emulator, in its event loop."""
        return function(self._emulator)

    async def look(self, function: Callable[[Account], T]) -> T:
        """Call a function with the account, in the emulator's event loop."""
        return function(self.account)

    def _state(self, active: ActiveFault) -> FaultState:
        number = next((number for number, each in self._added.items() if each is active), len(self._added))
        self._added[number] = active
        return FaultState(
            number, active.id, active.fault, active.seen, active.injected, active.origin, active.user_id
        )

    def _is_own(self, heard: HeardCall) -> bool:
        return self.account.is_own_call(heard.metadata)

    def _asker(self, call: ApiCall) -> Asker:
        """Return who makes a call. What is played needs no account: nobody is an answer."""
        try:
            caller = self._emulator.authenticator.authenticate(call.metadata, call.peer)
        except CallerError:
            return Asker()
        if not caller.replica_id:
            return Asker(caller, node_of(call))
        model = model_of_replica(self._emulator.supervisor.fleets.values(), caller.replica_id)
        return Asker(caller, "/".join(model) if model is not None else "a model")

    def _intercept(self, call: ApiCall, following: StreamHandler) -> StreamHandler:
        if self._player is None or not self.account.is_own_call(call.metadata):
            return following
        return self._player.intercept(call, following)
