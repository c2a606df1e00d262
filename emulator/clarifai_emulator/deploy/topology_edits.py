"""Brings edited topology files to where they count: while everything runs, and onto a state that was restored.

    files ─► read ─► compare with what was applied ─► create, change, remove ─► said by name
               └───────────────┴─ a problem: everything stays as the last good files had it

Only what was edited counts: what the API changed since stays where the files say the same as before.

A deployment keeps its replicas: what changes for them (how many, where) is the supervisor's to decide.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clarifai_emulator.deploy.deployer import Deployer
from clarifai_emulator.deploy.provision import Provisioner
from clarifai_emulator.deploy.topology_apply import Application
from clarifai_emulator.errors import ConfigError
from clarifai_emulator.events import EventBus
from clarifai_emulator.faults import Faults
from clarifai_emulator.models.progress import Progress
from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.store import Key, Kind, Store
from clarifai_emulator.topology.file_changes import NOUNS, changes, name_of
from clarifai_emulator.topology.files import ModelEntry, Topology, load_topology

_AS_IT_WAS = "The state is as it was. Mend the file, or start without --topology."


@dataclass(frozen=True, slots=True)
class TopologyOutcome:
    """The outcome of an edit. ``state``: ``applied``, ``refused`` or ``unchanged``. ``done``: each change in words;
    ``kept``: what the files name no more and stays, ``until`` when; ``problems``: why it was refused."""

    state: str
    done: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    until: str = "the next start"

    @property
    def message(self) -> str:
        """All of it, for people."""
        if self.problems:
            lines = "".join(f"\n  - {each}" for each in self.problems)
            return f"The topology is as it was: its files cannot be used.{lines}"
        kept = f"; stays until {self.until}: {', '.join(self.kept)}" if self.kept else ""
        return f"{', '.join(self.done) or 'nothing to do'}{kept}"

    def as_dict(self) -> dict[str, Any]:
        """Return the outcome as JSON."""
        lists = {"done": list(self.done), "kept": list(self.kept), "problems": list(self.problems)}
        return {"state": self.state, "message": self.message, **lists}


class TopologyEdits:
    """The topology of one emulator. ``applied``: what its files said when they were last applied. ``is_kept``:
    what is created outlives the emulator."""

    def __init__(
        self,
        *,
        provisioner: Provisioner,
        resources: Resources,
        deployer: Deployer,
        store: Store,
        faults: Faults,
        events: EventBus,
        is_kept: bool = False,
    ) -> None:
        self.applied = Topology()
        self._until = "it is deleted" if is_kept else "the next start"
        self._provisioner = provisioner
        self._resources = resources
        self._deployer = deployer
        self._store = store
        self._faults = faults
        self._events = events
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[Any] | None = None  # that applies an edit now
        self._touched: dict[tuple[Kind, Key], None] = {}  # by it, in that order
        store.watch(self._note)

    async def add(self, files: Sequence[Path], progress: Progress) -> None:
        """Create what these files name, which need not be the emulator's own. Raises ``ConfigError``."""
        await self._add(load_topology(files), progress)

    async def begin(self, files: Sequence[Path], progress: Progress) -> None:
        """Apply the emulator's own topology files; later edits are compared with these."""
        topology = load_topology(files)
        await self._add(topology, progress)
        self.applied = topology

    async def resume(self, files: Sequence[Path], applied: Topology, progress: Progress) -> TopologyOutcome:
        """Apply the files where resources were restored: ``applied`` is what the files said when it was applied to
        them. Raises ``ConfigError``, and then they are as they were."""
        try:
            wanted = load_topology(files)
            with self._all_or_nothing():
                await self._provisioner.apply(Topology(stand_ins=wanted.stand_ins), progress)
                self._set_faults(wanted)
                self.applied = replace(applied, stand_ins=wanted.stand_ins, faults=wanted.faults)
                return self._told(await self._edit(wanted, progress))
        except ConfigError as error:
            raise ConfigError(error.what, error.problems, hint=_AS_IT_WAS) from None

    async def _add(self, topology: Topology, progress: Progress) -> None:
        await self._provisioner.apply(topology, progress)
        self._set_faults(topology)

    def forget(self) -> None:
        """Nothing of it is there any more."""
        self.applied = Topology()

    async def edit(self, files: Sequence[Path], progress: Progress) -> TopologyOutcome:
        """The files may have changed: what came of it."""
        async with self._lock:
            try:
                wanted = await asyncio.to_thread(load_topology, files)
                with self._all_or_nothing():
                    outcome = await self._edit(wanted, progress)
            except ConfigError as error:
                outcome = TopologyOutcome("refused", problems=error.problems or (error.what,))
        return self._told(outcome)

    def _told(self, outcome: TopologyOutcome) -> TopologyOutcome:
        if outcome.state != "unchanged":
            self._events.emit(f"topology.{outcome.state}", **outcome.as_dict())
        return outcome

    async def _edit(self, wanted: Topology, progress: Progress) -> TopologyOutcome:
        found = changes(self.applied, wanted)
        if not any(found.values()):
            return TopologyOutcome("unchanged")
        done = await Application(self._provisioner, self._resources, self._deployer, progress).run(found)
        if found["faults"]:
            for active in self._faults:
                if active.origin:
                    self._faults.drop(active)
            self._set_faults(wanted)
            done["faults"].append("other faults")
        self.applied = wanted
        kept = tuple(
            f"{NOUNS[kind]} {name_of(each)}" for kind in found for each in found[kind].gone if not _ends(kind, each)
        )
        told = tuple(line for kind in found for line in done[kind])
        return TopologyOutcome("applied" if told or kept else "unchanged", told, kept, until=self._until)

    def _set_faults(self, topology: Topology) -> None:
        for entry in topology.faults:
            self._faults.add(entry.fault, origin=entry.where)

    @contextmanager
    def _all_or_nothing(self) -> Generator[None]:
        """Undo, if the block fails, what this task has put into the store; what clients put there meanwhile
        stays."""
        # What is stored is never changed in place.
        before = {
            kind: {key: self._store.get(kind, key) for key in self._store.keys(kind)} for kind in self._store.kinds
        }
        self._task = asyncio.current_task()
        try:
            yield
        except BaseException:
            self._task = None
            for kind, key in reversed(self._touched):
                item = before[kind].get(key)
                if item is None:
                    self._store.delete(kind, key)
                else:
                    self._store.put(kind, key, item)
            raise
        finally:
            self._task = None
            self._touched.clear()

    def _note(self, kind: Kind, key: Key) -> None:
        if self._task is not None and asyncio.current_task() is self._task:
            self._touched[kind, key] = None


def _ends(kind: str, item: Any) -> bool:
    """Tell whether what the files name no more goes away at once."""
    return kind in ("deployments", "faults") or (isinstance(item, ModelEntry) and item.deploy is not None)
