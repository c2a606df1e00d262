"""Deploys a model directory, step by step, with progress."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import (
    App,
    ComputeInfo,
    Deployment,
    Model,
    ModelVersion,
    Nodepool,
    Visibility,
)
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.backend_table import abilities_of
from clarifai_emulator.backends.backend import Backend, Debugging
from clarifai_emulator.backends.debugging.debugpy_files import folder_of_debugpy
from clarifai_emulator.backends.signature_answers import Signatures
from clarifai_emulator.catalogue import LOCAL_INSTANCE, Catalogue, without_accelerators
from clarifai_emulator.clock import Clock
from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.deploy.going_live import Change, GoingLive
from clarifai_emulator.deploy.nodepool_choice import DEFAULT_NODEPOOL, DeployNodepools
from clarifai_emulator.deploy.pinned_versions import PINNED, PinnedVersions
from clarifai_emulator.deploy.readiness import LACKING_SECONDS, ROOM_SECONDS, DeployWait, Overtaken, Patience
from clarifai_emulator.dispatch.lane import LaneKey
from clarifai_emulator.errors import CallerError, EmulatorError, ModelError, NoRoom
from clarifai_emulator.events import EventBus
from clarifai_emulator.logbook import BUILDER, LogBook
from clarifai_emulator.messages.address import DeploymentKey, ModelAddress, ModelKey, names_no_model, parse_address
from clarifai_emulator.models.directory import ModelDirectory, ModelSource, Watched, read_model_directory
from clarifai_emulator.models.needs import foreseen_needs, missing_needs
from clarifai_emulator.models.progress import Progress
from clarifai_emulator.models.requirements import required_names
from clarifai_emulator.models.versions import ON_TRIAL, TRAINED
from clarifai_emulator.models.written import WrittenFiles
from clarifai_emulator.nodepools.backend_choice import backend_of
from clarifai_emulator.nodepools.debuggers import Debuggers
from clarifai_emulator.nodepools.overcommit import doing_without_gpu, overcommitment
from clarifai_emulator.nodepools.scaling import MAX_REPLICAS as DEFAULT_MAX_REPLICAS
from clarifai_emulator.nodepools.supervisor import Supervisor
from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.store import Key, Kind, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployRequest:
    """The order of a deployment, and its place. Empty ids are chosen: the model's from config.yaml, the
    deployment's from the model's. ``instance``: an instance type; its nodepool is made if it is not there, and it
    is what the model asks for. ``min_replicas`` 0 starts nothing before the first request, unless something serves
    that it is to replace; ``max_replicas`` None is 5, or ``min_replicas`` where that is more. ``wait`` until a
    replica is ready, ``wait_seconds`` at most (None: as long as a request may take, but a minute for room that
    others hold). ``stop_first``: what serves is ended before the new one starts. ``must_fit``: refuse what can
    never start there, before anything is built. ``watched``: replicas are reloadable, and these files are their
    code. ``version_id``: which version the code is to be, over every edit of it; empty makes a new one of each.
    ``user_id``: whose account; the emulator's own user's if empty. ``debugging``: an editor may attach to its
    replica."""

    path: Path
    nodepool_id: str = DEFAULT_NODEPOOL
    instance: str = ""
    compute_cluster_id: str = ""
    deployment_id: str = ""
    model: str = ""  # USER/APP/models/ID, to deploy it under another name than config.yaml's
    min_replicas: int = 1
    max_replicas: int | None = None
    wait: bool = True
    wait_seconds: float | None = None
    stop_first: bool = False
    must_fit: bool = True
    watched: Watched | None = None
    version_id: str = ""
    user_id: str = ""
    debugging: Debugging | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """The result of ``deploy``. ``signatures`` are the version's ``MethodSignature`` messages."""

    model: ModelKey
    version_id: str
    is_new_version: bool
    user_id: str
    deployment_id: str
    compute_cluster_id: str
    nodepool_id: str
    environment: str
    seconds: float
    signatures: Sequence[Any] = field(default_factory=tuple)
    warnings: tuple[str, ...] = ()
    debug_port: int = 0  # where an editor attaches; 0 where none can
    waits_for_debugger: bool = False

    @property
    def model_url(self) -> str:
        """The model's address as the SDK takes it."""
        return ModelAddress(*self.model).url


class Deployer:
    """Deploys model directories into one emulator."""

    def __init__(
        self,
        *,
        config: EmulatorConfig,
        store: Store,
        resources: Resources,
        supervisor: Supervisor,
        catalogue: Catalogue,
        backends: Mapping[str, Backend],
        events: EventBus,
        logbook: LogBook,
        clock: Clock,
        debuggers: Debuggers,
        written: WrittenFiles,
    ) -> None:
        self._written = written
        self._config = config
        self._store = store
        self._resources = resources
        self._supervisor = supervisor
        self._backends = backends
        self._logbook = logbook
        self._clock = clock
        self._debuggers = debuggers
        self._nodepools = DeployNodepools(store=store, resources=resources, catalogue=catalogue)
        self._events = events
        self._wait = DeployWait(supervisor=supervisor, events=events, clock=clock)
        self._live = GoingLive(store=store, supervisor=supervisor)
        # Of code that was read once, whatever became of its version: the same code has the same methods.
        self._signatures: dict[ModelSource, Sequence[Any]] = {}
        self.pinned = PinnedVersions(store, supervisor)

    async def deploy(self, request: DeployRequest, progress: Progress) -> Deployed:
        """Do every step. Raises ``ModelError`` or ``CallerError`` with what to mend; what served before goes on
        then."""
        started = self._clock.monotonic()
        _require_bounds(request)
        nodepool = self._nodepool(request)
        _require_debuggable(request, self._backend(self._nodepools.message(nodepool, request.instance)))
        directory, key, version_id, is_new = await self._published(request, nodepool, progress)
        missing_gpu = self._missing_gpu(directory, request)
        deployment = self.deployment_key(request, key)
        change = Change((*key, version_id), is_new)
        with self._live.or_back(deployment, change), self._undone_if_cancelled(deployment, change):
            lane = LaneKey(deployment[0], deployment[1], version_id)
            must_restart = await self._debug(request, key, version_id)
            if request.stop_first:
                self._supervisor.stop_first(deployment)
            change.told = self._put_deployment(request, key, version_id, nodepool)
            if must_restart:
                self._supervisor.scale_to_zero(lane, "another one takes its place, which can be debugged")
            progress(f"deployment {deployment[1]} in nodepool {nodepool[2]} of cluster {nodepool[1]}")
            await self._serve(request, key, lane, progress)
        source: ModelSource = self._store.get(Kind.SOURCE, (*key, version_id))  # pyright: ignore[reportAssignmentType]
        version: ModelVersion = self._store.get(Kind.MODEL_VERSION, (*key, version_id))  # pyright: ignore[reportAssignmentType]
        return Deployed(
            model=key,
            version_id=version_id,
            is_new_version=is_new,
            user_id=deployment[0],
            deployment_id=deployment[1],
            compute_cluster_id=nodepool[1],
            nodepool_id=nodepool[2],
            environment=source.environment,
            seconds=self._clock.monotonic() - started,
            signatures=tuple(version.method_signatures),
            warnings=(*directory.warnings, *missing_gpu, *self._overcommitment(key, version, nodepool)),
            debug_port=self._debuggers.port(deployment),
            waits_for_debugger=request.debugging is not None and request.debugging.wait,
        )

    async def _debug(self, request: DeployRequest, model: ModelKey, version_id: str) -> bool:
        """Open or close the port of its debugger; whether replicas that it has already cannot be debugged yet."""
        if request.debugging is not None:
            source: ModelSource = self._store.get(Kind.SOURCE, (*model, version_id))  # pyright: ignore[reportAssignmentType]
            folder_of_debugpy(source.python, self._config.cache_dir)  # before anything is changed
        return await self._debuggers.want(self.deployment_key(request, model), request.debugging)

    @contextlib.contextmanager
    def _undone_if_cancelled(self, deployment: Key, change: Change) -> Generator[None]:
        """Whoever makes a deployment may go away before a replica serves: then there was none, unless somebody else
        has changed it since."""
        is_first = self._store.get(Kind.DEPLOYMENT, deployment) is None
        try:
            yield
        except asyncio.CancelledError:
            if is_first and self._store.get(Kind.DEPLOYMENT, deployment) is change.told:
                self._resources.delete(Kind.DEPLOYMENT, [deployment])
            raise

    async def _published(
        self, request: DeployRequest, nodepool: Key, progress: Progress
    ) -> tuple[ModelDirectory, ModelKey, str, bool]:
        try:
            return await self.publish(
                request.path,
                request.model,
                progress,
                self._backend(self._nodepools.message(nodepool, request.instance)),
                request.watched,
                user_id=request.user_id,
                pin=request.version_id,
                is_deployed=True,
                instance=request.instance,
                before_build=partial(self._before_build, request, nodepool, progress),
            )
        except EmulatorError as error:
            deployment = await self._meant_by(request)
            raise self._live.said(error, deployment) if deployment is not None else error from None

    async def _meant_by(self, request: DeployRequest) -> Key | None:
        """The deployment that a request is about; None where its directory does not say."""
        try:
            directory = await asyncio.to_thread(read_model_directory, request.path)
            return self.deployment_key(request, self.model_key(directory, request.model, request.user_id))
        except EmulatorError:
            return None

    async def _serve(self, request: DeployRequest, model: Key, key: LaneKey, progress: Progress) -> None:
        """Wait for a replica, where one is to be started. Raises ``CallerError``."""
        is_replacing = self._supervisor.rollouts.get(key[:2]) is not None
        if not request.wait or not (request.min_replicas or is_replacing):
            return
        lacks = await self._lacks((*model, key.version_id))
        try:
            await self._wait.until_ready(key, self._patience(request, is_hopeful=not lacks), progress)
        except CallerError as error:
            if not lacks or isinstance(error, Overtaken):
                raise
            raise CallerError(error.code, error.details, hint=" ".join(lacks)) from None

    async def _lacks(self, version: Key) -> Sequence[str]:
        """Return what the model's code starts beside itself and that is not here, each with the way out. A
        container has its own."""
        source: ModelSource = self._store.get(Kind.SOURCE, version)  # pyright: ignore[reportAssignmentType]
        if source.image:
            return ()
        missing = await asyncio.to_thread(missing_needs, source.path, source.python)
        return [f"{each.text}. {each.way_out}" for each in missing]

    async def publish(
        self,
        path: Path,
        name: str,
        progress: Progress,
        backend_name: str = "",
        watched: Watched | None = None,
        *,
        user_id: str = "",
        pin: str = "",
        is_deployed: bool = False,
        instance: str = "",
        before_build: Callable[[ModelDirectory], None] = lambda directory: None,
    ) -> tuple[ModelDirectory, ModelKey, str, bool]:
        """Make the directory's code a model version: (directory, model, version id, whether it is new). ``pin``: of
        this id, which it keeps.

        It is prepared for a backend; another one prepares it anew when it is to run it. ``before_build`` may refuse
        it before that. ``is_deployed``: a deployment is to serve it next; until that does, requests without a
        version mean what serves.
        """
        progress(f"reading {path}")
        directory = await asyncio.to_thread(read_model_directory, path)
        before_build(directory)
        key = self.model_key(directory, name, user_id)
        pin = pin or self.pinned.id_of(key, directory.path)
        if pin:
            self.pinned.require_free(key, pin, directory.path)
        version_id = pin or secrets.token_hex(16)
        backend = backend_name or self._config.backend
        tell = self.logging_builds(key, version_id, progress)
        try:
            source = await self.source_of(directory, tell, backend, watched)
        except ModelError as error:  # the caller gets it anyway
            for line in str(error).splitlines():
                self.logging_builds(key, version_id, lambda _: None)(line)
            raise
        newest: ModelVersion | None = (
            self._store.get(Kind.MODEL_VERSION, (*key, pin)) if pin else self._store.newest(Kind.MODEL_VERSION, key)
        )
        needs = self.compute_info(directory, instance)
        known = self._store.get(Kind.SOURCE, (*key, newest.id)) if newest is not None else None
        if newest is not None and _is_same(known, source) and newest.inference_compute_info == needs:
            progress(f"unchanged: version {newest.id[:8]} of {'/'.join(key)}")
            return directory, key, newest.id, False
        progress("reading the method signatures of model.py")
        signatures = await self.signatures_of(source, backend, tell)
        if pin:
            await self.put_pinned(directory, key, pin, source, signatures, user_id=user_id, instance=instance)
        else:
            on_trial = is_deployed and self._supervisor.serves(key)
            self.put_version(
                directory,
                key,
                version_id,
                source,
                signatures,
                user_id=user_id,
                instance=instance,
                on_trial=on_trial,
            )
        progress(f"version {version_id[:8]} of {'/'.join(key)}: {', '.join(s.name for s in signatures)}")
        return directory, key, version_id, True

    async def source_of(
        self, directory: ModelDirectory, progress: Progress, backend: str = "", watched: Watched | None = None
    ) -> ModelSource:
        """Prepare what replicas of a backend run for a directory, and build what it needs. Raises
        ``ModelError``."""
        chosen = self._backends[backend or self._config.backend]
        source = await chosen.prepare(directory, progress, is_watched=watched is not None)
        if watched is None:
            return source
        code = await asyncio.to_thread(self._written.reader(directory.path, watched).read)
        return replace(source, content_hash=code.digest, watched=watched)

    async def signatures_of(
        self, source: ModelSource, backend: str = "", tell: Progress = lambda line: None
    ) -> Sequence[Any]:
        """The ``MethodSignature`` messages of the model's methods; none for an older model that answers messages.
        Raises ``ModelError`` when it cannot be imported or has nothing to call."""
        signatures = self._signatures.get(source)
        if signatures is None:
            signatures = await self._backends[backend or self._config.backend].signatures(source)
        if isinstance(signatures, Signatures) and signatures.warning:
            tell(f"warning: {signatures.warning}")  # and read anew the next time: it may be there then
        else:
            self._signatures[source] = signatures
        return signatures

    def _backend(self, message: Nodepool) -> str:
        try:
            return backend_of(message, self._config.backend)
        except NoRoom as error:
            raise CallerError(StatusCode.NODEPOOL_INVALID_REQUEST, f"{error}.") from None

    def model_key(self, directory: ModelDirectory, name: str, user_id: str = "") -> ModelKey:
        if not name:
            user = directory.user_id if directory.user_id not in ("", "me") else user_id or self._config.user_id
            return (user, directory.app_id, directory.model_id)
        address = parse_address(name)
        if address is None or address.version_id:
            raise CallerError(
                StatusCode.MODEL_INVALID_ARGUMENT,
                f"{names_no_model(name)}.",
                hint="Write USER/APP/models/ID, or the model's whole URL without a version.",
            )
        return address.key

    def logging_builds(self, key: ModelKey, version_id: str, progress: Progress) -> Progress:
        """Tell the builder log of the version what the caller is told."""
        user, app, model = key

        def tell(line: str) -> None:
            progress(line)
            self._logbook.append(
                BUILDER, line, user_id=user, app_id=app, model_id=model, model_version_id=version_id
            )

        return tell

    def put_version(
        self,
        directory: ModelDirectory,
        key: ModelKey,
        version_id: str,
        source: ModelSource,
        signatures: Sequence[Any],
        *,
        user_id: str = "",
        instance: str = "",
        on_trial: bool = False,
    ) -> None:
        """Make a model version of this code; the model too, if it is not there yet. ``on_trial``: requests without
        a version do not mean it before a replica of it serves."""
        user, app, model_id = key
        if self._store.get(Kind.MODEL, key) is None:
            model = Model(id=model_id, model_type_id=directory.model_type_id)
            # Somebody else's model is of use here only if our user may see it.
            if user != (user_id or self._config.user_id):
                model.visibility.gettable = Visibility.PUBLIC
                self._put_public_app(user, app)
            self._resources.post(Kind.MODEL, user, (app,), [model])
        version = self.new_version(directory, signatures, instance)
        version.id = version_id
        version.status.code = StatusCode.MODEL_DEPLOYING if on_trial else StatusCode.MODEL_TRAINED
        version.status.description = ON_TRIAL if on_trial else TRAINED
        version.metadata.update({"content_hash": source.content_hash})
        stored = self._resources.post(Kind.MODEL_VERSION, user, (app, model_id), [version])[0]
        self._store.put(Kind.SOURCE, stored, source)

    async def put_pinned(
        self,
        directory: ModelDirectory,
        key: ModelKey,
        version_id: str,
        source: ModelSource,
        signatures: Sequence[Any],
        *,
        user_id: str = "",
        instance: str = "",
    ) -> None:
        """Make the version of this id this code, also where it is another now. Raises ``ModelError``, and then it
        is what it was."""
        known: ModelVersion | None = self._store.get(Kind.MODEL_VERSION, (*key, version_id))
        if known is None:
            self.put_version(directory, key, version_id, source, signatures, user_id=user_id, instance=instance)
            known = self._store.get(Kind.MODEL_VERSION, (*key, version_id))
            assert known is not None
        version = ModelVersion()
        version.CopyFrom(known)
        for name in ("method_signatures", "inference_compute_info"):
            version.ClearField(name)
        version.MergeFrom(self.new_version(directory, signatures, instance))
        version.metadata.update({"content_hash": source.content_hash, PINNED: True})
        await self.pinned.exchange(key, version, source)

    def new_version(self, directory: ModelDirectory, signatures: Sequence[Any], instance: str = "") -> ModelVersion:
        """Make what the platform keeps of a directory's code: not yet a version of anything. ``instance``: the type
        that it was deployed to, if one was named."""
        version = ModelVersion(num_threads=directory.num_threads or 0, method_signatures=signatures)
        version.inference_compute_info.CopyFrom(self.compute_info(directory, instance))
        return version

    def move(self, deployment: Key, model: ModelKey, version_id: str) -> None:
        """Let a deployment serve this version from now on."""
        change = Deployment(id=deployment[1])
        target = change.desired_worker.model
        target.user_id, target.app_id, target.id = model
        target.model_version.id = version_id
        self._resources.patch(Kind.DEPLOYMENT, deployment[0], (), [change], "overwrite")

    def _put_public_app(self, user: str, app: str) -> None:
        if self._store.get(Kind.APP, (user, app)) is None:
            self._resources.post(
                Kind.APP, user, (), [App(id=app, visibility=Visibility(gettable=Visibility.PUBLIC))]
            )

    def asked_for(self, directory: ModelDirectory, instance: str = "") -> ComputeInfo:
        """Return what a directory's model asks for: what the instance type it is deployed to has, if one was named,
        else what its config.yaml says."""
        if instance or directory.instance == LOCAL_INSTANCE:
            return self._nodepools.instance(instance or directory.instance).needs
        return directory.compute_info

    def compute_info(self, directory: ModelDirectory, instance: str = "") -> ComputeInfo:
        """Return what a directory's model is given: what it asks for, without a GPU that this machine does not have
        and its code has no use for."""
        asked = self.asked_for(directory, instance)
        return without_accelerators(asked) if not instance and self._does_without_gpu(directory) else asked

    def _does_without_gpu(self, directory: ModelDirectory) -> bool:
        is_strict = self._config.strict_capacity or self._nodepools.has_accelerators()
        return directory.only_names_a_gpu and not is_strict

    def _nodepool(self, request: DeployRequest) -> Key:
        """The nodepool's key. Raises ``CallerError``."""
        user = request.user_id or self._config.user_id
        if request.instance:
            return self._nodepools.of_instance(user, request.instance)
        return self._nodepools.find(user, request.nodepool_id, request.compute_cluster_id)

    def _before_build(
        self, request: DeployRequest, nodepool: Key, progress: Progress, directory: ModelDirectory
    ) -> None:
        """Before minutes go into an environment or an image: what can be said by now. Raises ``CallerError``."""
        self._require_place(request, nodepool, directory)
        self._nodepools.ensure(nodepool, request.instance)
        backend = self._backend(self._nodepools.message(nodepool, request.instance))
        if not abilities_of(backend).own_system:
            names = required_names(directory.requirements_file)
            for each in foreseen_needs(directory.path, names):
                progress(f"warning: {each.text}. {each.way_out}")

    def _require_place(self, request: DeployRequest, nodepool: Key, directory: ModelDirectory) -> None:
        """Fail unless a replica could ever start there. Raises ``CallerError``."""
        if request.must_fit:
            key = "" if request.instance else "inference_compute_info" if not directory.instance else "compute"
            message = self._nodepools.message(nodepool, request.instance)
            needs = self.compute_info(directory, request.instance)
            self._supervisor.require_fit(nodepool, message, needs, directory.model_id, key)

    def _missing_gpu(self, directory: ModelDirectory, request: DeployRequest) -> Sequence[str]:
        """Say, also as an event, that a model runs without the GPU of the instance type that its config.yaml names;
        say nothing of any other model."""
        if request.instance or not self._does_without_gpu(directory):
            return ()
        text = doing_without_gpu(directory.model_id, directory.instance, directory.compute_info)
        user, deployment = self.deployment_key(request, self.model_key(directory, request.model, request.user_id))
        self._events.emit("deployment.overcommitted", reason=text, user_id=user, deployment_id=deployment)
        return (text,)

    def _overcommitment(self, model: ModelKey, version: ModelVersion, nodepool: Key) -> Sequence[str]:
        if self._config.strict_capacity:
            return ()
        message: Nodepool = self._store.get(Kind.NODEPOOL, nodepool)  # pyright: ignore[reportAssignmentType]
        text = overcommitment(model[2], version.inference_compute_info, message)
        return (text,) if text else ()

    def _patience(self, request: DeployRequest, *, is_hopeful: bool) -> Patience:
        if request.wait_seconds is not None:
            return Patience(request.wait_seconds, request.wait_seconds)
        if not is_hopeful:
            return Patience(LACKING_SECONDS, LACKING_SECONDS)
        return Patience(self._config.request_seconds, ROOM_SECONDS)

    def deployment_key(self, request: DeployRequest, model: ModelKey) -> DeploymentKey:
        """Return the key of the deployment that a request makes."""
        return (request.user_id or self._config.user_id, request.deployment_id or f"deploy-{model[2]}"[:64])

    def adjust(self, request: DeployRequest, model: ModelKey) -> None:
        """Let the deployment run where and as often as is asked for, and what it runs already. Raises
        ``CallerError``."""
        user, deployment_id = self.deployment_key(request, model)
        change = Deployment(id=deployment_id)
        nodepool = self._nodepool(request)
        self._nodepools.ensure(nodepool, request.instance)
        _place(change, request, nodepool)
        self._resources.patch(Kind.DEPLOYMENT, user, (), [change], "overwrite")

    def _put_deployment(
        self, request: DeployRequest, model: ModelKey, version_id: str, nodepool: Key
    ) -> Deployment:
        """Tell the deployment what to serve; gives it as it was told."""
        user, deployment_id = self.deployment_key(request, model)
        deployment = Deployment(id=deployment_id, scheduling_choice=Deployment.PERFORMANCE, graceful_deploy=True)
        deployment.visibility.gettable = Visibility.PRIVATE
        _place(deployment, request, nodepool)
        target = deployment.desired_worker.model
        target.user_id, target.app_id, target.id = model
        target.model_version.id = version_id
        if self._store.get(Kind.DEPLOYMENT, (user, deployment_id)) is None:
            self._resources.post(Kind.DEPLOYMENT, user, (), [deployment])
        else:
            self._resources.patch(Kind.DEPLOYMENT, user, (), [deployment], "overwrite")
        return self._resources.stored(Kind.DEPLOYMENT, (user, deployment_id))


def _require_bounds(request: DeployRequest) -> None:
    if request.max_replicas is not None and request.max_replicas < request.min_replicas:
        raise CallerError(
            StatusCode.DEPLOYMENT_INVALID_ARGUMENT,
            f"min_replicas {request.min_replicas} is more than max_replicas {request.max_replicas}.",
            hint="Raise max_replicas or lower min_replicas.",
        )


def _require_debuggable(request: DeployRequest, backend: str) -> None:
    debugging = abilities_of(backend).debugging
    if request.debugging is None or debugging == "editor":
        return
    if debugging == "terminal":
        raise CallerError(
            StatusCode.NODEPOOL_INVALID_REQUEST,
            "The model would run in the emulator's own process, where --debug is not needed.",
            hint="Leave --debug out: breakpoint() stops in the emulator's terminal.",
        )
    raise CallerError(
        StatusCode.NODEPOOL_INVALID_REQUEST,
        "An editor cannot be attached to a replica in a container.",
        hint="Debug it as a process: deploy it to a nodepool of processes, or to an emulator that was started "
        "without --backend docker.",
    )


def _place(deployment: Deployment, request: DeployRequest, nodepool: Key) -> None:
    """Set where the deployment runs, and how often."""
    deployment.autoscale_config.min_replicas = request.min_replicas
    most = DEFAULT_MAX_REPLICAS if request.max_replicas is None else request.max_replicas
    deployment.autoscale_config.max_replicas = max(most, request.min_replicas)
    entry = deployment.nodepools.add(id=nodepool[2])
    entry.compute_cluster.id, entry.compute_cluster.user_id = nodepool[1], nodepool[0]


def _is_same(known: Any, source: ModelSource) -> bool:
    """Tell whether a version's source is this one; a backend it was not made for prepares it when it runs it."""
    if isinstance(known, ModelSource) and known.backend != source.backend:
        return (known.path, known.content_hash, known.watched) == (
            source.path,
            source.content_hash,
            source.watched,
        )
    return known == source
