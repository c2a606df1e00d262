"""Builds an emulator out of its halves, starts it, stops it. The one place where everything is wired.

    async with Emulator(EmulatorConfig(port=0)) as emulator:
        await emulator.deployer.deploy(DeployRequest(path=Path("my-model")), print)

    nodepools (replicas, routing) ─► resources ─► API
                                         └─► deploying (deployer, dev loop, uploads, topology), once it is asked for

Each half is given all it needs when it is made. ``thread.EmulatorThread`` is the same for code without an event
loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clarifai_emulator.api.access.accounts import accounts_of, owner_warning, security_warnings
from clarifai_emulator.api.access.auth import Authenticator
from clarifai_emulator.api.access.issued_keys import IssuedKeys
from clarifai_emulator.api.access.replica_callers import find_replica_caller
from clarifai_emulator.api.call import Interceptor, Step
from clarifai_emulator.api.platform_api import ApiParts, PlatformApi
from clarifai_emulator.api.transport.mounts import Mount
from clarifai_emulator.backend_table import BACKENDS
from clarifai_emulator.backends.backend import Surroundings
from clarifai_emulator.backends.debugging.prompt_holds import while_held
from clarifai_emulator.backends.made import Backends
from clarifai_emulator.backends.process.parent import Parent
from clarifai_emulator.background_work import PartFailure, PartFailures
from clarifai_emulator.catalogue import Catalogue, local_instance_type
from clarifai_emulator.clock import Clock, PausableClock, SystemClock
from clarifai_emulator.config import ANY_TOKEN, EmulatorConfig
from clarifai_emulator.deploy.first_compute import FirstCompute
from clarifai_emulator.dispatch.dispatcher import Dispatcher
from clarifai_emulator.dispatch.substitutes import Substitutes
from clarifai_emulator.events import EventBus
from clarifai_emulator.faults import Faults
from clarifai_emulator.logbook import LogBook
from clarifai_emulator.machine.accelerators import Discovery
from clarifai_emulator.machine.inventory import take_inventory
from clarifai_emulator.machine.machine import Machine, measure_machine
from clarifai_emulator.machine.pools import Pools
from clarifai_emulator.models.artifact_files import ArtifactFiles
from clarifai_emulator.models.sent import SentDirectories
from clarifai_emulator.models.uploaded import UploadedFiles
from clarifai_emulator.models.version_source import ModelSource
from clarifai_emulator.models.versions import build_failed
from clarifai_emulator.models.written import WrittenFiles, are_the_models_own
from clarifai_emulator.nodepools.capacity import Capacity
from clarifai_emulator.nodepools.launch_spec import Addresses
from clarifai_emulator.nodepools.nodepools import NodepoolParts, Nodepools
from clarifai_emulator.nodepools.replicas import Replicas
from clarifai_emulator.nodepools.supervisor import Supervisor
from clarifai_emulator.replica_tokens import is_replica_token
from clarifai_emulator.reset import Resetter, Scope
from clarifai_emulator.resources.kind_table import ROWS
from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.resources.rows import Record
from clarifai_emulator.routing import Ask, Decision
from clarifai_emulator.routing.decision import ModelKey
from clarifai_emulator.store import Key, Kind, Store

if TYPE_CHECKING:
    from clarifai_emulator.backends.docker.engine import Meeting
    from clarifai_emulator.deploy.deployer import Deployer
    from clarifai_emulator.deploy.provision import Provisioner
    from clarifai_emulator.deploy.topology_edits import TopologyOutcome
    from clarifai_emulator.deploy.topology_kept import KeptTopology
    from clarifai_emulator.deploy.undeployer import Undeployer
    from clarifai_emulator.deploy_half import Deploying
    from clarifai_emulator.reload.reloader import Reloader
    from clarifai_emulator.state.kept_state import KeptState

log = logging.getLogger(__name__)


class Emulator:
    """An emulated platform. ``url`` is its base URL once it has started. Raises ``ConfigError`` for a pats file
    that cannot be used. ``discovery``: the accelerators to use instead of those of this machine. ``parent``: an
    already started warm parent to adopt. ``rows``: the kinds of resource. ``steps``: further steps of
    every request, behind those of ``api/chain.py``."""

    def __init__(
        self,
        config: EmulatorConfig | None = None,
        *,
        clock: Clock | None = None,
        discovery: Discovery | None = None,
        parent: Parent | None = None,
        rows: Sequence[Record] = ROWS,
        steps: Sequence[Step] = (),
    ) -> None:
        self.config = config or EmulatorConfig()
        self.clock = PausableClock(clock or SystemClock())
        self.events = EventBus(self.clock)
        self.logbook = LogBook(now=self.clock.now)
        self.store = Store()
        self.discovery = discovery or take_inventory(
            self.config.accelerators, visible=os.environ.get("CUDA_VISIBLE_DEVICES")
        )
        machine = measure_machine().having(self.discovery)
        self.catalogue = Catalogue(_instance_type_of(machine))
        self.accounts = accounts_of(self.config)
        self._run_token = self.config.run_token or f"{ANY_TOKEN}-{secrets.token_hex(16)}"
        self.faults = Faults(events=self.events, user_id=self.config.user_id)
        self._written = WrittenFiles(self._note_written)
        self.failures = PartFailures(self._note_failure)
        self._hosted: set[ModelKey] = set()
        self.backends = Backends(self._surroundings(machine, parent))
        self.nodepools = self._nodepools()
        self.accelerators = self.nodepools.pools.of(machine)
        self.resources = Resources(
            store=self.store,
            clock=self.clock,
            organisations=self.accounts.organisations,
            catalogue=self.catalogue,
            metrics=self.nodepools.metrics,
            rows=rows,
            behaviour=self.config.behaviour,
        )
        self.first_compute = FirstCompute(self.resources, self.catalogue)
        data_dir = self.config.data_dir
        self._uploaded = UploadedFiles(data_dir and data_dir / "uploaded-versions")
        self._artifacts = ArtifactFiles(data_dir and data_dir / "artifacts")
        self._artifacts.follow(self.store)
        self.sent = SentDirectories(
            data_dir and data_dir / "sent-directories", max_bytes=self.config.max_upload_bytes
        )
        self._deploying: Deploying | None = None
        self._resetter = Resetter(
            faults=self.faults,
            deploying=lambda: self._deploying,
            uploaded=self._uploaded,
            artifacts=self._artifacts,
            nodepools=self.nodepools,
            store=self.store,
            hosted=self._hosted,
            logbook=self.logbook,
            events=self.events,
            forget_calls=lambda owns: self.api.kept_calls.forget(owns),
        )
        # Names this run of it to whoever asks for its health; it opens nothing.
        self.run_id = secrets.token_hex(8)
        self.authenticator = self._authenticator()
        self._state, self._kept_topology = self._kept()
        self.api = self._api(steps)
        self._holding = contextlib.ExitStack()  # while somebody debugs a model of this process
        self._is_ready = False

    def _surroundings(self, machine: Machine, parent: Parent | None) -> Surroundings:
        return Surroundings(
            config=self.config,
            machine=machine,
            api_base=self._api_base,
            listen=self._listen_for_containers,
            parent=parent,
        )

    def _nodepools(self) -> Nodepools:
        return Nodepools(
            NodepoolParts(
                config=self.config,
                store=self.store,
                events=self.events,
                logbook=self.logbook,
                clock=self.clock,
                backends=self.backends,
                addresses=Addresses(self._runner_url, self._api_base),
                capacity=Capacity(overcommits=not self.config.strict_capacity),
                can_see=self.accounts.organisations.can_see,
                pools=Pools(),
                written=self._written,
                hosted=self._hosted,
                hold=self.clock.held,
                on_failure=self.failures.note,
            )
        )

    @property
    def deploying(self) -> Deploying:
        """Return what brings the code of models into nodepools, and takes it out again."""
        if self._deploying is None:
            # Imported when it is asked for: it is a third of all imports, and `up` listens without it.
            from clarifai_emulator.deploy_half import Deploying, DeployingParts

            self._deploying = Deploying(
                DeployingParts(
                    config=self.config,
                    resources=self.resources,
                    nodepools=self.nodepools,
                    backends=self.backends,
                    catalogue=self.catalogue,
                    events=self.events,
                    logbook=self.logbook,
                    clock=self.clock,
                    faults=self.faults,
                    written=self._written,
                    uploaded=self._uploaded,
                    hosted=self._hosted,
                    commit=self.commit,
                )
            )
        return self._deploying

    def _kept(self) -> tuple[KeptState, KeptTopology] | tuple[None, None]:
        """Return what keeps resources and topology files beyond this process, if a directory was given for that."""
        if self.config.data_dir is None:
            return None, None
        # SQLite is for those who ask for it.
        from clarifai_emulator.deploy.topology_kept import KeptTopology
        from clarifai_emulator.state.kept_state import KeptState

        state = KeptState(
            self.config.data_dir,
            self.store,
            self.resources.table,
            self.logbook,
            is_synced=self.config.durability == "machine",
        )
        return state, KeptTopology(state)

    def _authenticator(self) -> Authenticator:
        return Authenticator(
            user_id=self.config.user_id,
            callers=self.accounts.callers,
            is_replica=is_replica_token,
            find_replica=find_replica_caller(self.nodepools.dispatcher.credential, self.config.replica_access),
            find_key=IssuedKeys(self.store).find,
            now=self.clock.now,
            run_token=self._run_token,
        )

    @property
    def pat(self) -> str:
        """Return a token for its own user's clients: one that the user named if there are any, an unlimited one
        before others; where any is taken, the one of this run, which containers of theirs that come as another user
        (`clarifai model serve --mode container`) may bring, too."""
        callers, user = self.accounts.callers, self.config.user_id

        def rank(token: str) -> tuple[bool, bool, bool]:
            caller = callers[token]
            return caller.user_id != user, caller.scopes is not None, caller.expires_at is not None

        return min(callers, key=rank, default=self._run_token)

    def issue_pat_of_threads(self) -> str:
        """Return a further token like those of replicas, of the emulator's own user: for threads of this process of
        which nobody knows whose model started them."""
        return self.dispatcher.issue_credential((self.config.user_id, "", "", "")).token

    def _api(self, steps: Sequence[Step]) -> PlatformApi:
        return PlatformApi(
            ApiParts(
                config=self.config,
                store=self.store,
                events=self.events,
                logbook=self.logbook,
                clock=self.clock,
                resources=self.resources,
                accounts=self.accounts,
                authenticator=self.authenticator,
                catalogue=self.catalogue,
                faults=self.faults,
                nodepools=self.nodepools,
                uploaded=self._uploaded,
                start_build=self._start_build,
                artifacts=self._artifacts,
                commit=self._state.commit if self._state is not None else None,
                keep_logs=self.keep_logs,
                is_ready=lambda: self._is_ready,
                run_id=self.run_id,
                steps=steps,
            )
        )

    @property
    def url(self) -> str:
        """Return the base URL for ``CLARIFAI_API_BASE``."""
        return self.api.url

    @property
    def port(self) -> int:
        """Return the public port, once it listens."""
        return self.api.port

    @property
    def interceptors(self) -> list[Interceptor]:
        """Return the interceptors of every RPC, from the next call on (``api/taps.py``)."""
        return self.api.interceptors

    @property
    def substitutes(self) -> Substitutes:
        """Return what answers methods of models in the place of their replicas."""
        return self.api.substitutes

    def mount(self, *mounts: Mount) -> None:
        """Serve these sites too, beside the platform's API and at the same address. They take their requests before
        the platform's own sites do. Raises ``RuntimeError`` once it listens."""
        self.api.mount(*mounts)

    @property
    def rpcs(self) -> frozenset[str]:
        """Return the names of the platform's RPCs that are served."""
        return self.api.rpcs

    @property
    def supervisor(self) -> Supervisor:
        """Return the supervisor of the replicas."""
        return self.nodepools.supervisor

    @property
    def replicas(self) -> Replicas:
        """Return the replicas."""
        return self.nodepools.replicas

    @property
    def capacity(self) -> Capacity:
        """Return the room in the nodepools."""
        return self.nodepools.capacity

    @property
    def dispatcher(self) -> Dispatcher:
        """Return the queues of the deployments."""
        return self.nodepools.dispatcher

    @property
    def deployer(self) -> Deployer:
        """Return what deploys model directories."""
        return self.deploying.deployer

    @property
    def undeployer(self) -> Undeployer:
        """Return what takes deployments away."""
        return self.deploying.undeployer

    @property
    def reloader(self) -> Reloader:
        """Return the dev loop."""
        return self.deploying.reloader

    @property
    def provisioner(self) -> Provisioner:
        """Return what creates the resources that topology files name."""
        return self.deploying.provisioner

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
        self.failures.watch(asyncio.get_running_loop())
        try:
            restored = self._restore()
            await asyncio.to_thread(self._uploaded.sweep, self._built_or_to_be_built())
            self._artifacts.sweep(self.store.keys(Kind.ARTIFACT_VERSION))
            self.sent.sweep(
                source.path for source in self.store.list(Kind.SOURCE) if isinstance(source, ModelSource)
            )
            await self.api.listen()
            if restored:
                self.resume_builds()  # before replicas are started of what has to be built first
            self.supervisor.start()
            await self._provision(restored=restored)
            self.commit()
            self._keep_topology()
            self._is_ready = True
        except BaseException:
            await self.stop()
            raise

    def _built_or_to_be_built(self) -> list[Key]:
        """Return the keys of the versions whose files are needed: not those that could not be built."""
        versions = ((key, self.store.get(Kind.MODEL_VERSION, key)) for key in self.store.keys(Kind.MODEL_VERSION))
        return [key for key, version in versions if version is not None and not build_failed(version)]

    async def warm_up(self) -> None:
        """Import the SDK for models of this Python environment now, so that the first deployment need not wait for
        it. Where that fails, the first deployment tries again, and says what is wrong."""
        await asyncio.to_thread(BACKENDS[self.config.backend].load)
        await self.backends[self.config.backend].warm()

    async def stop(self) -> None:
        """End every replica, close every port, remove every temporary file. May be called twice."""
        self._holding.close()
        await self.api.close_public()
        if self._deploying is not None:
            await self._deploying.uploads.stop()
        await self.nodepools.stop(grace=self.config.stop_seconds)
        await self.api.close()
        await self.backends.close()
        self._uploaded.close()
        self._artifacts.close()
        self.sent.close()
        if self._state is not None:
            self._state.close()
        self.failures.stop()

    def commit(self) -> None:
        """Write what has changed to the state directory, if one was given. Raises ``CallerError``
        where that cannot be, and has undone it."""
        if self._state is not None:
            self._state.commit()

    def keep_logs(self) -> None:
        """Write log lines to the state directory now, which are otherwise written a moment after they came."""
        if self._state is not None:
            self._state.keep_logs()

    async def reset(self, scope: Scope | None = None, *, keep_warm: bool = False) -> None:
        """Forget what is in scope, by default everything, and begin again as after ``start``, at the same address.
        ``keep_warm``: replicas that are idle go on, and serve the next deployment of the same code."""
        await self._resetter.reset(scope or Scope(self._begin_again, keep_warm=keep_warm))

    async def _begin_again(self) -> None:
        await self._provision()
        if self._state is not None:
            self._state.replace()
        self._keep_topology()

    def resume_builds(self) -> None:
        """Go on with versions that another emulator left unbuilt: of a state that was restored or imported."""
        self.deploying.uploads.resume()

    async def apply(self, *files: Path) -> None:
        """Create what these topology files name, on top of what is there. Raises ``ConfigError``."""
        await self.deploying.topology.add(files, log.debug)

    async def reload_topology(self) -> TopologyOutcome:
        """Apply the changes in the topology files that the emulator was started with."""
        outcome = await self.deploying.topology.edit(self.config.topology, log.info)
        self.commit()
        self._keep_topology()
        return outcome

    def decide(self, ask: Ask) -> Decision:
        """Decide where a request would go. Raises ``RoutingError``."""
        return self.nodepools.router.decide(ask)

    def is_settled(self, ask: Ask) -> bool:
        """Tell whether the decision for a request does not depend on how busy things are."""
        return self.nodepools.router.is_settled(ask)

    async def _listen_for_containers(self, meeting: Meeting) -> int:
        return await self.api.listen_for_containers(meeting)

    def _api_base(self) -> str:
        return self.api.url

    def _runner_url(self) -> str:
        return self.api.runner_url

    def _start_build(self, version: Key) -> None:
        self.deploying.uploads.start(version)

    def _note_written(self, directory: Path, files: Sequence[str]) -> None:
        said = are_the_models_own(files)
        self.events.emit("dev.ignored", directory=str(directory), files=list(files), message=f"{said}.")

    def _note_failure(self, failure: PartFailure) -> None:
        self.events.emit("emulator.failed", part=failure.part, reason=failure.reason)

    def _restore(self) -> bool:
        """Put what the state directory holds into the store; return whether that is anything. Raises
        ``ConfigError``."""
        return self._state is not None and self._state.open() > 0

    async def _provision(self, *, restored: bool = False) -> None:
        for user in self.accounts.users:
            self.resources.add_user(user)
        self.first_compute.provide_shared()
        self.first_compute.provide_machine(self.config.user_id)
        if self._deploying is not None:
            self._deploying.topology.forget()
        if not self.config.topology:
            return
        topology = self.deploying.topology
        if restored and self._kept_topology is not None:
            outcome = await topology.resume(self.config.topology, self._kept_topology.load(), log.info)
            if outcome.state == "unchanged":
                log.info(
                    "The topology is what was applied to the state in %s: nothing to do.", self.config.data_dir
                )
            else:
                log.info("The topology differs from what was applied to the state: %s", outcome.message)
        else:
            self.faults.clear()  # whatever was added meanwhile
            await topology.begin(self.config.topology, log.info)

    def _keep_topology(self) -> None:
        """Note what the next start compares the files with: after the commit of what they made. Without files, what
        an earlier run noted stays."""
        if self._kept_topology is not None and self.config.topology:
            self._kept_topology.save(self.deploying.topology.applied)


def _instance_type_of(machine: Machine) -> Any:
    """Return the instance type ``local``: what this machine has."""
    devices = [(device.name, device.memory) for device in machine.accelerators]
    return local_instance_type(machine.cpus, machine.memory, devices)
