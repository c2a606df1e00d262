"""Brings edited topology files to where they count, while everything runs.

    files ─► read ─► compare with what was applied ─► create, change, remove ─► said by name
               └───────────────┴─ a problem: everything stays as the last good files had it

A deployment keeps its replicas: what changes for them (how many, where) is the supervisor's to decide.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clarifai_emulator.api.handlers.resource import Resources
from clarifai_emulator.deployer import Deployer, Progress
from clarifai_emulator.errors import ConfigError
from clarifai_emulator.events import EventBus
from clarifai_emulator.faults import Faults
from clarifai_emulator.furnishing import Furnisher, collecting
from clarifai_emulator.store import Key, Kind, Store
from clarifai_emulator.topology import Entry, ModelEntry, Topology, load_topology
from clarifai_emulator.topology_changes import (
    NOUNS,
    Change,
    changes,
    fields_to_set,
    name_of,
    only_new,
    settings_of,
)

_PATCHED = {
    "apps": Kind.APP,
    "secrets": Kind.SECRET,
    "compute_clusters": Kind.COMPUTE_CLUSTER,
    "nodepools": Kind.NODEPOOL,
    "deployments": Kind.DEPLOYMENT,
}
# What deployments need comes before them.
_BEFORE = ("apps", "secrets", "compute_clusters", "nodepools")


@dataclass(frozen=True, slots=True)
class TopologyOutcome:
    """``state``: ``applied``, ``refused`` or ``unchanged``. ``done``: each change in words; ``kept``: what the
    files name no more and stays until the next start; ``problems``: why it was refused."""

    state: str
    done: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        """All of it, for people."""
        if self.problems:
            lines = "".join(f"\n  - {each}" for each in self.problems)
            return f"The topology is as it was: its files cannot be used.{lines}"
        kept = f"; stays until the next start: {', '.join(self.kept)}" if self.kept else ""
        return f"{', '.join(self.done) or 'nothing to do'}{kept}"

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        lists = {"done": list(self.done), "kept": list(self.kept), "problems": list(self.problems)}
        return {"state": self.state, "message": self.message, **lists}


class TopologyEdits:
    """The topology of one emulator. ``applied``: what its files said when they were last applied."""

    def __init__(
        self,
        *,
        furnisher: Furnisher,
        resources: Resources,
        deployer: Deployer,
        store: Store,
        faults: Faults,
        events: EventBus,
    ) -> None:
        self.applied = Topology()
        self._furnisher = furnisher
        self._resources = resources
        self._deployer = deployer
        self._store = store
        self._faults = faults
        self._events = events
        self._lock = asyncio.Lock()

    async def begin(self, files: Sequence[Path], progress: Progress) -> None:
        """Create what the files name. Raises ``ConfigError``."""
        topology = load_topology(files)
        await self._furnisher.apply(topology, progress)
        self._set_faults(topology)
        self.applied = topology

    def forget(self) -> None:
        """Nothing of it is there any more."""
        self.applied = Topology()

    async def edit(self, files: Sequence[Path], progress: Progress) -> TopologyOutcome:
        """The files may have changed: what came of it."""
        async with self._lock:
            try:
                wanted = await asyncio.to_thread(load_topology, files)
                outcome = await self._edit(wanted, progress)
            except ConfigError as error:
                outcome = TopologyOutcome("refused", problems=error.problems or (error.what,))
        if outcome.state != "unchanged":
            self._events.emit(f"topology.{outcome.state}", **outcome.as_dict())
        return outcome

    async def _edit(self, wanted: Topology, progress: Progress) -> TopologyOutcome:
        found = changes(self.applied, wanted)
        if not any(found.values()):
            return TopologyOutcome("unchanged")
        before = self._snapshot()
        try:
            await self._apply(found, progress)
        except BaseException:
            self._restore(before)
            raise
        if found["faults"]:
            for active in self._faults:
                if active.origin:
                    self._faults.drop(active)
            self._set_faults(wanted)
        self.applied = wanted
        kept = [
            f"{NOUNS[kind]} {name_of(each)}" for kind in found for each in found[kind].gone if not _ends(kind, each)
        ]
        return TopologyOutcome("applied", tuple(_told(found)), tuple(kept))

    async def _apply(self, found: dict[str, Change[Any]], progress: Progress) -> None:
        problems: list[str] = []
        for kind in _BEFORE:
            self._patch(kind, found[kind], problems)
        _raise(problems)
        await self._furnisher.apply(only_new(found), progress)
        self._patch("deployments", found["deployments"], problems)
        for before, after in found["models"].changed:
            with collecting(problems, after.where):
                await self._redeploy(before, after, progress)
        for entry in found["models"].gone:
            with collecting(problems, entry.where):
                await self._undeploy(entry)
        gone = [(self._furnisher.owner(each), each.message.id) for each in found["deployments"].gone]
        self._resources.delete(Kind.DEPLOYMENT, gone)
        _raise(problems)

    def _patch(self, kind: str, change: Change[Any], problems: list[str]) -> None:
        for before, after in change.changed:
            with collecting(problems, after.where):
                names = fields_to_set(settings_of(before.message, after.message))
                parents = (after.message.compute_cluster.id,) if kind == "nodepools" else ()
                self._resources.assign(_PATCHED[kind], self._furnisher.owner(after), parents, after.message, names)

    async def _redeploy(self, before: ModelEntry, after: ModelEntry, progress: Progress) -> None:
        """Other settings for the deployment of a model: what it runs stays as it is."""
        if (
            before.deploy is None
            or after.deploy is None
            or before.deploy.deployment_id != after.deploy.deployment_id
        ):
            await self._undeploy(before)
            await self._furnisher.apply(Topology(models=(after,)), progress)
            return
        self._deployer.adjust(self._furnisher.request_of(after), await self._furnisher.model_key_of(after))

    async def _undeploy(self, entry: ModelEntry) -> None:
        if entry.deploy is not None:
            key = await self._furnisher.model_key_of(entry)
            self._resources.delete(
                Kind.DEPLOYMENT, [self._deployer.deployment_key(self._furnisher.request_of(entry), key)]
            )

    def _set_faults(self, topology: Topology) -> None:
        for entry in topology.faults:
            self._faults.add(entry.fault, origin=entry.where)

    def _snapshot(self) -> dict[Kind, dict[Key, Any]]:
        # What is stored is never changed in place.
        return {
            kind: {key: self._store.get(kind, key) for key in self._oldest_first(kind)}
            for kind in _PATCHED.values()
        }

    def _restore(self, before: dict[Kind, dict[Key, Any]]) -> None:
        for kind, items in before.items():
            for key in self._oldest_first(kind):
                if key not in items:
                    self._store.delete(kind, key)
            for key, item in items.items():
                if self._store.get(kind, key) is not item:
                    self._store.put(kind, key, item)

    def _oldest_first(self, kind: Kind) -> list[Key]:
        return list(self._store.keys(kind))[::-1]


def _raise(problems: Sequence[str]) -> None:
    if problems:
        raise ConfigError("The topology cannot be applied:", problems)


def _ends(kind: str, item: Any) -> bool:
    """Whether what the files name no more goes away at once."""
    return kind in ("deployments", "faults") or (isinstance(item, ModelEntry) and item.deploy is not None)


def _told(found: dict[str, Change[Any]]) -> list[str]:
    """What was done, in words."""
    told: list[str] = []
    for kind, change in found.items():
        if kind == "faults":
            told += ["other faults"] if change else []
            continue
        told += [f"{NOUNS[kind]} {name_of(each)} is new" for each in change.new]
        told += [f"{NOUNS[kind]} {name_of(now)}: {_differs(was, now)}" for was, now in change.changed]
        told += [
            f"{NOUNS[kind]} {name_of(each)} is no longer deployed" for each in change.gone if _ends(kind, each)
        ]
    return told


def _differs(was: Any, now: Any) -> str:
    named = settings_of(was.message, now.message) if isinstance(was, Entry) else []
    return f"other {', '.join(named) or 'settings'}"
