"""Deploys a model directory, step by step, with progress.

    request ─► nodepool ─► version (``publisher``) ─► debugger ─► deployment (``deployment_orders``) ─► a replica
    serves (``readiness``)

Each step may end it; what served before goes on then (``going_live``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from clarifai_grpc.grpc.api.resources_pb2 import ModelVersion, Nodepool

from clarifai_emulator.backends.debugging.debugpy_files import folder_of_debugpy
from clarifai_emulator.backends.made import Backends
from clarifai_emulator.catalogue import Catalogue
from clarifai_emulator.clock import Clock
from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.contracts.saved_workflows import SavedWorkflows
from clarifai_emulator.deploy.code_preparation import CodePreparation
from clarifai_emulator.deploy.compute_needs import ComputeNeeds
from clarifai_emulator.deploy.deploy_request import Deployed, DeployRequest
from clarifai_emulator.deploy.deployment_orders import DeploymentOrders
from clarifai_emulator.deploy.going_live import Change, GoingLive
from clarifai_emulator.deploy.model_versions import ModelVersions
from clarifai_emulator.deploy.nodepool_choice import DeployNodepools
from clarifai_emulator.deploy.pinned_versions import PinnedVersions
from clarifai_emulator.deploy.preconditions import Preconditions, lacks_of, require_bounds, require_debuggable
from clarifai_emulator.deploy.publisher import Published, Publisher
from clarifai_emulator.deploy.readiness import LACKING_SECONDS, ROOM_SECONDS, DeployWait, Overtaken, Patience
from clarifai_emulator.dispatch.lane import LaneKey
from clarifai_emulator.errors import CallerError, EmulatorError
from clarifai_emulator.events import EventBus
from clarifai_emulator.logbook import LogBook
from clarifai_emulator.messages.address import DeploymentKey
from clarifai_emulator.models.directory import ModelDirectory, read_model_directory
from clarifai_emulator.models.progress import Progress
from clarifai_emulator.models.version_source import ModelSource
from clarifai_emulator.models.written import WrittenFiles
from clarifai_emulator.nodepools.debuggers import Debuggers
from clarifai_emulator.nodepools.supervisor import Supervisor
from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.store import Key, Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployerParts:
    """Gather what deploys share with the rest of an emulator. ``written``: what models write into their
    directories."""

    config: EmulatorConfig
    resources: Resources
    supervisor: Supervisor
    catalogue: Catalogue
    backends: Backends
    events: EventBus
    logbook: LogBook
    clock: Clock
    debuggers: Debuggers
    written: WrittenFiles


class Deployer:
    """Deploys model directories into one emulator. ``code``, ``needs``, ``versions``, ``publisher`` and
    ``deployments`` do single steps of it."""

    def __init__(self, parts: DeployerParts) -> None:
        config, resources, supervisor = parts.config, parts.resources, parts.supervisor
        self._config = config
        self._store = resources.store
        self._supervisor = supervisor
        self._events = parts.events
        self._clock = parts.clock
        self._debuggers = parts.debuggers
        self._nodepools = DeployNodepools(
            config=config,
            resources=resources,
            catalogue=parts.catalogue,
            elsewhere=parts.backends.machines_elsewhere,
        )
        self.needs = ComputeNeeds(self._nodepools, is_strict=config.strict_capacity)
        self.code = CodePreparation(
            backends=parts.backends, default_backend=config.backend, written=parts.written, logbook=parts.logbook
        )
        self.versions = ModelVersions(
            user_id=config.user_id,
            resources=resources,
            needs=self.needs,
            pinned=PinnedVersions(self._store, supervisor),
            workflows=SavedWorkflows(mode=config.contract, resources=resources, events=parts.events),
        )
        self.publisher = Publisher(
            user_id=config.user_id,
            default_backend=config.backend,
            store=self._store,
            code=self.code,
            needs=self.needs,
            versions=self.versions,
            serves=supervisor.serves,
        )
        self.deployments = DeploymentOrders(user_id=config.user_id, resources=resources, nodepools=self._nodepools)
        self._before = Preconditions(supervisor=supervisor, nodepools=self._nodepools, needs=self.needs)
        self._live = GoingLive(resources=resources, supervisor=supervisor)
        self._wait = DeployWait(supervisor=supervisor, events=parts.events, clock=parts.clock)

    async def deploy(self, request: DeployRequest, progress: Progress) -> Deployed:
        """Do every step. Raises ``ModelError`` or ``CallerError`` with what to mend; what served before goes on
        then."""
        started = self._clock.monotonic()
        require_bounds(request)
        nodepool = self._nodepools.of_request(request)
        backend = self._nodepools.backend(nodepool, request.instance)
        require_debuggable(request, backend)
        await self.code.meet(backend)
        published = await self._published(request, nodepool, backend, progress)
        model, version_id = published.model, published.version_id
        missing_gpu = self._missing_gpu(published.directory, request)
        deployment = self.deployments.key(request, model)
        change = Change((*model, version_id), published.is_new)
        with self._live.or_back(deployment, change), self._live.undone_if_cancelled(deployment, change):
            lane = LaneKey(deployment[0], deployment[1], version_id)
            must_restart = await self._debug(request, deployment, change.version)
            if request.stop_first:
                self._supervisor.stop_first(deployment)
            change.told = self.deployments.put(request, model, version_id, nodepool)
            if must_restart:
                self._supervisor.scale_to_zero(lane, "another one takes its place, which can be debugged")
            progress(f"deployment {deployment[1]} in nodepool {nodepool[2]} of cluster {nodepool[1]}")
            await self._serve(request, change.version, lane, progress)
        return self._deployed(request, published, deployment, nodepool, missing_gpu, started)

    async def _published(
        self, request: DeployRequest, nodepool: Key, backend: str, progress: Progress
    ) -> Published:
        """Make the version. An error says what is there of the deployment all the same."""
        try:
            return await self.publisher.publish(
                request.path,
                request.model,
                progress,
                backend,
                request.watched,
                user_id=request.user_id,
                pin=request.version_id,
                is_deployed=True,
                instance=request.instance,
                before_build=partial(self._before.before_build, request, nodepool, progress),
            )
        except EmulatorError as error:
            deployment = await self._meant_by(request)
            raise self._live.said(error, deployment) if deployment is not None else error from None

    async def _meant_by(self, request: DeployRequest) -> DeploymentKey | None:
        """Return the deployment that a request is about; None where its directory does not say."""
        try:
            directory = await asyncio.to_thread(read_model_directory, request.path)
            return self._deployment_of(request, directory)
        except EmulatorError:
            return None

    def _deployment_of(self, request: DeployRequest, directory: ModelDirectory) -> DeploymentKey:
        model = self.publisher.model_key(directory, request.model, request.user_id)
        return self.deployments.key(request, model)

    def _missing_gpu(self, directory: ModelDirectory, request: DeployRequest) -> Sequence[str]:
        """Say, also as an event, that a model runs without the GPU that its config.yaml names."""
        texts = self.needs.missing_gpu(directory, request.instance)
        for text in texts:
            user, deployment = self._deployment_of(request, directory)
            self._events.emit("deployment.overcommitted", reason=text, user_id=user, deployment_id=deployment)
        return texts

    async def _debug(self, request: DeployRequest, deployment: DeploymentKey, version: Key) -> bool:
        """Open or close the port of its debugger; tell whether replicas that it has already cannot be debugged
        yet."""
        if request.debugging is not None:
            # Before anything is changed.
            folder_of_debugpy(self._source(version).python, self._config.cache_dir)
        return await self._debuggers.want(deployment, request.debugging)

    async def _serve(self, request: DeployRequest, version: Key, lane: LaneKey, progress: Progress) -> None:
        """Wait for a replica, where one is to be started. Raises ``CallerError``."""
        is_replacing = self._supervisor.rollouts.get(lane[:2]) is not None
        if not request.wait or not (request.min_replicas or is_replacing):
            return
        lacks = await lacks_of(self._source(version))
        try:
            await self._wait.until_ready(lane, self._patience(request, is_hopeful=not lacks), progress)
        except CallerError as error:
            if not lacks or isinstance(error, Overtaken):
                raise
            raise CallerError(error.code, error.details, hint=" ".join(lacks)) from None

    def _patience(self, request: DeployRequest, *, is_hopeful: bool) -> Patience:
        if request.wait_seconds is not None:
            return Patience(request.wait_seconds, request.wait_seconds)
        if not is_hopeful:
            return Patience(LACKING_SECONDS, LACKING_SECONDS)
        return Patience(self._config.request_seconds, ROOM_SECONDS)

    def _deployed(
        self,
        request: DeployRequest,
        published: Published,
        deployment: DeploymentKey,
        nodepool: Key,
        missing_gpu: Sequence[str],
        started: float,
    ) -> Deployed:
        model, version_id = published.model, published.version_id
        version: ModelVersion = self._store.get(Kind.MODEL_VERSION, (*model, version_id))  # pyright: ignore[reportAssignmentType]
        place: Nodepool = self._store.get(Kind.NODEPOOL, nodepool)  # pyright: ignore[reportAssignmentType]
        overcommitment = self.needs.overcommitment(model, version, place)
        return Deployed(
            model=model,
            version_id=version_id,
            is_new_version=published.is_new,
            user_id=deployment[0],
            deployment_id=deployment[1],
            compute_cluster_id=nodepool[1],
            nodepool_id=nodepool[2],
            environment=self._source((*model, version_id)).environment,
            seconds=self._clock.monotonic() - started,
            signatures=tuple(version.method_signatures),
            warnings=(*published.directory.warnings, *missing_gpu, *overcommitment),
            debug_port=self._debuggers.port(deployment),
            waits_for_debugger=request.debugging is not None and request.debugging.wait,
        )

    def _source(self, version: Key) -> ModelSource:
        source: ModelSource | None = self._store.get(Kind.SOURCE, version)
        return source  # pyright: ignore[reportReturnType]
