"""Creates the resources that topology files name.

They are created as on the platform, whatever this machine has. What this machine lacks shows
when a replica is to start: in the deployment's status, and in the error its callers get.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import (
    App,
    Deployment,
    Model,
    ModelVersion,
    User,
    Visibility,
)

from clarifai_emulator.deploy.deploy_request import DEFAULT_NODEPOOL, DeployRequest
from clarifai_emulator.deploy.deployer import Deployer
from clarifai_emulator.errors import CallerError, ConfigError, ModelError
from clarifai_emulator.messages.address import ModelAddress, ModelKey
from clarifai_emulator.models.directory import read_model_directory
from clarifai_emulator.models.progress import Progress
from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.routing.candidate_deployments import served_model
from clarifai_emulator.store import Kind, Store
from clarifai_emulator.topology.files import Entry, ModelDeploy, ModelEntry, Topology
from clarifai_emulator.topology.stand_ins import StandIn, stand_in_directory

# Of a model of a topology: its name, and what is made of its code.
_NOT_SETTINGS = ("id", "app_id", "user_id", "model_version")

_PRIVATE = Visibility(gettable=Visibility.PRIVATE)
_PUBLIC = Visibility(gettable=Visibility.PUBLIC)


class Provisioner:
    """Creates the resources of topologies. ``user_id`` owns what no file gives to somebody else. ``hosted``: where
    models are noted that shared compute runs as if Clarifai had uploaded them."""

    def __init__(
        self,
        *,
        user_id: str,
        store: Store,
        resources: Resources,
        deployer: Deployer,
        cache_dir: Path,
        hosted: set[ModelKey],
    ) -> None:
        self._hosted = hosted
        self._user_id = user_id
        self._store = store
        self._resources = resources
        self._deployer = deployer
        self._cache_dir = cache_dir

    def of(self, user_id: str) -> Provisioner:
        """Return one that does the same for another user."""
        return Provisioner(
            user_id=user_id,
            store=self._store,
            resources=self._resources,
            deployer=self._deployer,
            cache_dir=self._cache_dir,
            hosted=self._hosted,
        )

    async def apply(self, topology: Topology, progress: Progress) -> None:
        """Create everything a topology names, in the order in which one thing needs another.

        Raises ``ConfigError`` that lists what could not be created, each with its file and line.
        """
        problems: list[str] = []
        for entry in topology.users:
            user = User()
            user.CopyFrom(entry.message)
            user.id = self.owner(entry)
            self._resources.add_user(user)
        self._post_all(Kind.APP, topology.apps, problems, lambda _: ())
        self._post_all(Kind.SECRET, topology.secrets, problems, lambda _: ())
        self._post_all(Kind.COMPUTE_CLUSTER, topology.compute_clusters, problems, lambda _: ())
        self._post_all(Kind.NODEPOOL, topology.nodepools, problems, lambda n: (n.compute_cluster.id,))
        for model in topology.models:
            with collecting(problems, model.where):
                await self._add_model(model, progress)
        for stand_in in topology.stand_ins:
            with collecting(problems, stand_in.where):
                await self._add_stand_in(stand_in, progress)
        for deployment in topology.deployments:
            with collecting(problems, deployment.where):
                self._add_deployment(deployment)
        self._post_all(Kind.WORKFLOW, topology.workflows, problems, lambda workflow: (workflow.app_id,))
        if problems:
            raise ConfigError("The topology cannot be applied:", problems)

    def _post_all(
        self,
        kind: Kind,
        entries: tuple[Entry[Any], ...],
        problems: list[str],
        parents_of: Callable[[Any], tuple[str, ...]],
    ) -> None:
        for entry in entries:
            with collecting(problems, entry.where):
                self._resources.post(kind, self.owner(entry), parents_of(entry.message), [entry.message])

    def owner(self, entry: Entry[Any]) -> str:
        """Return the owner of a topology's resource."""
        return entry.user_id or self._user_id

    async def _add_model(self, entry: ModelEntry, progress: Progress) -> None:
        if entry.path is None:
            message = entry.message
            self.name_model((self.owner(entry), message.app_id, message.id), message, message.model_version.id)
            return
        request = self.request_of(entry)
        if entry.deploy is None:
            await self._deployer.publisher.publish(
                request.path, request.model, progress, user_id=self._user_id, pin=request.version_id
            )
        else:
            await self._deployer.deploy(request, progress)
        await self._set_model(entry)

    async def _set_model(self, entry: ModelEntry) -> None:
        """Set what a file says of a model besides its code: its visibility, its description and so on."""
        said = [field.name for field, _ in entry.message.ListFields() if field.name not in _NOT_SETTINGS]
        if said:
            user, app, model_id = await self.model_key_of(entry)
            message = Model()
            message.CopyFrom(entry.message)
            message.id = model_id
            self._resources.assign(Kind.MODEL, user, (app,), message, said)

    def request_of(self, entry: ModelEntry) -> DeployRequest:
        """Return how a model that has a directory is to be deployed."""
        assert entry.path is not None
        name = ""
        if entry.message.id and entry.message.app_id:
            name = ModelAddress(self.owner(entry), entry.message.app_id, entry.message.id).name
        wanted = entry.deploy or ModelDeploy()
        return DeployRequest(
            path=entry.path,
            model=name,
            nodepool_id=wanted.nodepool_id or DEFAULT_NODEPOOL,
            compute_cluster_id=wanted.compute_cluster_id,
            deployment_id=wanted.deployment_id,
            min_replicas=1 if wanted.min_replicas is None else wanted.min_replicas,
            max_replicas=wanted.max_replicas,
            instance=wanted.instance,
            wait=False,
            must_fit=False,  # created as on the platform, whatever this machine has
            version_id=entry.message.model_version.id,
            user_id=self._user_id,
        )

    async def model_key_of(self, entry: ModelEntry) -> ModelKey:
        """The model that a directory of a topology is. Raises ``ModelError``."""
        request = self.request_of(entry)
        directory = await asyncio.to_thread(read_model_directory, request.path)
        return self._deployer.publisher.model_key(directory, request.model, self._user_id)

    async def _add_stand_in(self, stand_in: StandIn, progress: Progress) -> None:
        """Publish what serves a hosted model under its name, for everybody, on shared compute."""
        user, _, model_id = stand_in.model
        if user in ("me", self._user_id):
            raise ModelError(
                f"model {model_id!r} of user {user!r} is your own; stand-ins are for models that Clarifai or "
                "another user hosts. Name it under `models:`, with `deploy`"
            )
        path = await asyncio.to_thread(stand_in_directory, stand_in, self._cache_dir)
        self._hosted.add(stand_in.model)
        await self._deployer.publisher.publish(path, ModelAddress(*stand_in.model).name, progress)

    def _add_deployment(self, entry: Entry[Deployment]) -> None:
        self._resources.post(Kind.DEPLOYMENT, self.owner(entry), (), [self.deployment_of(entry)])

    def deployment_of(self, entry: Entry[Deployment]) -> Deployment:
        """The deployment that an entry means; a model that nothing else names is known from here on, by name
        only."""
        owner, message = self.owner(entry), Deployment()
        message.CopyFrom(entry.message)
        served = served_model(message)
        if served is not None and served.id:
            for field in (message.worker.model, message.desired_worker.model):
                if field.id:
                    field.user_id = owner if field.user_id in ("", "me") else field.user_id
            key = (served.user_id, served.app_id, served.id)
            self.name_model(key, Model(id=served.id, app_id=served.app_id), served.model_version.id)
        return message

    def name_model(self, key: ModelKey, model: Model, version_id: str = "") -> None:
        """Make a model known that has no code on this machine, so that deployments may refer to it."""
        user, app, _ = key
        if user != self._user_id and not model.visibility.gettable:
            said, model = model, Model(visibility=_PUBLIC)  # what the file says is compared with later ones
            model.MergeFrom(said)
        if self._store.get(Kind.APP, (user, app)) is None:
            visibility = _PUBLIC if user != self._user_id else _PRIVATE
            self._resources.post(Kind.APP, user, (), [App(id=app, visibility=visibility)])
        if self._store.get(Kind.MODEL, key) is None:
            self._resources.post(Kind.MODEL, user, (app,), [model])
        known = self._store.count(Kind.MODEL_VERSION, key)
        if version_id and self._store.get(Kind.MODEL_VERSION, (*key, version_id)) is None:
            self._resources.post(Kind.MODEL_VERSION, user, key[1:], [ModelVersion(id=version_id)])
        elif not version_id and not known:
            self._resources.post(Kind.MODEL_VERSION, user, key[1:], [ModelVersion()])


@contextmanager
def collecting(problems: list[str], where: str) -> Generator[None]:
    """Note what goes wrong with the item of a topology that is written at ``where``, and go on."""
    try:
        yield
    except (CallerError, ModelError) as error:
        problems.append(f"{where}: {str(error).rstrip('.')}")
