"""What one worker has of the shared emulator, in the controller: its account, calls, logs, faults and cassette."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from clarifai_emulator.api.call import Call as ApiCall
from clarifai_emulator.api.call import StreamHandler
from clarifai_emulator.api.playback import Player
from clarifai_emulator.api.taps import HeardCall
from clarifai_emulator.control.account import Namespace
from clarifai_emulator.control.call_records import Call, CallLog
from clarifai_emulator.control.checkpoint import Checkpoint
from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.deploy.deploy_request import Deployed, DeployRequest
from clarifai_emulator.deploy.undeployer import Undeployed
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.errors import CallerError
from clarifai_emulator.events import Event
from clarifai_emulator.faults import ActiveFault, Fault, unknown_in
from clarifai_emulator.messages.address import parse_address
from clarifai_emulator.models.directory import read_model_directory
from pytest_clarifai_emulator.scoped import log_lines, models_with_methods
from pytest_clarifai_emulator.sdk_clock import Outlook
from pytest_clarifai_emulator.test_environment import token_of
from pytest_clarifai_emulator.waiting import outlook

T = TypeVar("T")


class Share:
    """The part of one worker of what ``thread`` runs; ``log``: of every worker's calls. Methods may be called from
    any thread."""

    def __init__(self, thread: EmulatorThread, log: CallLog, user_id: str, topology: tuple[Path, ...]) -> None:
        self.thread = thread
        self._log = log
        self._faults: dict[str, ActiveFault] = {}
        self._player: Player | None = None
        self._checkpoints: list[Checkpoint] = []
        self.namespace: Namespace = self.thread.run(lambda emulator: Namespace(emulator, user_id, topology))
        self.thread.run(lambda emulator: emulator.authenticator.admit(token_of(user_id), user_id))
        self.empty()

    def empty(self) -> None:
        """Forget what the worker's last test did."""
        self.eject()
        self.thread.run(lambda _: self._log.forget(self._is_own))
        self.thread.wait(lambda _: self.namespace.empty())

    def checkpoint(self) -> int:
        """Remember what the account has; gives the number for ``restore``."""
        there = self.thread.run(lambda emulator: Checkpoint(emulator, self.namespace.owns))
        self._checkpoints.append(there)
        return len(self._checkpoints) - 1

    def restore(self, number: int) -> None:
        """Bring that back; later checkpoints are gone."""
        there = self._checkpoints[number]
        del self._checkpoints[number:]
        self.thread.wait(lambda _: there.restore())

    def leave(self) -> None:
        """The worker is gone."""
        self.eject()
        self.thread.wait(lambda _: self.namespace.empty(for_good=True))

    def run(self, function: Callable[[Emulator], T]) -> T:
        """Call ``function`` with the emulator, in its event loop."""
        return self.thread.run(function)

    def require_own(self, user_id: str) -> None:
        """Raise ``ConfigError`` for a user that is not of this account."""
        self.namespace.require_own(user_id, "What it has")

    def deploy(self, request: DeployRequest) -> Deployed:
        """Deploy into the account. Raises ``ModelError``, and ``ConfigError`` for somebody else's model."""
        named = parse_address(request.model)
        owner = named.user_id if named else read_model_directory(request.path).user_id
        self.namespace.require_own(owner, f"the model of {request.path}")
        return self.thread.wait(lambda emulator: emulator.deployer.deploy(request, lambda line: None))

    def undeploy(self, name: str | None) -> Sequence[Undeployed]:
        """Take away deployments of the account. Raises ``CallerError``."""
        user_id = self.namespace.user_id
        return self.thread.wait(lambda emulator: emulator.undeployer.undeploy(name, user_id=user_id))

    def calls(self) -> list[Call]:
        """The calls that clients of this account made, oldest first."""
        return self.thread.run(lambda emulator: self._log.read(emulator, self._is_own))

    def log_lines(self, log_type: str, match: dict[str, str]) -> list[str]:
        """Lines that the account's models printed."""
        owns = self.namespace.owns
        return self.thread.run(partial(log_lines, log_type, match, owns))

    def models(self) -> dict[str, list[str]]:
        """The account's models that have code, and their methods."""
        return self.thread.run(partial(models_with_methods, self.namespace.owns))

    def events(self, prefix: str, match: dict[str, Any]) -> list[Event]:
        """Events of this account."""
        return self.thread.run(
            lambda _: self.namespace.events(self._log.request_ids(self._is_own), prefix, **match)
        )

    def status(self) -> dict[str, Any]:
        """Its nodepools, deployments, replicas and faults."""
        return self.thread.run(lambda _: self.namespace.status())

    def apply(self, files: tuple[Path, ...]) -> None:
        """Create what topology files name."""
        self.thread.wait(lambda _: self.namespace.apply(*files))

    # ── faults and cassettes: they are here, the worker has their names ────────────────────────────────

    def add_fault(self, fault: Fault) -> str:
        """Add one that concerns this account only; gives its id."""
        active = self.thread.run(lambda _: self.namespace.add_fault(fault))
        self._faults[active.id] = active
        return active.id

    def fault(self, fault_id: str) -> tuple[int, int, Fault]:
        """How many requests it concerned, how many got it, and what it is."""
        active = self._faults[fault_id]
        return active.seen, active.injected, active.fault

    def fault_ids(self) -> list[str]:
        """Those that were added and not removed."""
        return self.thread.run(lambda _: [active.id for active in self.namespace.faults()])

    def unknown_names(self, fault: Fault) -> list[str]:
        """What the fault names and this account does not have."""
        user_id, owns = self.namespace.user_id, self.namespace.owns
        return self.thread.run(lambda emulator: unknown_in(emulator.store, fault, user_id, owns))

    def drop_fault(self, fault_id: str) -> None:
        """Remove one, if it is still there."""
        active = self._faults[fault_id]
        self.thread.run(lambda emulator: emulator.faults.drop(active))

    def insert(self, player: Player) -> None:
        """Let the calls of this account go through a cassette."""
        self.eject()
        self._player = player
        self.thread.run(lambda emulator: emulator.interceptors.insert(0, self._intercept))

    def cassette_problems(self) -> list[str]:
        """What was asked and is not recorded."""
        return self._player.problems if self._player is not None else []

    def outlook(self, since: int) -> Outlook:
        """What clients of this account that were sent away wait for."""
        return self.thread.run(partial(outlook, since, self.namespace.owns))

    def eject(self) -> Player | None:
        """Calls go their usual way again; gives the cassette, as it is now."""
        player, self._player = self._player, None
        if player is not None:
            self.thread.run(lambda emulator: emulator.interceptors.remove(self._intercept))
            self.thread.wait(lambda _: player.close())
        return player

    def _intercept(self, call: ApiCall, following: StreamHandler) -> StreamHandler:
        if self._player is None or not self._owns(call.metadata):
            return following
        return self._player.intercept(call, following)

    def _is_own(self, heard: HeardCall) -> bool:
        return self._owns(heard.metadata)

    def _owns(self, metadata: Any) -> bool:
        """Whether a request's token is one of this account's."""
        emulator = self.thread.emulator
        try:
            caller = emulator.authenticator.authenticate(metadata) if emulator is not None else None
        except CallerError:
            return False
        return caller is not None and self.namespace.owns(caller.user_id)
