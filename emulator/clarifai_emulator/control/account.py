"""Scopes verbs: to all of an emulator, or to one account among several, of which the others notice nothing.

An account of a user has that user, and the further users whose ids begin with its own: ``me-gw0``, ``me-gw0-bob``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import User

from clarifai_emulator.api.access.auth import Caller
from clarifai_emulator.catalogue import CLARIFAI_USER
from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.control.snapshot import snapshot
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.errors import CallerError, ConfigError
from clarifai_emulator.events import Event
from clarifai_emulator.faults import ActiveFault, Fault
from clarifai_emulator.reset import Scope
from clarifai_emulator.routing import Ask
from clarifai_emulator.store import Key, Kind
from clarifai_emulator.topology.files import Topology, load_topology


class Account:
    """All of an emulator. In the emulator's event loop."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator

    @property
    def user_id(self) -> str:
        """The user whom ``me`` means."""
        return self.emulator.config.user_id

    @property
    def is_everything(self) -> bool:
        """Tell whether nothing of the emulator lies outside."""
        return True

    def owns(self, user_id: str) -> bool:
        """Tell whether a user is of this account."""
        return True

    def is_own_call(self, metadata: Any) -> bool:
        """Tell whether a request with this metadata comes from a user of this account."""
        return True

    def require_own(self, user_id: str, what: str) -> None:
        """Raise ``ConfigError`` for a user of another account."""

    def config(self) -> EmulatorConfig:
        """Return the settings that the emulator was started with."""
        return self.emulator.config

    def asked(self, ask: Ask) -> Ask:
        """Return what is asked with a user everywhere: the account's where none is named, and for ``me``."""
        user = Caller(self.user_id).resolve
        return replace(
            ask,
            caller=user(ask.caller),
            model_user=user(ask.model_user),
            deployment=ask.deployment and (user(ask.deployment[0]), ask.deployment[1]),
            nodepool=ask.nodepool and (user(ask.nodepool[0]), *ask.nodepool[1:]),
        )

    async def reset(self, *, keep_warm: bool = False) -> None:
        """Begin again, as after the start. ``keep_warm``: idle replicas go on, and serve the next deployment of the
        same code."""
        await self.emulator.reset(keep_warm=keep_warm)

    async def apply(self, *files: Path) -> None:
        """Create what topology files name. Raises ``ConfigError``."""
        await self.emulator.apply(*files)

    def add_fault(self, fault: Fault) -> ActiveFault:
        """Add a fault that concerns requests of this account. Raises ``ConfigError`` for a known id."""
        return self.emulator.faults.add(fault)

    def faults(self) -> list[ActiveFault]:
        """Return the faults that were added here, oldest first."""
        return list(self.emulator.faults)

    def status(self) -> dict[str, Any]:
        """Return what ``status`` shows."""
        return snapshot(self.emulator)

    def events(self, request_ids: Collection[str], prefix: str = "", **match: Any) -> list[Event]:
        """Return the kept events whose kind begins with ``prefix`` and whose fields equal ``match``.
        ``request_ids``: requests that are known to be of this account."""
        return list(self.emulator.events.recent(prefix, **match))


class UserAccount(Account):
    """The account of the user ``user_id``, which begins with what ``topology`` files name."""

    def __init__(self, emulator: Emulator, user_id: str, topology: tuple[Path, ...] = ()) -> None:
        super().__init__(emulator)
        self._user_id = user_id
        self._topology = topology
        self._provisioner = emulator.provisioner.of(user_id)
        self._changed = True
        self._since = 0  # the number of the last event when it was emptied
        emulator.store.watch(self._store_changed)

    @property
    def user_id(self) -> str:
        return self._user_id

    @property
    def is_everything(self) -> bool:
        return False

    def owns(self, user_id: str) -> bool:
        return user_id == self.user_id or user_id.startswith(f"{self.user_id}-")

    def is_own_call(self, metadata: Any) -> bool:
        try:
            caller = self.emulator.authenticator.authenticate(metadata)
        except CallerError:
            return False
        return self.owns(caller.user_id)

    def require_own(self, user_id: str, what: str) -> None:
        if user_id not in ("", "me") and not self.owns(user_id):
            raise ConfigError(
                f"{what} would be of user {user_id!r}, whom tests of other workers could mean, too: with "
                f"--clarifai-scope shared, ids of further users begin with the test's own ({self.user_id}-…).",
                [],
                hint="Name it after `clarifai.user_id`, or use --clarifai-scope worker.",
            )

    def config(self) -> EmulatorConfig:
        """Return the settings without what opens accounts or registries: other accounts have those, too."""
        config = self.emulator.config
        docker = replace(config.docker, build_args={})
        return replace(config, pats={}, pats_file=None, docker=docker)

    async def reset(self, *, keep_warm: bool = True) -> None:
        """Begin again. Idle replicas go on, whatever ``keep_warm`` says: others may use them."""
        if not self._changed and not self.events(()):
            return
        await self.emulator.reset(Scope(self._begin, owns=self.owns))
        self._changed, self._since = False, self.emulator.events.last_seq

    async def _begin(self) -> None:
        self.emulator.resources.add_user(User(id=self.user_id))
        self.emulator.first_compute.provide_machine(self.user_id)
        await self.apply(*self._topology)

    async def leave(self) -> None:
        """Empty the account; nobody will use it any more."""
        self._topology = ()
        await self.reset()

    async def apply(self, *files: Path) -> None:
        topology = load_topology(files)
        for user, what in _owners(topology):
            self.require_own(user, what)
        await self._provisioner.apply(topology, lambda line: None)
        for entry in topology.faults:
            self._add_fault(entry.fault, entry.where)

    def add_fault(self, fault: Fault) -> ActiveFault:
        return self._add_fault(fault, "")

    def _add_fault(self, fault: Fault, origin: str) -> ActiveFault:
        return self.emulator.faults.add(fault, origin=origin, user_id=self.user_id, is_for=self.owns)

    def faults(self) -> list[ActiveFault]:
        return [active for active in self.emulator.faults if active.user_id == self.user_id]

    def status(self) -> dict[str, Any]:
        """Return what ``status`` shows, of this account and of shared compute."""
        found = snapshot(self.emulator)
        known = {active.id for active in self.faults()}
        return {
            **found,
            "user_id": self.user_id,
            "nodepools": [each for each in found["nodepools"] if self._shows(each["user_id"])],
            "deployments": [each for each in found["deployments"] if self.owns(each["user_id"])],
            "faults": [each for each in found["faults"] if each["id"] in known],
            "models": [each for each in found["models"] if self.owns(each.partition("/")[0])],
        }

    def _store_changed(self, kind: Kind, key: Key) -> None:
        self._changed = self._changed or self.owns(key[0])

    def _shows(self, user_id: str) -> bool:
        return user_id == CLARIFAI_USER or self.owns(user_id)

    def events(self, request_ids: Collection[str], prefix: str = "", **match: Any) -> list[Event]:
        """Return the kept events of this account: about its requests (``request_ids``, and those that events say
        are its users'), its resources and its faults."""
        kept = list(self.emulator.events.recent(since=self._since))
        mine = {*request_ids, *self._requests(kept)}
        faults = {active.id for active in self.faults()}
        asked = self.emulator.events.recent(prefix, since=self._since, **match)
        return [event for event in asked if self._is_own(event.fields, mine, faults)]

    def _requests(self, events: list[Event]) -> Iterator[str]:
        for event in events:
            request_id, ask = event.fields.get("request_id"), event.fields.get("ask") or {}
            if request_id and self.owns(str(event.fields.get("user_id") or ask.get("caller") or "")):
                yield str(request_id)

    def _is_own(self, fields: dict[str, Any], requests: Collection[str], faults: Collection[str]) -> bool:
        request_id = fields.get("request_id")
        if request_id:
            return request_id in requests
        if fields.get("fault_id") in faults:
            return True
        return self.owns(str(fields.get("user_id") or fields.get("model") or "").partition("/")[0])


def _owners(topology: Topology) -> Iterator[tuple[str, str]]:
    """Give each user that a topology names as an owner, and what would be that user's."""
    parts = (topology.users, topology.apps, topology.secrets, topology.compute_clusters, topology.nodepools)
    for entries in (*parts, topology.models, topology.deployments, topology.workflows):
        for entry in entries:
            yield entry.user_id, entry.where
    for stand_in in topology.stand_ins:
        yield stand_in.model[0], stand_in.where
