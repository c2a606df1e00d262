"""Holds the replicas of one deployment at one model version: what is wanted, what is there, what went wrong."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from clarifai_grpc.grpc.api.resources_pb2 import AutoscaleConfig, Deployment, Model, ModelVersion, Nodepool, Runner

from clarifai_emulator.backends.backend import ReplicaProcess
from clarifai_emulator.backends.printed import Printed
from clarifai_emulator.backends.reload_link import ReloadLink
from clarifai_emulator.dispatch.dispatcher import Credential
from clarifai_emulator.dispatch.lane import Lane, LaneKey, Replica
from clarifai_emulator.errors import CallerError
from clarifai_emulator.messages.address import NodepoolKey, RunnerKey
from clarifai_emulator.models.version_source import ModelSource
from clarifai_emulator.nodepools.capacity import Placement
from clarifai_emulator.nodepools.scaling import Demand

_HEALTHY_SECONDS = 10.0
_TAIL_LINES = 200
_TRACEBACK_LINES = 60
_TRACEBACK_HEAD = 9  # of those, when lines of the middle are left out
_TRACEBACK = "Traceback (most recent call last):"


class ReplicaState(StrEnum):
    """A replica's life, in order."""

    STANDBY = "standby"  # to take the place of another, which serves until then; see replacement.py
    STARTING = "starting"
    LIVE = "live"
    DRAINING = "draining"


@dataclass(slots=True, eq=False)
class Standby:
    """The news of a replica that is to take the place of another. ``loaded``: the code it has loaded, empty when
    that changed meanwhile; it waits for ``go``. Both fail with ``ModelError`` when the model cannot be loaded."""

    loaded: asyncio.Future[str]
    live: asyncio.Future[None]

    def fail(self, error: Exception) -> None:
        for future in (self.loaded, self.live):
            if not future.done():
                future.set_exception(error)
                future.exception()  # seen, even when nobody waits any more


@dataclass(slots=True, eq=False)
class ReplicaRecord:
    """A replica from the moment it is wanted until its process has ended. Times are the clock's monotonic()."""

    credential: Credential
    runner: Runner
    placement: Placement
    started: float
    devices: tuple[str, ...] = ()
    secrets: Mapping[str, str] = field(default_factory=dict[str, str])  # what it found in its environment
    state: ReplicaState = ReplicaState.STARTING
    ready: float | None = None
    replica: Replica | None = None  # what dispatch sees of it, once it is ready
    process: ReplicaProcess | None = None
    reload: ReloadLink | None = None  # while it is reloadable
    standby: Standby | None = None
    replaced_by: ReplicaRecord | None = None  # stands in its place, and gives back room and devices when it ends
    replaces: ReplicaRecord | None = None  # whose replaced_by it is
    holds_place: bool = True
    has_ended: bool = False
    killed_because: str = ""  # why the emulator itself killed it
    genuine_because: str = ""  # why it fetches its work itself; empty where that is handed to it
    printed: Printed = field(default_factory=Printed)
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=_TAIL_LINES))
    task: asyncio.Task[None] | None = None
    fleet: Fleet | None = None  # whose it is; of a parked replica, whose it was

    @property
    def replica_id(self) -> str:
        return self.credential.replica_id

    @property
    def nodepool(self) -> NodepoolKey:
        return self.placement.nodepool

    @property
    def runner_key(self) -> RunnerKey:
        """Return the key of the runner whose replica it is."""
        return self.credential.runner

    @property
    def busy(self) -> int:
        """Count the items it works on."""
        return len(self.replica.busy) if self.replica is not None else 0

    def held_ports(self) -> Sequence[int]:
        """Return the ports of this machine that its model's servers keep from other replicas."""
        network = self.process.network if self.process is not None else None
        return network.ports() if network is not None else ()

    @property
    def runner_kind(self) -> str:
        """Name the runner that takes its items through the model."""
        return "genuine" if self.genuine_because else "lean"

    def was_healthy(self, now: float) -> bool:
        """Tell whether it completed a request, or was ready for long: so a crash now starts a new failure count."""
        completed = self.replica is not None and self.replica.completed > 0
        return completed or (self.ready is not None and now - self.ready > _HEALTHY_SECONDS)


@dataclass(frozen=True, slots=True)
class Target:
    """The order to a fleet: what it runs, and where it may. ``deployment`` is None on shared compute (default
    autoscaling)."""

    deployment: Deployment | None
    model: Model
    version: ModelVersion
    source: ModelSource | None
    nodepools: tuple[tuple[NodepoolKey, Nodepool], ...]
    is_user_run: bool = False  # its nodepools have no nodes of their own: the user starts the runners

    @property
    def autoscale(self) -> AutoscaleConfig:
        return self.deployment.autoscale_config if self.deployment is not None else AutoscaleConfig()

    @property
    def model_key(self) -> tuple[str, str, str]:
        """The model's user, app and id."""
        return (self.model.user_id, self.model.app_id, self.model.id)

    @property
    def nodepool_keys(self) -> tuple[NodepoolKey, ...]:
        """The keys of its nodepools, in their order."""
        return tuple(key for key, _ in self.nodepools)

    @property
    def name(self) -> str:
        """For messages: the deployment, or the shared nodepool."""
        if self.deployment is not None:
            return f"deployment '{self.deployment.id}'"
        return f"shared nodepool '{self.nodepools[0][1].id}'"

    @property
    def sentence_name(self) -> str:
        """Return ``name`` as the beginning of a sentence; ids keep their case."""
        return self.name[0].upper() + self.name[1:]


@dataclass(slots=True, eq=False)
class Fleet:
    """The replicas of one lane."""

    lane: Lane
    target: Target
    records: dict[str, ReplicaRecord] = field(default_factory=dict[str, ReplicaRecord])
    runners: dict[NodepoolKey, Runner] = field(default_factory=dict[NodepoolKey, Runner])  # made for it
    slots_per_replica: int = 1
    retired: bool = False  # nothing may run any more: the deployment is gone, disabled or at another version
    warming: bool = False  # its deployment is not at this version yet; see replacement.py
    reloading: bool = False  # its replicas had to end before others load their code: nothing else starts meanwhile
    held_ports: tuple[int, ...] = ()  # of this machine, which its replicas were found to keep from others
    told_overcommitment: bool = False
    no_room_since: float | None = None  # while a replica is wanted that finds no room, but may find some
    failures: int = 0
    last_failure: str = ""
    last_crash: tuple[float, str] | None = None  # when a replica ended that should not have, and why
    stuck: CallerError | None = None  # why what was asked for cannot serve, while something else still does
    retry_at: float = 0.0
    wanted: int = 0
    last_scale_up: float | None = None
    last_scale_down: float | None = None
    peaks: deque[tuple[float, int]] = field(default_factory=deque[tuple[float, int]])

    @property
    def active(self) -> list[ReplicaRecord]:
        """Replicas that serve or will serve."""
        serving = (ReplicaState.STARTING, ReplicaState.LIVE)
        return [record for record in self.records.values() if record.state in serving]

    @property
    def live(self) -> list[ReplicaRecord]:
        """Replicas that take work."""
        return [record for record in self.records.values() if record.state is ReplicaState.LIVE]

    def serves(self, target: Target) -> bool:
        """Tell whether a replica takes work where this target wants it."""
        wanted = target.nodepool_keys
        return any(record.nodepool in wanted for record in self.live)

    @property
    def adopted(self) -> list[tuple[NodepoolKey, Replica]]:
        """Replicas that take work and that their user started (`clarifai model serve`), each with its nodepool."""
        if not self.target.is_user_run:
            return []
        links = self.lane.runners.values()
        return [(link.nodepool, each) for link in links for each in link.replicas.values() if each.is_live]

    def demand(self, now: float, history_seconds: float) -> Demand:
        """Return what is asked of the fleet at this moment."""
        in_flight, queued = self.lane.load, len(self.lane.waiting)
        if self.lane.bounced and not self.active:
            queued += 1
        # Only what may still become the highest is kept: loads fall from left to right.
        while self.peaks and self.peaks[-1][1] <= in_flight + queued:
            self.peaks.pop()
        self.peaks.append((now, in_flight + queued))
        while self.peaks[0][0] < now - history_seconds:
            self.peaks.popleft()
        active = self.lane.last_active
        return Demand(
            in_flight=in_flight,
            queued=queued,
            slots_per_replica=self.slots_per_replica,
            peak=self.peaks[0][1],
            last_request_ago=None if active is None else now - active,
        )

    def unserved_nodepools(self) -> Sequence[NodepoolKey]:
        """Nodepools that waiting work insists on and where nothing runs or starts; most urgent first."""
        there = {record.nodepool for record in self.active}
        for work in self.lane.waiting:
            if not there.intersection(work.nodepools):
                return work.nodepools
        return ()


class Fleets(MutableMapping[LaneKey, Fleet]):
    """Every fleet by the key of its lane. Those of one deployment, mostly one, are found without a look at all."""

    def __init__(self) -> None:
        self._fleets: dict[LaneKey, Fleet] = {}
        self._keys_of: dict[tuple[str, str], dict[LaneKey, None]] = {}

    def of_deployment(self, user_id: str, deployment_id: str) -> Sequence[Fleet]:
        """The deployment's fleets: of the version it is at, and of those it leaves. Oldest first."""
        return [self._fleets[key] for key in self._keys_of.get((user_id, deployment_id), ())]

    def __getitem__(self, key: LaneKey) -> Fleet:
        return self._fleets[key]

    def __setitem__(self, key: LaneKey, fleet: Fleet) -> None:
        self._fleets[key] = fleet
        self._keys_of.setdefault((key.user_id, key.deployment_id), {})[key] = None

    def __delitem__(self, key: LaneKey) -> None:
        del self._fleets[key]
        siblings = self._keys_of[key.user_id, key.deployment_id]
        del siblings[key]
        if not siblings:
            del self._keys_of[key.user_id, key.deployment_id]

    def __iter__(self) -> Iterator[LaneKey]:
        return iter(self._fleets)

    def __len__(self) -> int:
        return len(self._fleets)


def model_traceback(lines: Iterable[str]) -> str:
    """The last traceback in a replica's output, or its last lines when there is none."""
    kept = list(lines)
    starts = [number for number, line in enumerate(kept) if line.strip().startswith(_TRACEBACK)]
    if not starts:
        return "\n".join(kept[-10:])
    first = starts_last = starts[-1]
    # A chain ("During handling of the above exception…") is one story: begin at its first traceback.
    while len(starts) > 1 and first - starts[-2] < _TRACEBACK_LINES and _is_chained(kept[starts[-2] : first]):
        starts.pop()
        first = starts[-1]
    return "\n".join(_shortened(kept[first:], starts_last - first))


def _shortened(story: Sequence[str], last: int) -> Sequence[str]:
    """At most ``_TRACEBACK_LINES``, its error among them. ``last``: where its last traceback begins."""
    if len(story) <= _TRACEBACK_LINES:
        return story
    # Frames are indented; the first line after them that is not, is the error.
    indent = len(story[last]) - len(story[last].lstrip())
    end = next(
        (n for n in range(last + 1, len(story)) if story[n].strip() and not story[n][indent:].startswith(" ")),
        len(story) - 1,
    )
    if end < _TRACEBACK_LINES:
        return story[:_TRACEBACK_LINES]
    tail = _TRACEBACK_LINES - _TRACEBACK_HEAD - 1
    left_out = end + 1 - _TRACEBACK_HEAD - tail
    return [*story[:_TRACEBACK_HEAD], f"  [{left_out} lines left out]", *story[end + 1 - tail : end + 1]]


def _is_chained(lines: Sequence[str]) -> bool:
    return any("the above exception" in line.lower() for line in lines)
