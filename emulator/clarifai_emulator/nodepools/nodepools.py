"""Assembles the half of an emulator that runs replicas; each part is given all it needs when it is made.

    backends ─► replicas ◄── supervisor ◄── dispatcher (demand, replicas that come and go)
       │ machines    │ room       │ rollouts
       └► pools      capacity     └► router ◄── routing view ◄── store, targets

The emulator makes one over its backends; the unit tests make one over replicas that do what a test says.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass

from clarifai_emulator.backends.backend import Backend, Debugging
from clarifai_emulator.backends.debugging.debug_port import Hold
from clarifai_emulator.clock import Clock
from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.dispatch.dispatcher import Dispatcher
from clarifai_emulator.dispatch.lane import Lane, Replica
from clarifai_emulator.events import EventBus
from clarifai_emulator.logbook import LogBook
from clarifai_emulator.machine.pools import Pools
from clarifai_emulator.messages.address import RunnerKey
from clarifai_emulator.models.written import WrittenFiles
from clarifai_emulator.nodepools.capacity import Capacity
from clarifai_emulator.nodepools.debuggers import Debuggers
from clarifai_emulator.nodepools.deployment_targets import Targets
from clarifai_emulator.nodepools.fleet import Fleet, ReplicaRecord
from clarifai_emulator.nodepools.launch_spec import Addresses, LaunchSpecs
from clarifai_emulator.nodepools.metrics import FleetMetrics
from clarifai_emulator.nodepools.own_runners import OwnRunners
from clarifai_emulator.nodepools.placing import Places
from clarifai_emulator.nodepools.replicas import Replicas
from clarifai_emulator.nodepools.router import Router
from clarifai_emulator.nodepools.routing_view import RoutingView, Visible
from clarifai_emulator.nodepools.supervisor import Supervisor
from clarifai_emulator.nodepools.supervisor_reports import Reporter
from clarifai_emulator.nodepools.warm_pool import WarmPool
from clarifai_emulator.routing.decision import ModelKey
from clarifai_emulator.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class NodepoolParts:
    """Gather what nodepools are made of and share with the rest of an emulator.

    ``on_failure`` is told which part failed, and how. ``can_see``: whether a user may see a resource. ``hosted``:
    further models that Clarifai is taken to host. ``hold`` is entered while a model stands at a breakpoint.
    ``written``: what models write into their directories.
    """

    config: EmulatorConfig
    store: Store
    events: EventBus
    logbook: LogBook
    clock: Clock
    backends: Mapping[str, Backend]
    addresses: Addresses
    capacity: Capacity
    can_see: Visible
    pools: Pools
    written: WrittenFiles
    hosted: Set[ModelKey] = frozenset()
    hold: Hold = contextlib.nullcontext
    on_failure: Callable[[str, Exception], object] = lambda part, error: None


class Nodepools:
    """The nodepools of one emulator: what supervises replicas, and what finds a request's way to them."""

    def __init__(self, parts: NodepoolParts) -> None:
        config, store, clock = parts.config, parts.store, parts.clock
        self.capacity, self.pools = parts.capacity, parts.pools
        self.targets = Targets(store)
        self.dispatcher = Dispatcher(
            events=parts.events,
            clock=clock,
            queue_size=config.queue_size,
            on_demand=self._demanded,
            on_replica=self._replica_changed,
        )
        self.debuggers = Debuggers(events=parts.events, hold=parts.hold, everywhere=_debugging_everywhere(config))
        report = Reporter(events=parts.events, logbook=parts.logbook)
        warm_pool = WarmPool(self._end_warm)
        places = Places(
            capacity=parts.capacity,
            pools=parts.pools,
            backends=parts.backends,
            default_backend=config.backend,
            reporter=report,
            on_no_devices=warm_pool.give_up_devices,
        )
        self.replicas = self._replicas(parts, places, warm_pool, report)
        self.own_runners = OwnRunners(store, self.dispatcher, self._is_made)
        self.supervisor = Supervisor(
            config=config,
            store=store,
            targets=self.targets,
            dispatcher=self.dispatcher,
            replicas=self.replicas,
            own_runners=self.own_runners,
            reporter=report,
            clock=clock,
            on_rollout=self._forget_decisions,
            on_failure=parts.on_failure,
        )
        self.routing_view = RoutingView(
            store=store,
            targets=self.targets,
            supervisor=self.supervisor,
            own_runners=self.own_runners,
            capacity=self.capacity,
            places=places,
            can_see=parts.can_see,
            hosted=parts.hosted,
        )
        self.router = Router(
            store, self.routing_view, self.dispatcher, self.supervisor.use_shared, self.own_runners
        )
        self.metrics = FleetMetrics(self.supervisor)

    async def reset(self, *, keep_warm: bool, forget: Callable[[], object]) -> None:
        """End every replica and forget what nodepools hold. ``keep_warm``: idle replicas are kept, for the next
        deployment of the same code. ``forget`` is called once the replicas have ended: it empties the store."""
        await self.supervisor.reset(keep_warm=keep_warm)
        forget()
        self.dispatcher.reset(keep={record.runner_key for record in self.replicas.warm_pool})
        self.capacity.reset()
        await self.debuggers.close()

    async def release(self, is_whose: Callable[[str], bool], *, forget: Callable[[], object]) -> None:
        """Do as ``reset`` does for what these users have; their idle replicas are kept. What others run goes on."""
        ending = await self.supervisor.release(is_whose)
        forget()
        self.capacity.forget(is_whose)
        await self.replicas.end(ending, grace=0)
        await self.debuggers.close(is_whose)

    async def stop(self, *, grace: float) -> None:
        """End every replica: SIGTERM, and after ``grace`` seconds SIGKILL."""
        await self.supervisor.stop(grace=grace)
        await self.debuggers.close()

    def _replicas(self, parts: NodepoolParts, places: Places, warm_pool: WarmPool, report: Reporter) -> Replicas:
        return Replicas(
            config=parts.config,
            store=parts.store,
            dispatcher=self.dispatcher,
            launch_specs=LaunchSpecs(
                config=parts.config, store=parts.store, pools=parts.pools, addresses=parts.addresses
            ),
            places=places,
            warm_pool=warm_pool,
            reporter=report,
            clock=parts.clock,
            debuggers=self.debuggers,
            written=parts.written,
            on_change=self._replicas_changed,
        )

    # The parts know each other in a circle; these close it.

    def _is_made(self, runner: RunnerKey) -> bool:
        return self.replicas.fleet_of_runner(runner) is not None

    def _demanded(self, lane: Lane) -> None:
        self.supervisor.demanded(lane)

    def _replica_changed(self, replica: Replica) -> None:
        self.supervisor.replica_changed(replica)

    def _replicas_changed(self, fleet: Fleet) -> None:
        self.supervisor.replicas_changed(fleet)

    def _forget_decisions(self) -> None:
        self.router.forget()

    def _end_warm(self, record: ReplicaRecord) -> None:
        self.replicas.kill(record, "it was kept warm and is not needed any more")


def _debugging_everywhere(config: EmulatorConfig) -> Debugging | None:
    return Debugging(config.debug, config.debug_wait) if config.debug is not None else None
