"""Sets up the supervisor and all it needs, over replicas that do what a test says, by a clock that a test turns."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import Deployment

from clarifai_emulator.backends.backend import Exit, ReplicaSpec
from clarifai_emulator.backends.replica_network import ReplicaNetwork
from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.dispatch.lane import Lane, LaneKey, Replica, Slot
from clarifai_emulator.dispatch.work import UNARY_UNARY, Work
from clarifai_emulator.errors import ModelError
from clarifai_emulator.events import EventBus
from clarifai_emulator.machine.accelerators import Accelerator
from clarifai_emulator.machine.machine import Machine
from clarifai_emulator.machine.pools import Pools
from clarifai_emulator.models.directory import ModelDirectory
from clarifai_emulator.models.progress import Progress
from clarifai_emulator.models.version_source import ModelSource
from clarifai_emulator.models.written import WrittenFiles
from clarifai_emulator.nodepools.capacity import Capacity
from clarifai_emulator.nodepools.fleet import Fleet, ReplicaRecord
from clarifai_emulator.nodepools.launch_spec import Addresses
from clarifai_emulator.nodepools.nodepools import NodepoolParts, Nodepools
from clarifai_emulator.resources.permissions import Organisations
from clarifai_emulator.store import Kind
from resource_api import ResourceApi

SOURCE = ModelSource(Path("/models/model"), Path(sys.executable), "hash", "an environment")


class ScriptedProcess:
    """Stands in for a replica's process. ``obeys``: SIGTERM ends it."""

    def __init__(self, spec: ReplicaSpec, on_line: Callable[[str], None]) -> None:
        self.spec = spec
        self.pid = 4711
        self.connection = None
        self.reloads = None
        self.debugger = None
        self.network: ReplicaNetwork | None = None
        self.obeys = True
        self.signals: list[str] = []
        self.exited: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        self._on_line = on_line

    def say(self, *lines: str) -> None:
        for line in lines:
            self._on_line(line)

    def end(self, exit_: Exit) -> None:
        if not self.exited.done():
            self.exited.set_result(exit_)

    def terminate(self) -> None:
        self.signals.append("TERM")
        if self.obeys:
            self.end(Exit(0))

    def kill(self) -> None:
        if not self.exited.done():
            self.signals.append("KILL")
        self.end(Exit(signal=9))


class ScriptedBackend:
    """Keeps every process it was asked for. Starts raise ``refusal`` if set, and wait while ``gate`` is closed."""

    name = "process"

    def __init__(self, *machines: Machine) -> None:
        self.machines = machines
        self.processes: list[ScriptedProcess] = []
        self.refusal: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def warm(self) -> None:
        return

    async def prepare(
        self, directory: ModelDirectory, progress: Progress, *, is_watched: bool = False
    ) -> ModelSource:
        return SOURCE

    async def start(self, spec: ReplicaSpec, on_line: Callable[[str], None]) -> ScriptedProcess:
        await self.gate.wait()
        if self.refusal is not None:
            raise self.refusal
        process = ScriptedProcess(spec, on_line)
        self.processes.append(process)
        return process

    async def signatures(self, source: ModelSource) -> Sequence[Any]:
        return ()

    async def close(self) -> None:
        return

    @property
    def running(self) -> list[ScriptedProcess]:
        return [process for process in self.processes if not process.exited.done()]


class Stage:
    """The resources of one user (``ada``), and the supervisor of their replicas. ``gpus`` are this machine's."""

    def __init__(self, *, gpus: Sequence[str] = (), further: Sequence[Machine] = (), **config: Any) -> None:
        self.api = ResourceApi()
        self.store, self.clock = self.api.store, self.api.clock
        self.config = EmulatorConfig(**{"stop_seconds": 0.01, "num_threads": 1, **config})
        self.events = EventBus(self.clock)
        machine = Machine(
            8,
            64 << 30,
            tuple(Accelerator(number, f"GPU-{number}", name, 24 << 30) for number, name in enumerate(gpus)),
            "there is no nvidia-smi on the PATH",
        )
        self.backend = ScriptedBackend(machine, *further)
        self.nodepools = nodepools = Nodepools(
            NodepoolParts(
                config=self.config,
                store=self.store,
                events=self.events,
                logbook=self.api.logbook,
                clock=self.clock,
                backends={"process": self.backend},
                addresses=Addresses(lambda: "http://runners", lambda: "http://api"),
                capacity=Capacity(),
                can_see=Organisations().can_see,
                pools=Pools(),
                written=WrittenFiles(),
            )
        )
        self.targets, self.dispatcher, self.capacity = nodepools.targets, nodepools.dispatcher, nodepools.capacity
        self.replicas, self.supervisor = nodepools.replicas, nodepools.supervisor
        self.routing_view, self.metrics = nodepools.routing_view, nodepools.metrics
        self.accelerators = nodepools.pools.of(machine)
        self.supervisor.start()

    async def close(self) -> None:
        await self.supervisor.stop(grace=0)

    # Resources.

    def prepare(self, *nodepools: str, needs: Mapping[str, Any] | None = None, **nodepool: Any) -> None:
        """Create a cluster with these nodepools, and a model with one version and its code."""
        self.api.cluster()
        for nodepool_id in nodepools or ("pool",):
            self.api.nodepool(nodepool_id, **nodepool)
        self.api.model()
        self.version(needs)

    def version(self, needs: Mapping[str, Any] | None = None, *, with_code: bool = True) -> str:
        """Create another version of the model."""
        version_id = self.api.version(inference_compute_info=needs or {})
        if with_code:
            self.store.put(Kind.SOURCE, ("ada", "app", "model", version_id), SOURCE)
        return version_id

    async def deploy(
        self, least: int = 1, most: int = 5, *nodepools: str, deployment_id: str = "deployment", **fields: Any
    ) -> None:
        """Create a deployment with these bounds; return once the supervisor has seen it."""
        autoscale = {"min_replicas": least, "max_replicas": most, **fields.pop("autoscale", {})}
        self.api.deployment(deployment_id, autoscale_config=autoscale, **{**fields, **_in(nodepools or ("pool",))})
        await settle()

    async def patch(self, **fields: Any) -> None:
        """Overwrite fields of the deployment."""
        self.api("PatchDeployments", deployments=[{"id": "deployment", **fields}], action="overwrite")
        await settle()

    async def move(self, *nodepools: str) -> None:
        """Deploy in these nodepools instead."""
        await self.patch(**_in(nodepools))

    async def delete(self) -> None:
        self.api("DeleteDeployments", ids=["deployment"])
        await settle()

    def stored(self, deployment_id: str = "deployment") -> Deployment:
        found = self.store.get(Kind.DEPLOYMENT, ("ada", deployment_id))
        assert found is not None
        return found

    # Replicas.

    @property
    def fleet(self) -> Fleet:
        """Return the one fleet that is not on its way out."""
        (fleet,) = [each for each in self.supervisor.fleets.values() if not each.retired]
        return fleet

    def record(self, process: ScriptedProcess) -> ReplicaRecord:
        return next(
            record
            for fleet in self.supervisor.fleets.values()
            for record in fleet.records.values()
            if record.process is process
        )

    async def ready(self, process: ScriptedProcess | None = None, slots: int = 1) -> Replica:
        """Let the replica (the newest, if none is named) load its model and open its streams."""
        process = process or self.backend.processes[-1]
        link = self.dispatcher.runner(self.record(process).runner_key)
        assert link is not None
        replica = self.dispatcher.connect(link, process.spec.replica_id)
        for _ in range(slots):
            self.dispatcher.hear(replica)
            link.lane.offer(Slot(replica))
        await settle()
        return replica

    async def crash(self, exit_: Exit | None = None) -> None:
        self.backend.running[-1].end(exit_ or Exit(3))
        await settle()

    async def later(self, seconds: float) -> None:
        """Let time pass, and let whoever looks at the clock look."""
        self.clock.seconds += seconds
        for fleet in tuple(self.supervisor.fleets.values()):
            self.supervisor.demanded(fleet.lane)
        await settle()

    # Requests.

    @property
    def lane(self) -> Lane:
        return self.fleet.lane

    async def ask(self, *nodepools: str, lane: Lane | None = None) -> Work:
        """Send a request to these nodepools of the deployment."""
        work = Work("request", method_type=UNARY_UNARY, events=self.events, nodepools=keys(nodepools or ("pool",)))
        (lane or self.lane).submit(work)
        await settle()
        return work

    async def answer(self, replica: Replica, work: Work) -> None:
        """Let the replica finish this request and be idle again."""
        replica.finish(work)
        replica.release(work)
        replica.runner_link.lane.offer(Slot(replica))
        await settle()

    def said(self, kind: str) -> list[str]:
        """Return what the events of this kind say."""
        return [event.fields.get("message", event.fields.get("reason")) for event in self.events.recent(kind)]


def _in(nodepools: Sequence[str]) -> dict[str, Any]:
    return {"nodepools": [{"id": each, "compute_cluster": {"id": "cluster"}} for each in nodepools]}


def keys(nodepools: Sequence[str]) -> tuple[tuple[str, str, str], ...]:
    return tuple(("ada", "cluster", each) for each in nodepools)


def lane_key(version_id: str) -> LaneKey:
    return LaneKey("ada", "deployment", version_id)


async def settle() -> None:
    """Let every task that can go on do so."""
    for _ in range(20):
        await asyncio.sleep(0)


BROKEN_MODEL = ModelError("The Clarifai SDK cannot be imported.", hint="Mend it.", log="ImportError: clarifai")
