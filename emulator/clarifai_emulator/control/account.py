"""One account among several on one emulator: made, emptied and looked at by itself; the others notice nothing.

A namespace is a user, and the further users whose ids begin with its own: ``me-gw0``, ``me-gw0-bob``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import User

from clarifai_emulator.catalogue import CLARIFAI_USER
from clarifai_emulator.control.snapshot import snapshot
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.errors import ConfigError
from clarifai_emulator.events import Event
from clarifai_emulator.faults import ActiveFault, Fault
from clarifai_emulator.store import Key, Kind
from clarifai_emulator.topology.files import Topology, load_topology


class Namespace:
    """The account ``user_id`` of an emulator, which begins with what ``topology`` files name. In the emulator's
    event loop."""

    def __init__(self, emulator: Emulator, user_id: str, topology: tuple[Path, ...] = ()) -> None:
        self.user_id = user_id
        self._topology = topology
        self._emulator = emulator
        self._provisioner = emulator.provisioner.of(user_id)
        self._changed = True
        self._since = 0  # the number of the last event when it was emptied
        emulator.store.watch(self._store_changed)

    def owns(self, user_id: str) -> bool:
        """Whether this is the account's user, or one that it has made."""
        return user_id == self.user_id or user_id.startswith(f"{self.user_id}-")

    def require_own(self, user_id: str, what: str) -> None:
        """Raise ``ConfigError`` for somebody else, whom other namespaces might mean, too."""
        if user_id not in ("", "me") and not self.owns(user_id):
            raise ConfigError(
                f"{what} would be of user {user_id!r}, whom tests of other workers could mean, too: with "
                f"--clarifai-scope shared, ids of further users begin with the test's own ({self.user_id}-…).",
                [],
                hint="Name it after `clarifai.user_id`, or use --clarifai-scope worker.",
            )

    async def empty(self, *, for_good: bool = False) -> None:
        """Begin again, as every account does; replicas that are idle go on, and serve its next deployment of the
        same code. ``for_good``: nobody will use the account any more."""
        emulator = self._emulator
        if for_good:
            self._topology = ()
        if not self._changed and not self.events(()):
            return
        for active in self.faults():
            emulator.faults.drop(active)
        ending = await emulator.supervisor.release(self.owns)
        for kind in emulator.store.kinds:
            for key in [key for key in emulator.store.keys(kind) if self.owns(key[0])]:
                emulator.store.delete(kind, key)
        emulator.capacity.forget(self.owns)
        emulator.logbook.forget(self.owns)
        await emulator.replicas.end(ending, grace=0)
        emulator.resources.add_user(User(id=self.user_id))
        self._provisioner.provision_machine()
        await self.apply(*self._topology)
        self._changed, self._since = False, emulator.events.last_seq

    async def apply(self, *files: Path) -> None:
        """Create what these topology files name, in this account. Raises ``ConfigError``."""
        topology = load_topology(files)
        for user, what in _owners(topology):
            self.require_own(user, what)
        await self._provisioner.apply(topology, lambda line: None)
        for entry in topology.faults:
            self.add_fault(entry.fault, origin=entry.where)

    def add_fault(self, fault: Fault, *, origin: str = "") -> ActiveFault:
        """A fault that concerns requests of this account only."""
        return self._emulator.faults.add(fault, origin=origin, user_id=self.user_id, is_for=self.owns)

    def faults(self) -> list[ActiveFault]:
        """Those that were added here."""
        return [active for active in self._emulator.faults if active.user_id == self.user_id]

    def status(self) -> dict[str, Any]:
        """What `status` shows, of this account and of shared compute."""
        found = snapshot(self._emulator)
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
        """The kept events of this account: about its requests (``request_ids``, and those that events say are its
        users'), its resources and its faults."""
        kept = list(self._emulator.events.recent(since=self._since))
        mine = {*request_ids, *self._requests(kept)}
        faults = {active.id for active in self.faults()}
        asked = self._emulator.events.recent(prefix, since=self._since, **match)
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
    """Each user that a topology names as an owner, and what would be that user's."""
    parts = (topology.users, topology.apps, topology.secrets, topology.compute_clusters, topology.nodepools)
    for entries in (*parts, topology.models, topology.deployments):
        for entry in entries:
            yield entry.user_id, entry.where
    for stand_in in topology.stand_ins:
        yield stand_in.model[0], stand_in.where
