"""Assembles the API of one emulator: the handlers, the chain that they run in, and the ports that serve them.

clients ────► public port ─────┐
containers ─► their own port ──┼─► chain ─► handlers ─► resources, nodepools, uploads, logs
replicas ───► replicas' port ──┴─► runner items
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from clarifai_emulator.api.access.accounts import Accounts
from clarifai_emulator.api.access.admission import Admissions
from clarifai_emulator.api.access.auth import Authenticator
from clarifai_emulator.api.access.contained import contained, for_replicas, refusing_mount
from clarifai_emulator.api.call import Handler, Interceptor, Step
from clarifai_emulator.api.chain import RequestChain
from clarifai_emulator.api.content_links import CONTENTS, ContentLinks
from clarifai_emulator.api.handlers import resource_rpcs, users
from clarifai_emulator.api.handlers.handler_families import HandlerFamilies
from clarifai_emulator.api.injection import Injector
from clarifai_emulator.api.kept_calls import KeptCalls
from clarifai_emulator.api.own_calls import OwnCalls
from clarifai_emulator.api.runner_items import RunnerItems
from clarifai_emulator.api.sites import PlatformSites
from clarifai_emulator.api.transport.grpc_server import ApiHandlers
from clarifai_emulator.api.transport.http2 import Find
from clarifai_emulator.api.transport.http_sites import HttpSites
from clarifai_emulator.api.transport.mounts import GrpcMount, HttpMount, Mount, Site
from clarifai_emulator.api.transport.ports import Ports
from clarifai_emulator.catalogue import Catalogue
from clarifai_emulator.clock import Clock
from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.dispatch.substitutes import Substitutes
from clarifai_emulator.events import EventBus
from clarifai_emulator.faults import Faults
from clarifai_emulator.logbook import LogBook
from clarifai_emulator.messages.address import ModelKey
from clarifai_emulator.models.artifact_files import ArtifactFiles
from clarifai_emulator.models.uploaded import UploadedFiles
from clarifai_emulator.nodepools.nodepools import Nodepools
from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.store import Key, Kind, Store

if TYPE_CHECKING:
    from clarifai_emulator.backends.docker.engine import Meeting
    from clarifai_emulator.dispatch.call_tree import CallTree
    from clarifai_emulator.dispatch.circles import Circles

# Replicas of this machine pull their work here, past the public port.
_REPLICA_HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiParts:
    """Gather what the API is made of and shares with the rest of an emulator.

    ``start_build`` begins with an uploaded version that is complete. ``commit`` makes lasting what a request
    changed, ``keep_logs`` does so for log lines. ``is_ready``: whether the emulator has started. ``run_id`` names
    this run of it. ``steps``: further steps of every request, behind those of ``chain.py``.
    """

    config: EmulatorConfig
    store: Store
    events: EventBus
    logbook: LogBook
    clock: Clock
    resources: Resources
    accounts: Accounts
    authenticator: Authenticator
    catalogue: Catalogue
    faults: Faults
    nodepools: Nodepools
    uploaded: UploadedFiles
    start_build: Callable[[Key], None]
    artifacts: ArtifactFiles
    commit: Callable[[], None] | None
    keep_logs: Callable[[], None]
    is_ready: Callable[[], bool]
    run_id: str
    steps: Sequence[Step] = ()


class PlatformApi:
    """Serves the platform's API of one emulator. ``interceptors``: each may put itself before every RPC, from the
    next call on (``api/taps.py``). ``substitutes``: what answers in the place of replicas. ``kept_calls``: what is
    kept of calls. ``own_calls``: makes calls for whoever looks after the emulator. ``port`` and ``url`` are known
    once it listens."""

    def __init__(self, parts: ApiParts) -> None:
        self._parts = parts
        self.interceptors: list[Interceptor] = []
        self.substitutes = Substitutes()
        self.kept_calls = KeptCalls(parts.clock.now)
        self._injector = Injector(
            parts.faults,
            events=parts.events,
            hold_seconds=parts.config.hold_seconds,
            lose_replica=parts.nodepools.supervisor.lose_replica,
            scale_to_zero=parts.nodepools.supervisor.scale_to_zero,
        )
        self._chain = RequestChain(
            authenticator=parts.authenticator,
            events=parts.events,
            clock=parts.clock,
            injector=self._injector,
            commit=parts.commit,
            interceptors=self.interceptors,
            steps=parts.steps,
            tree=lambda: self._tree,
        )
        self._admissions = Admissions(
            dispatcher=parts.nodepools.dispatcher,
            authenticator=parts.authenticator,
            store=parts.store,
            adopt=parts.nodepools.supervisor.adopt,
            organisations=parts.accounts.organisations,
        )
        self._replicas = RunnerItems(
            parts.nodepools.dispatcher, self._admissions.admit_replica, self._admissions.refuse_replica
        )
        self._links = ContentLinks(parts.clock)
        self._handlers = self._all_handlers()
        self.own_calls = OwnCalls(self._chain, self._handlers)
        self._mounts: list[Mount] = []
        self.ports = Ports(parts.config, self._odd_client)
        self.port = 0
        self.runner_url = ""

    @property
    def url(self) -> str:
        """Return the base URL for ``CLARIFAI_API_BASE``."""
        return self._parts.config.url(self.port)

    @property
    def rpcs(self) -> frozenset[str]:
        """Return the names of the platform's RPCs that are served."""
        return frozenset({*self._handlers, "ProcessRunnerItems"})

    def mount(self, *mounts: Mount) -> None:
        """Serve these sites too, beside the platform's API and at the same address. They take their requests before
        the platform's own sites do. Raises ``RuntimeError`` once it listens."""
        if self.port:
            raise RuntimeError("Sites are mounted before the emulator starts.")
        self._mounts.extend(mounts)

    async def listen(self) -> None:
        """Open the public port, and the one for replicas of this machine. Raises ``ConfigError``."""
        dispatcher, admissions = self._parts.nodepools.dispatcher, self._admissions
        runners = RunnerItems(dispatcher, admissions.admit_anyone, admissions.refuse_anyone)
        pages = [mount for mount in self._mounts if isinstance(mount, HttpMount)]
        services = [mount.find for mount in self._mounts if isinstance(mount, GrpcMount)]
        find, http = self._sites(self._handlers, pages)
        self.port = await self.ports.open_public(runners.find, *services, find, http=http)
        replica_port = await self.ports.open(_REPLICA_HOST, self._replicas.find)
        self.runner_url = f"http://{_REPLICA_HOST}:{replica_port}"

    async def listen_for_containers(self, meeting: Meeting) -> int:
        """Open a port where containers find their work, and the API for what their models call. Raises
        ``OSError``."""
        is_open = meeting.is_exposed and not self._parts.config.knows_tokens
        further = [refusing_mount()] if is_open else []
        inner, site = self._sites(contained(self._handlers), further, is_for_containers=True)
        inner = for_replicas(inner) if is_open else inner
        return await self.ports.open(
            meeting.listen,
            self._replicas.find,
            inner,
            early=meeting.may_come_later,
            http=site,
            tls=meeting.tls,
        )

    async def close_public(self) -> None:
        """Take no more calls of clients; what is cancelled from now on, no client has cancelled."""
        self._chain.stop()
        await self.ports.close_public()

    async def close(self) -> None:
        """Close every port."""
        await self.ports.close()

    def _sites(
        self, handlers: Mapping[str, Handler], further: Sequence[HttpMount] = (), *, is_for_containers: bool = False
    ) -> tuple[Find, HttpSites]:
        """Make the platform's API over gRPC and over HTTP, there with ``further`` sites in front of it."""
        platform = PlatformSites(
            handlers,
            self._chain,
            config=self._parts.config,
            organisations_of=partial(users.organisations_of, self._parts.resources),
            url=lambda: self.url,
            is_ready=self._parts.is_ready,
            run=self._parts.run_id,
            hosted=self._hosted,
        )
        http = HttpSites(
            [*further, HttpMount.below(CONTENTS, self._artifact_contents), *platform.mounts()],
            config=self._parts.config,
            on_odd=self._odd_client,
            is_for_containers=is_for_containers,
        )
        return ApiHandlers(handlers, self._chain).find, http

    @cached_property
    def _tree(self) -> CallTree:
        from clarifai_emulator.nodepools.calls_between import call_tree

        return call_tree(self._parts.nodepools, self._parts.config)

    @cached_property
    def _circles(self) -> Circles:
        from clarifai_emulator.nodepools.calls_between import circles

        return circles(self._parts.nodepools, self._parts.config, self._parts.clock)

    def _all_handlers(self) -> HandlerFamilies:
        """Return every RPC that the emulator has; the others answer UNIMPLEMENTED."""
        served = resource_rpcs.handlers(self._parts.resources)
        artifacts = ("PostArtifactVersionsUpload", "GetArtifactVersion", "ListArtifactVersions")
        pipelines = ("PostPipelines", "PostPipelineVersionRuns", "PostPipelineStepVersionsUpload")
        workflows = ("PostWorkflows", "GetWorkflow", "PatchWorkflows", "PatchWorkflowIds")
        return HandlerFamilies(
            (
                (served, lambda: served),
                (artifacts, partial(self._artifacts, served)),
                (pipelines, partial(self._pipelines, served)),
                (workflows, partial(self._workflows, served)),
                (("PostModelVersionsUpload",), self._uploads),
                (("ListCloudProviders", "ListCloudRegions", "ListInstanceTypes"), self._catalogue),
                (("ListLogEntries", "StreamLogEntries", "PostLogEntries"), self._logs),
                (("PostModelOutputs", "GenerateModelOutputs", "StreamModelOutputs"), self._inference),
                (("PostWorkflowResults",), self._workflow_results),
            )
        )

    def _artifacts(self, served: Mapping[str, Handler]) -> Mapping[str, Handler]:

        from clarifai_emulator.api.handlers.artifacts import Artifacts

        return Artifacts(
            resources=self._parts.resources,
            files=self._parts.artifacts,
            links=self._links,
            served=served,
            max_bytes=self._parts.config.max_upload_bytes,
        ).handlers()

    def _pipelines(self, served: Mapping[str, Handler]) -> Mapping[str, Handler]:

        from clarifai_emulator.api.handlers.pipelines import Pipelines

        return Pipelines(
            resources=self._parts.resources,
            logbook=self._parts.logbook,
            keep_logs=self._parts.keep_logs,
            served=served,
            max_bytes=self._parts.config.max_upload_bytes,
        ).handlers()

    def _workflows(self, served: Mapping[str, Handler]) -> Mapping[str, Handler]:
        from clarifai_emulator.api.handlers import workflows
        from clarifai_emulator.contracts.saved_workflows import SavedWorkflows

        parts = self._parts
        saved = SavedWorkflows(mode=parts.config.contract, resources=parts.resources, events=parts.events)
        return workflows.handlers(parts.resources, served, saved)

    def _workflow_results(self) -> Mapping[str, Handler]:
        from clarifai_emulator.api.handlers.workflow_results import WorkflowResults
        from clarifai_emulator.workflows.workflow_states import WorkflowStates

        parts = self._parts
        return WorkflowResults(
            resources=parts.resources,
            chain=self._chain,
            predict=partial(self._handlers.__getitem__, "PostModelOutputs"),
            events=parts.events,
            clock=parts.clock,
            states=WorkflowStates(parts.clock),
            most_bytes=parts.config.max_message_bytes,
        ).handlers()

    def _uploads(self) -> Mapping[str, Handler]:
        from clarifai_emulator.api.handlers import uploads

        parts = self._parts
        return uploads.handlers(
            parts.resources, parts.uploaded, parts.start_build, max_bytes=parts.config.max_upload_bytes
        )

    def _catalogue(self) -> Mapping[str, Handler]:
        from clarifai_emulator.api.handlers import instance_types

        return instance_types.handlers(self._parts.catalogue)

    def _logs(self) -> Mapping[str, Handler]:
        from clarifai_emulator.api.handlers import log_entries

        return log_entries.handlers(self._parts.logbook, self._parts.accounts.organisations, self._parts.keep_logs)

    def _inference(self) -> Mapping[str, Handler]:

        from clarifai_emulator.api.call_text import CallTexts
        from clarifai_emulator.api.handlers.inference import Inference
        from clarifai_emulator.api.handlers.prediction_cache import PredictionCache
        from clarifai_emulator.api.handlers.told_models import ToldModels
        from clarifai_emulator.contracts.values.runtime import Watch

        parts = self._parts
        return Inference(
            route=parts.nodepools.router.route,
            events=parts.events,
            config=parts.config,
            clock=parts.clock,
            injector=self._injector,
            watch=Watch(
                mode=parts.config.contract,
                find_version=partial(parts.store.get, Kind.MODEL_VERSION),
                events=parts.events,
            ),
            text_of_call=CallTexts(parts.store).of,
            model_of=ToldModels(parts.store).of,
            cache=PredictionCache(parts.store.watch),
            require_room=lambda place: self._tree.require_room(place),
            watch_inner=lambda work: self._circles.watch(work),
            substitutes=self.substitutes,
            kept_calls=self.kept_calls,
        ).handlers()

    def _artifact_contents(self) -> Site:
        from clarifai_emulator.api.rest.artifact_contents import ArtifactContents

        def content(version: Key) -> Path | None:
            there = self._parts.store.get(Kind.ARTIFACT_VERSION, version) is not None
            return self._parts.artifacts.content(version) if there else None

        return ArtifactContents(self._links, content)

    def _hosted(self) -> list[ModelKey]:
        """Return the models that Clarifai is taken to host, those of stand-ins among them."""
        keys = ((key[0], key[1], key[2]) for key in self._parts.store.keys(Kind.MODEL))
        return [key for key in keys if self._parts.nodepools.routing_view.is_hosted(*key)]

    def _odd_client(self, kind: str, what: str) -> None:
        # A query may hold a key.
        said = what.partition("?")[0] if kind == "http" else what
        self._parts.events.emit(f"connection.{kind}", what=said)
