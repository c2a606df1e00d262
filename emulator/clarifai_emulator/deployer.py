"""From a model directory to a served deployment, step by step, with progress.

    read the directory ─► Python environment ─► signatures (imports model.py)
                       ─► model version ─► deployment ─► ready

The steps go through the same checks as the API. An unchanged directory keeps its version; a failed step leaves
what was deployed before as it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import App, Deployment, Model, ModelVersion, Nodepool, Visibility
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.handlers.resource import Resources
from clarifai_emulator.catalogue import Catalogue
from clarifai_emulator.clock import Clock
from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.dispatch.lane import LaneKey
from clarifai_emulator.errors import CallerError, ModelError
from clarifai_emulator.events import EventBus
from clarifai_emulator.logbook import BUILDER, LogBook
from clarifai_emulator.models.code import CodeReader
from clarifai_emulator.models.directory import ModelDirectory, ModelSource, Watched, read_model_directory
from clarifai_emulator.nodepools.backends import backend_of
from clarifai_emulator.nodepools.capacity import NoRoom
from clarifai_emulator.nodepools.debuggers import BACKENDS, Debuggers, DeploymentKey
from clarifai_emulator.nodepools.supervisor import Supervisor
from clarifai_emulator.runners.backend import Backend, Debugging
from clarifai_emulator.runners.debugpy_files import folder_of_debugpy
from clarifai_emulator.store import Key, Kind, Store

# A wait without news for so long says that it goes on.
_NEWS_SECONDS = 5.0

Progress = Callable[[str], None]
ModelKey = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployRequest:
    """What to deploy, and where. Empty ids are chosen: the model's from config.yaml, the deployment's from the
    model's. ``min_replicas`` 0 starts nothing before the first request. ``wait`` until a replica is ready.
    ``watched``: replicas are reloadable, and these files are their code. ``user_id``: whose account; empty is the
    emulator's own user. ``debugging``: an editor may attach to its replica."""

    path: Path
    nodepool_id: str = "cpu"
    compute_cluster_id: str = ""
    deployment_id: str = ""
    model: str = ""  # USER/APP/models/ID, to deploy it under another name than config.yaml's
    min_replicas: int = 1
    max_replicas: int = 5
    wait: bool = True
    watched: Watched | None = None
    user_id: str = ""
    debugging: Debugging | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """What ``deploy`` did. ``signatures`` are the version's ``MethodSignature`` messages."""

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
        user, app, model = self.model
        return f"https://clarifai.com/{user}/{app}/models/{model}"


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
    ) -> None:
        self._config = config
        self._store = store
        self._resources = resources
        self._supervisor = supervisor
        self._catalogue = catalogue
        self._backends = backends
        self._events = events
        self._logbook = logbook
        self._clock = clock
        self._debuggers = debuggers
        # Of code that was read once, whatever became of its version: the same code has the same methods.
        self._signatures: dict[ModelSource, Sequence[Any]] = {}

    async def deploy(self, request: DeployRequest, progress: Progress) -> Deployed:
        """Do every step. Raises ``ModelError`` or ``CallerError`` with what to mend."""
        started = self._clock.monotonic()
        nodepool = self._nodepool(request)
        backend = self._backend(nodepool)
        _require_debuggable(request, backend)
        directory, key, version_id, is_new = await self.publish(
            request.path, request.model, progress, backend, request.watched, user_id=request.user_id
        )
        with self._undone_if_cancelled(self.deployment_key(request, key), (*key, version_id), is_new):
            fresh = await self._debug(request, key, version_id)
            deployment = self._put_deployment(request, key, version_id, nodepool)
            if fresh:
                lane = LaneKey(deployment[0], deployment[1], version_id)
                self._supervisor.scale_to_zero(lane, "another one takes its place, which can be debugged")
            progress(f"deployment {deployment[1]} in nodepool {nodepool[2]} of cluster {nodepool[1]}")
            if request.wait and request.min_replicas:
                await self._ready(LaneKey(deployment[0], deployment[1], version_id), progress)
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
            warnings=directory.warnings,
            debug_port=self._debuggers.port(DeploymentKey(deployment[0], deployment[1])),
            waits_for_debugger=request.debugging is not None and request.debugging.wait,
        )

    async def _debug(self, request: DeployRequest, model: ModelKey, version_id: str) -> bool:
        """Open or close the port of its debugger; whether replicas that it has already cannot be debugged yet."""
        if request.debugging is not None:
            source: ModelSource = self._store.get(Kind.SOURCE, (*model, version_id))  # pyright: ignore[reportAssignmentType]
            folder_of_debugpy(source.python, self._config.cache_dir)  # before anything is changed
        return await self._debuggers.want(DeploymentKey(*self.deployment_key(request, model)), request.debugging)

    @contextlib.contextmanager
    def _undone_if_cancelled(self, key: Key, version: Key, is_new: bool) -> Generator[None]:
        """Whoever deploys may go away before a replica serves: then what was there before stands again, unless
        somebody else has changed it since."""
        before = self._store.get(Kind.DEPLOYMENT, key)
        try:
            yield
        except asyncio.CancelledError:
            target: Deployment | None = self._store.get(Kind.DEPLOYMENT, key)  # pyright: ignore[reportAssignmentType]
            is_ours = target is not None and target.desired_worker.model.model_version.id == version[-1]
            if is_ours and before is None:
                self._resources.delete(Kind.DEPLOYMENT, [key])
            elif is_ours:
                self._store.put(Kind.DEPLOYMENT, key, before)
            if is_ours and is_new:  # a request that names no version means the newest
                self._resources.delete(Kind.MODEL_VERSION, [version])
            raise

    async def publish(
        self,
        path: Path,
        name: str,
        progress: Progress,
        backend_name: str = "",
        watched: Watched | None = None,
        *,
        user_id: str = "",
    ) -> tuple[ModelDirectory, ModelKey, str, bool]:
        """Make the directory's code a model version: (directory, model, version id, whether it is new).

        It is prepared for a backend; another one prepares it anew when it is to run it.
        """
        progress(f"reading {path}")
        directory = await asyncio.to_thread(read_model_directory, path)
        key = self.model_key(directory, name, user_id)
        version_id = secrets.token_hex(16)
        backend = backend_name or self._config.backend
        tell = self.logging_builds(key, version_id, progress)
        try:
            source = await self.source_of(directory, tell, backend, watched)
        except ModelError as error:  # the caller gets it anyway
            for line in str(error).splitlines():
                self.logging_builds(key, version_id, lambda _: None)(line)
            raise
        newest: ModelVersion | None = self._store.newest(Kind.MODEL_VERSION, key)
        if newest is not None and _is_same(self._store.get(Kind.SOURCE, (*key, newest.id)), source):
            progress(f"unchanged: version {newest.id[:8]} of {'/'.join(key)}")
            return directory, key, newest.id, False
        progress("reading the method signatures of model.py")
        signatures = await self.signatures_of(source, backend)
        self.put_version(directory, key, version_id, source, signatures, user_id=user_id)
        progress(f"version {version_id[:8]} of {'/'.join(key)}: {', '.join(s.name for s in signatures)}")
        return directory, key, version_id, True

    async def source_of(
        self, directory: ModelDirectory, progress: Progress, backend: str = "", watched: Watched | None = None
    ) -> ModelSource:
        """What replicas of a backend run for a directory; builds what it needs. Raises ``ModelError``."""
        chosen = self._backends[backend or self._config.backend]
        source = await chosen.prepare(directory, progress, is_watched=watched is not None)
        if watched is None:
            return source
        code = await asyncio.to_thread(CodeReader(directory.path, watched).read)
        return replace(source, content_hash=code.digest, watched=watched)

    async def signatures_of(self, source: ModelSource, backend: str = "") -> Sequence[Any]:
        """The ``MethodSignature`` messages of the model's methods; none for an older model that answers messages.
        Raises ``ModelError`` when it cannot be imported or has nothing to call."""
        signatures = self._signatures.get(source)
        if signatures is None:
            signatures = await self._backends[backend or self._config.backend].signatures(source)
        self._signatures[source] = signatures
        return signatures

    def _backend(self, nodepool: Key) -> str:
        message: Nodepool = self._store.get(Kind.NODEPOOL, nodepool)  # pyright: ignore[reportAssignmentType]
        try:
            return backend_of(message, self._config.backend)
        except NoRoom as error:
            raise CallerError(StatusCode.NODEPOOL_INVALID_REQUEST, f"{error}.") from None

    def model_key(self, directory: ModelDirectory, name: str, user_id: str = "") -> ModelKey:
        if not name:
            user = directory.user_id if directory.user_id not in ("", "me") else user_id or self._config.user_id
            return (user, directory.app_id, directory.model_id)
        parts = name.removeprefix("https://clarifai.com/").split("/")
        if len(parts) != 4 or parts[2] != "models" or not all(parts):
            raise CallerError(
                StatusCode.MODEL_INVALID_ARGUMENT,
                f"'{name}' does not name a model.",
                hint="Write USER/APP/models/ID, or the model's whole URL without a version.",
            )
        return (parts[0], parts[1], parts[3])

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
    ) -> None:
        """Make a model version of this code; the model too, if it is not there yet."""
        user, app, model_id = key
        if self._store.get(Kind.MODEL, key) is None:
            model = Model(id=model_id, model_type_id=directory.model_type_id)
            # Somebody else's model is of use here only if our user may see it.
            if user != (user_id or self._config.user_id):
                model.visibility.gettable = Visibility.PUBLIC
                self._put_public_app(user, app)
            self._resources.post(Kind.MODEL, user, (app,), [model])
        version = self.new_version(directory, signatures)
        version.id = version_id
        version.status.code = StatusCode.MODEL_TRAINED
        version.status.description = "Model is trained and ready for deployment"
        version.metadata.update({"content_hash": source.content_hash})
        stored = self._resources.post(Kind.MODEL_VERSION, user, (app, model_id), [version])[0]
        self._store.put(Kind.SOURCE, stored, source)

    def new_version(self, directory: ModelDirectory, signatures: Sequence[Any]) -> ModelVersion:
        """What the platform keeps of a directory's code: not yet a version of anything."""
        version = ModelVersion(num_threads=directory.num_threads or 0, method_signatures=signatures)
        version.inference_compute_info.CopyFrom(self.compute_info(directory))
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

    def compute_info(self, directory: ModelDirectory) -> Any:
        """What a directory's model needs: of the instance type it names, else what its config.yaml says."""
        instance = self._catalogue.find(directory.instance) if directory.instance else None
        return instance.compute_info if instance is not None else directory.compute_info

    def _nodepool(self, request: DeployRequest) -> Key:
        """The nodepool's key; its cluster may be left out when the id is unique."""
        user = request.user_id or self._config.user_id
        prefix: Key = (user, request.compute_cluster_id) if request.compute_cluster_id else (user,)
        known = list(self._store.keys(Kind.NODEPOOL, prefix))
        found = [key for key in known if key[2] == request.nodepool_id]
        if len(found) == 1:
            return found[0]
        names = ", ".join(sorted(f"{key[1]}/{key[2]}" for key in known)) or "none"
        if found:
            raise CallerError(
                StatusCode.NODEPOOL_INVALID_REQUEST,
                f"Several clusters have a nodepool '{request.nodepool_id}': {names}.",
                hint="Name the cluster too (--cluster).",
            )
        raise CallerError(
            StatusCode.NODEPOOL_DOES_NOT_EXIST,
            f"There is no nodepool '{request.nodepool_id}' of user '{user}'. There are: {names}.",
            hint="Create it with the SDK or the clarifai CLI, or start the emulator with a --topology that has it.",
        )

    def deployment_key(self, request: DeployRequest, model: ModelKey) -> Key:
        """The deployment that a request makes."""
        return (request.user_id or self._config.user_id, request.deployment_id or f"deploy-{model[2]}"[:64])

    def adjust(self, request: DeployRequest, model: ModelKey) -> None:
        """Let the deployment run where and as often as is asked for, and what it runs already. Raises
        ``CallerError``."""
        user, deployment_id = self.deployment_key(request, model)
        change = Deployment(id=deployment_id)
        _place(change, request, self._nodepool(request))
        self._resources.patch(Kind.DEPLOYMENT, user, (), [change], "overwrite")

    def _put_deployment(self, request: DeployRequest, model: ModelKey, version_id: str, nodepool: Key) -> Key:
        user, deployment_id = self.deployment_key(request, model)
        deployment = Deployment(id=deployment_id, scheduling_choice=Deployment.PERFORMANCE)
        deployment.visibility.gettable = Visibility.PRIVATE
        _place(deployment, request, nodepool)
        target = deployment.desired_worker.model
        target.user_id, target.app_id, target.id = model
        target.model_version.id = version_id
        if self._store.get(Kind.DEPLOYMENT, (user, deployment_id)) is None:
            return self._resources.post(Kind.DEPLOYMENT, user, (), [deployment])[0]
        return self._resources.patch(Kind.DEPLOYMENT, user, (), [deployment], "overwrite")[0]

    async def _ready(self, key: LaneKey, progress: Progress) -> None:
        """Wait until a replica takes work, or until it is clear that none will."""
        changed = asyncio.Event()
        unsubscribe = self._events.subscribe(lambda event: changed.set())
        said, started = "", self._clock.monotonic()
        try:
            while self._clock.monotonic() - started < self._config.request_seconds:
                fleet = self._supervisor.fleets.get(key)
                if fleet is not None and fleet.live:
                    return
                if fleet is not None and fleet.lane.refusal is not None:
                    raise fleet.lane.refusal
                if fleet is not None and fleet.retired:
                    raise CallerError(
                        StatusCode.MODEL_DEPLOYMENT_FAILED,
                        f"Version {key.version_id[:8]} was not ready before '{key.deployment_id}' was given "
                        "another one, or was deleted.",
                        hint="Somebody else deployed, too; `clarifai-emulator status` shows what is there now.",
                    )
                reason = fleet.lane.pending_reason if fleet is not None else ""
                if reason and reason != said:
                    said = reason
                    progress(f"waiting: {reason}")
                changed.clear()
                try:
                    await asyncio.wait_for(changed.wait(), _NEWS_SECONDS)
                except TimeoutError:
                    progress(f"still waiting for a replica after {self._clock.monotonic() - started:.0f} s")
            raise CallerError(
                StatusCode.MODEL_DEPLOYING,
                f"No replica of '{key.deployment_id}' was ready within {self._config.request_seconds:g} s.",
                hint="Look at what it printed: `clarifai-emulator logs`.",
            )
        finally:
            unsubscribe()


def _require_debuggable(request: DeployRequest, backend: str) -> None:
    if request.debugging is None or backend in BACKENDS:
        return
    if backend == "inprocess":
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
    """Where it runs, and how often."""
    deployment.autoscale_config.min_replicas = request.min_replicas
    deployment.autoscale_config.max_replicas = max(request.max_replicas, request.min_replicas)
    entry = deployment.nodepools.add(id=nodepool[2])
    entry.compute_cluster.id, entry.compute_cluster.user_id = nodepool[1], nodepool[0]


def _is_same(known: Any, source: ModelSource) -> bool:
    """Whether a version's source is this one; a backend it was not made for prepares it when it runs it."""
    if isinstance(known, ModelSource) and known.backend != source.backend:
        return (known.path, known.content_hash, known.watched) == (
            source.path,
            source.content_hash,
            source.watched,
        )
    return known == source
