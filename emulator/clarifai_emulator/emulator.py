"""Builds an emulator out of its parts, starts it, stops it. The one place where everything is wired.

    async with Emulator(EmulatorConfig(port=0)) as emulator:
        await emulator.deployer.deploy(DeployRequest(path=Path("my-model")), print)

``thread.EmulatorThread`` is the same for code without an event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clarifai_emulator.api.access.accounts import accounts_of, owner_warning, security_warnings
from clarifai_emulator.api.access.admission import Admissions
from clarifai_emulator.api.access.auth import Authenticator
from clarifai_emulator.api.access.contained import contained, exposed
from clarifai_emulator.api.access.issued_keys import IssuedKeys
from clarifai_emulator.api.call_text import CallTexts
from clarifai_emulator.api.chain import Handler, RequestChain
from clarifai_emulator.api.handlers import instance_types as catalogue
from clarifai_emulator.api.handlers import log_entries as logs
from clarifai_emulator.api.handlers import resource_rpcs, uploads, users
from clarifai_emulator.api.handlers.inference import Inference
from clarifai_emulator.api.http_calls import HttpCalls
from clarifai_emulator.api.injection import Injector
from clarifai_emulator.api.runner_items import RunnerItems
from clarifai_emulator.api.sites import PlatformSites
from clarifai_emulator.api.taps import Interceptor, intercepted
from clarifai_emulator.api.transport.grpc_server import ApiHandlers
from clarifai_emulator.api.transport.http2 import Find
from clarifai_emulator.api.transport.http_sites import HttpSites
from clarifai_emulator.api.transport.mounts import GrpcMount, HttpMount, Mount
from clarifai_emulator.api.transport.ports import Ports
from clarifai_emulator.backends.backend import Backend, Debugging
from clarifai_emulator.backends.debugging.breakpoints import while_held
from clarifai_emulator.backends.docker.docker_backend import DockerBackend
from clarifai_emulator.backends.docker.engine import Meeting
from clarifai_emulator.backends.inprocess import InProcessBackend
from clarifai_emulator.backends.process.parent import Parent
from clarifai_emulator.backends.process.process_backend import ProcessBackend
from clarifai_emulator.catalogue import Catalogue, local_instance_type
from clarifai_emulator.clock import Clock, PausableClock, SystemClock
from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.contracts.values.runtime import Watch
from clarifai_emulator.deploy.deployer import Deployer
from clarifai_emulator.deploy.provision import Furnisher
from clarifai_emulator.deploy.topology_edits import TopologyEdits, TopologyOutcome
from clarifai_emulator.deploy.undeployer import Undeployer
from clarifai_emulator.deploy.upload_builds import UploadBuilds
from clarifai_emulator.dispatch.dispatcher import Dispatcher, is_replica_token
from clarifai_emulator.dispatch.lane import Lane, LaneKey
from clarifai_emulator.errors import ModelError
from clarifai_emulator.events import EventBus
from clarifai_emulator.faults import Faults
from clarifai_emulator.logbook import LogBook
from clarifai_emulator.machine.accelerators import AcceleratorPool, Discovery
from clarifai_emulator.machine.inventory import take_inventory
from clarifai_emulator.machine.machine import measure_machine
from clarifai_emulator.models.directory import ModelSource
from clarifai_emulator.models.sent import SentDirectories
from clarifai_emulator.models.uploaded import UploadedFiles
from clarifai_emulator.models.written import WrittenFiles, are_the_models_own
from clarifai_emulator.nodepools.capacity import Capacity
from clarifai_emulator.nodepools.debuggers import Debuggers
from clarifai_emulator.nodepools.deployment_targets import Targets
from clarifai_emulator.nodepools.metrics import FleetMetrics
from clarifai_emulator.nodepools.replicas import Replicas
from clarifai_emulator.nodepools.router import Router
from clarifai_emulator.nodepools.routing_view import StoreLandscape
from clarifai_emulator.nodepools.supervisor import Supervisor
from clarifai_emulator.nodepools.supervisor_reports import Reporter
from clarifai_emulator.reload.reloader import Reloader
from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.resources.rows import Record
from clarifai_emulator.resources.table import ROWS
from clarifai_emulator.routing import Ask, Decision
from clarifai_emulator.store import Kind, Store

if TYPE_CHECKING:
    from clarifai_emulator.deploy.topology_kept import KeptTopology
    from clarifai_emulator.state.kept_state import KeptState

log = logging.getLogger(__name__)

# Replicas of this machine pull their work here, past the public port.
_REPLICA_HOST = "127.0.0.1"


class Emulator:
    """One emulated platform. ``url`` is its base URL once it has started. Raises ``ConfigError`` for a pats file
    that cannot be used. ``discovery``: the accelerators to use instead of those of this machine. ``parent``: of
    replicas, started already, as one of its own would be."""

    def __init__(
        self,
        config: EmulatorConfig | None = None,
        *,
        clock: Clock | None = None,
        discovery: Discovery | None = None,
        parent: Parent | None = None,
        rows: Sequence[Record] = ROWS,
    ) -> None:
        self.config = config or EmulatorConfig()
        self.clock = PausableClock(clock or SystemClock())
        self.events = EventBus(self.clock)
        self.logbook = LogBook(now=self.clock.now)
        self.store = Store()
        self.capacity = Capacity(overcommits=not self.config.strict_capacity)
        self.discovery = discovery or take_inventory(
            self.config.accelerators, visible=os.environ.get("CUDA_VISIBLE_DEVICES")
        )
        self.accelerators = AcceleratorPool(self.discovery.accelerators, reason=self.discovery.reason)
        self.catalogue = Catalogue(self._local_instance())
        self.accounts = accounts_of(self.config)
        self.authenticator = Authenticator(
            user_id=self.config.user_id,
            callers=self.accounts.callers,
            is_replica=is_replica_token,
            find_key=IssuedKeys(self.store).find,
            now=self.clock.now,
        )
        self.dispatcher = Dispatcher(events=self.events, clock=self.clock, queue_size=self.config.queue_size)
        self.targets = Targets(self.store)
        self.backends: dict[str, Backend] = {}
        self._parent = parent
        everywhere = Debugging(self.config.debug, self.config.debug_wait) if self.config.debug is not None else None
        self.debuggers = Debuggers(events=self.events, hold=self.clock.held, everywhere=everywhere)
        self._written = WrittenFiles(self._note_written)
        reporter = Reporter(events=self.events, logbook=self.logbook)
        self.replicas = Replicas(
            config=self.config,
            store=self.store,
            dispatcher=self.dispatcher,
            backends=self.backends,
            accelerators=self.accelerators,
            capacity=self.capacity,
            reporter=reporter,
            clock=self.clock,
            debuggers=self.debuggers,
            written=self._written,
        )
        self.supervisor = Supervisor(
            config=self.config,
            store=self.store,
            targets=self.targets,
            dispatcher=self.dispatcher,
            replicas=self.replicas,
            reporter=reporter,
            clock=self.clock,
        )
        self.resources = Resources(
            store=self.store,
            clock=self.clock,
            organisations=self.accounts.organisations,
            catalogue=self.catalogue,
            metrics=FleetMetrics(self.supervisor),
            rows=rows,
        )
        self.landscape = StoreLandscape(
            store=self.store,
            targets=self.targets,
            supervisor=self.supervisor,
            capacity=self.capacity,
            can_see=self.accounts.organisations.can_see,
        )
        self._router = Router(self.store, self.landscape)
        self.supervisor.rollouts.on_change = self._router.forget
        self.faults = Faults(events=self.events, user_id=self.config.user_id)
        self._injector = Injector(
            self.faults,
            events=self.events,
            hold_seconds=self.config.hold_seconds,
            lose_replica=self.supervisor.lose_replica,
            scale_to_zero=self.supervisor.scale_to_zero,
        )
        self.deployer = Deployer(
            config=self.config,
            store=self.store,
            resources=self.resources,
            supervisor=self.supervisor,
            catalogue=self.catalogue,
            backends=self.backends,
            events=self.events,
            logbook=self.logbook,
            clock=self.clock,
            debuggers=self.debuggers,
            written=self._written,
        )
        self.reloader = Reloader(
            store=self.store,
            supervisor=self.supervisor,
            deployer=self.deployer,
            events=self.events,
            logbook=self.logbook,
            clock=self.clock,
            written=self._written,
        )
        self.undeployer = Undeployer(
            store=self.store,
            resources=self.resources,
            supervisor=self.supervisor,
            reloader=self.reloader,
            user_id=self.config.user_id,
        )
        self._uploads = UploadBuilds(
            files=UploadedFiles(self.config.state / "uploaded-versions" if self.config.state else None),
            resources=self.resources,
            deployer=self.deployer,
            events=self.events,
            is_run=self.supervisor.runs_version,
        )
        self.sent = SentDirectories(
            self.config.state / "sent-directories" if self.config.state else None,
            max_bytes=self.config.max_upload_bytes,
        )
        self.furnisher = Furnisher(
            user_id=self.config.user_id,
            store=self.store,
            resources=self.resources,
            catalogue=self.catalogue,
            deployer=self.deployer,
            cache_dir=self.config.cache_dir,
        )
        self._topology = TopologyEdits(
            furnisher=self.furnisher,
            resources=self.resources,
            deployer=self.deployer,
            store=self.store,
            faults=self.faults,
            events=self.events,
            is_kept=self.config.state is not None,
        )
        self._state: KeptState | None = None
        self._kept_topology: KeptTopology | None = None
        self._chain: RequestChain | None = None
        self._holding = contextlib.ExitStack()  # while somebody debugs a model of this process
        self.landscape.hosted = self.furnisher.hosted
        self._mounts: list[Mount] = []
        # Each may put itself before every method of the API, from the next call on (``api/taps.py``).
        self.interceptors: list[Interceptor] = []
        self.port = 0
        # Names this run of it to whoever asks for its health; it opens nothing.
        self.run_id = secrets.token_hex(8)
        self._is_ready = False
        self._ports = Ports(self.config, self._odd_client)

    @property
    def url(self) -> str:
        """The base URL for ``CLARIFAI_API_BASE``."""
        return self.config.url(self.port)

    def mount(self, *mounts: Mount) -> None:
        """Serve these sites too, beside the platform's API and at the same address. They take their requests before
        the platform's own sites do. Raises ``RuntimeError`` once it listens."""
        if self.port:
            raise RuntimeError("Sites are mounted before the emulator starts.")
        self._mounts.extend(mounts)

    @property
    def rpcs(self) -> frozenset[str]:
        """Names of the platform's RPCs that are served."""
        return frozenset({*self._handlers(), "ProcessRunnerItems"})

    async def __aenter__(self) -> Emulator:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen, create what every account begins with, and the topology. Raises ``ConfigError``."""
        for warning in (*security_warnings(self.config), owner_warning(self.accounts, self.config.user_id)):
            if warning:
                log.warning("%s", warning)
        self._holding.enter_context(while_held(self.clock.held))
        try:
            restored = self._restore()
            await self._uploads.sweep()
            self.sent.sweep(
                source.path for source in self.store.list(Kind.SOURCE) if isinstance(source, ModelSource)
            )
            await self._listen()
            self.resume_builds()  # before replicas are started of what has to be built first
            self.supervisor.start()
            await self._furnish(restored=restored)
            self.commit()
            self._keep_topology()
            self._is_ready = True
        except BaseException:
            await self.stop()
            raise

    async def warm_up(self) -> None:
        """Import the SDK for models of this Python environment now, so that the first deployment need not wait for
        it. Where that fails, the first deployment tries again, and says what is wrong."""
        backend = self.backends.get(self.config.backend)
        if isinstance(backend, ProcessBackend):
            with contextlib.suppress(ModelError):
                await backend.warm(Path(sys.executable))
        elif isinstance(backend, DockerBackend):
            try:
                await backend.warm()
            except ModelError as error:
                log.warning("%s", error)

    async def stop(self) -> None:
        """End every replica, close every port, remove every temporary file. May be called twice."""
        if self._chain is not None:
            self._chain.is_stopping = True
        self._holding.close()
        await self._ports.close_public()
        await self._uploads.stop()
        await self.supervisor.stop(grace=self.config.stop_seconds)
        await self.debuggers.close()
        await self._ports.close()
        await asyncio.gather(*(backend.close() for backend in self.backends.values()))
        self.backends.clear()
        if self._parent is not None:  # of a start that went wrong before it was needed
            self._parent.close()
            self._parent = None
        self._uploads.files.close()
        self.sent.close()
        if self._state is not None:
            self._state.close()

    def commit(self) -> None:
        """Make lasting what has changed, where a state directory was given. Raises ``sqlite3.Error``."""
        if self._state is not None:
            self._state.commit()

    def keep_logs(self) -> None:
        """The same for log lines, which are otherwise written a moment after they came."""
        if self._state is not None:
            self._state.keep_logs()

    async def reset(self, *, keep_warm: bool = False) -> None:
        """Forget every resource, replica, log, event and fault; begin again as after ``start``, at the same
        address. ``keep_warm``: replicas that are idle go on, and serve the next deployment of the same code."""
        self.faults.clear()
        await self._uploads.stop()
        self.reloader.clear()
        await self.supervisor.reset(keep_warm=keep_warm)
        self.store.reset()
        self._uploads.files.clear()
        self.dispatcher.reset(keep={record.runner.id for record in self.replicas.parked})
        self.capacity.reset()
        await self.debuggers.close()
        self.logbook.clear()
        self.events.clear()
        await self._furnish()
        if self._state is not None:
            self._state.replace()
        self._keep_topology()

    def resume_builds(self) -> None:
        """Go on with versions that another emulator left unbuilt: of a state that was restored or imported."""
        self._uploads.resume()

    async def apply(self, *files: Path) -> None:
        """Create what these topology files name, on top of what is there. Raises ``ConfigError``."""
        await self._topology.add(files, log.info)

    async def reload_topology(self) -> TopologyOutcome:
        """The topology files that it was started with may have changed: apply what is different in them."""
        outcome = await self._topology.edit(self.config.topology, log.info)
        self.commit()
        self._keep_topology()
        return outcome

    def decide(self, ask: Ask) -> Decision:
        """Where a request would go. Raises ``RoutingError``."""
        return self._router.decide(ask)

    def is_settled(self, ask: Ask) -> bool:
        """Whether the decision for a request does not depend on how busy things are."""
        return self._router.is_settled(ask)

    def route(self, ask: Ask) -> tuple[Decision, Lane]:
        """Decide where a request goes, and give the queue it waits in."""
        decision = self.decide(ask)
        if decision.deployment is not None:
            return decision, self.dispatcher.lane(LaneKey(*decision.deployment, decision.version_id))
        if decision.runner_id:
            link = self.dispatcher.runner(decision.runner_id)
            if link is not None:
                return decision, link.lane
        lane = self.supervisor.use_shared(decision.nodepools[0], decision.model, decision.version_id)
        return decision, lane

    async def _listen(self) -> None:
        authenticator = self.authenticator
        admissions = Admissions(
            dispatcher=self.dispatcher,
            authenticator=authenticator,
            store=self.store,
            adopt=self.supervisor.adopt,
            organisations=self.accounts.organisations,
        )
        chain = self._chain = RequestChain(
            authenticator=authenticator,
            events=self.events,
            clock=self.clock,
            injector=self._injector,
            commit=self.commit,
        )
        replicas = RunnerItems(self.dispatcher, admissions.admit_replica)
        runners = RunnerItems(self.dispatcher, admissions.admit_anyone)
        handlers = self._handlers()
        pages = [mount for mount in self._mounts if isinstance(mount, HttpMount)]
        services = [mount.find for mount in self._mounts if isinstance(mount, GrpcMount)]
        find, http = self._api(handlers, chain, pages)
        self.port = await self._ports.open_public(runners.find, *services, find, http=http)
        replica_port = await self._ports.open(_REPLICA_HOST, replicas.find)
        self.replicas.outfitter.runner_url = f"http://{_REPLICA_HOST}:{replica_port}"
        self.replicas.outfitter.api_base = self.url
        parent, self._parent = self._parent, None
        self.backends["process"] = ProcessBackend(
            api_base=self.url,
            start_method=self.config.start_method,
            cache_dir=self.config.cache_dir,
            parent=parent,
            environ=self.config.environ,
        )
        self.backends["inprocess"] = InProcessBackend(api_base=self.url)

        async def listen(meeting: Meeting) -> int:
            """Where containers find their work, and the API for what their models call."""
            if meeting.is_exposed and not self.config.knows_tokens:
                return await self._ports.open(meeting.listen, exposed(replicas.find))
            inner, site = self._api(contained(handlers), chain, is_for_containers=True)
            return await self._ports.open(
                meeting.listen, replicas.find, inner, early=meeting.may_come_later, http=site
            )

        self.backends["docker"] = DockerBackend(self.config.docker, listen=listen, environ=self.config.environ)

    def _api(
        self,
        handlers: Mapping[str, Handler],
        chain: RequestChain,
        further: Sequence[HttpMount] = (),
        *,
        is_for_containers: bool = False,
    ) -> tuple[Find, HttpSites]:
        """Make the platform's API over gRPC and over HTTP, there with ``further`` sites in front of it."""
        platform = PlatformSites(
            handlers,
            HttpCalls(chain, self.interceptors),
            config=self.config,
            organisations_of=partial(users.organisations_of, self.resources),
            url=lambda: self.url,
            is_ready=lambda: self._is_ready,
            run=self.run_id,
        )
        http = HttpSites(
            [*further, *platform.mounts()],
            config=self.config,
            on_odd=self._odd_client,
            is_for_containers=is_for_containers,
        )
        return intercepted(ApiHandlers(handlers, chain).find, self.interceptors), http

    def _note_written(self, directory: Path, files: Sequence[str]) -> None:
        said = are_the_models_own(files)
        self.events.emit("dev.ignored", directory=str(directory), files=list(files), message=f"{said}.")

    def _handlers(self) -> dict[str, Handler]:
        """Every RPC the emulator has; the others answer UNIMPLEMENTED."""
        inference = Inference(
            route=self.route,
            events=self.events,
            config=self.config,
            clock=self.clock,
            injector=self._injector,
            watch=Watch(mode=self.config.contract, find_version=self._find_version, events=self.events),
            text_of_call=CallTexts(self.store).of,
        )
        return {
            **resource_rpcs.handlers(self.resources),
            **uploads.handlers(
                self.resources,
                self._uploads.files,
                self._uploads.start,
                max_bytes=self.config.max_upload_bytes,
            ),
            **catalogue.handlers(self.catalogue),
            **logs.handlers(self.logbook, self.accounts.organisations, self.keep_logs),
            **inference.handlers(),
        }

    def _find_version(self, model: tuple[str, str, str], version_id: str) -> Any:
        return self.store.get(Kind.MODEL_VERSION, (*model, version_id))

    def _local_instance(self) -> Any:
        machine = measure_machine()
        devices = [(device.name, device.memory) for device in self.discovery.accelerators]
        return local_instance_type(machine.cpus, machine.memory, devices)

    def _restore(self) -> bool:
        """Put what the state directory holds into the store; whether that is anything. Raises ``ConfigError``."""
        if self.config.state is None:
            return False
        # SQLite is for those who ask for it.
        from clarifai_emulator.deploy.topology_kept import KeptTopology
        from clarifai_emulator.state.kept_state import KeptState

        self._state = KeptState(self.config.state, self.store, self.resources.table, self.logbook)
        self._kept_topology = KeptTopology(self._state)
        return self._state.open() > 0

    async def _furnish(self, *, restored: bool = False) -> None:
        for user in self.accounts.users:
            self.resources.add_user(user)
        self.furnisher.furnish()
        self._topology.forget()
        if not self.config.topology:
            return
        if restored and self._kept_topology is not None:
            outcome = await self._topology.resume(self.config.topology, self._kept_topology.load(), log.info)
            if outcome.state == "unchanged":
                log.info("The topology is what was applied to the state in %s: nothing to do.", self.config.state)
            else:
                log.info("The topology differs from what was applied to the state: %s", outcome.message)
        else:
            self.faults.clear()  # whatever was added meanwhile
            await self._topology.begin(self.config.topology, log.info)

    def _keep_topology(self) -> None:
        """Note what the next start compares the files with: after the commit of what they made. Without files,
        what an earlier run noted stays."""
        if self._kept_topology is not None and self.config.topology:
            self._kept_topology.save(self._topology.applied)

    def _odd_client(self, kind: str, what: str) -> None:
        # A query may hold a key.
        self.events.emit(f"connection.{kind}", what=what.partition("?")[0] if kind == "http" else what)
