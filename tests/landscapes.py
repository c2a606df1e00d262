"""Builds a Landscape in memory, one line per resource, for the tests of routing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from clarifai_grpc.grpc.api.resources_pb2 import (
    CloudProvider,
    ComputeCluster,
    ComputeInfo,
    Deployment,
    DeploymentNodepool,
    InstanceType,
    Model,
    ModelVersion,
    NodeCapacityType,
    Nodepool,
    Runner,
    Visibility,
    Worker,
)

from clarifai_emulator.catalogue import Catalogue, local_instance_type, shared_cluster, shared_nodepools
from clarifai_emulator.messages.address import NodepoolKey
from clarifai_emulator.routing import Load

PRIVATE, PUBLIC = Visibility.PRIVATE, Visibility.PUBLIC
IDLE = Load(live_replicas=1, free_slots=4, startable_replicas=4)
FULL = Load(live_replicas=5, queued=7)
CATALOGUE = Catalogue(local_instance_type(8, 32 * 1024**3))


def key_of(path: str) -> tuple[str, ...]:
    return tuple(path.split("/"))


class World:
    """A landscape. Resources are named by their path, ``user/cluster/nodepool``. Nothing is busy unless ``loads``
    says so."""

    def __init__(self, *, with_shared: bool = True) -> None:
        self.models: dict[tuple[str, ...], Model] = {}
        self.versions_of: dict[tuple[str, ...], list[ModelVersion]] = {}
        self.clusters: dict[tuple[str, ...], ComputeCluster] = {}
        self.nodepools: dict[tuple[str, ...], Nodepool] = {}
        self.deployments: dict[tuple[str, ...], Deployment] = {}
        self.coming_to: dict[tuple[str, ...], Deployment] = {}
        self.runners: dict[tuple[str, ...], Runner] = {}
        self.overcommits = False
        self.loads: dict[tuple[str, str], Load] = {}
        self.containers_of: dict[tuple[str, ...], Visibility.Gettable.ValueType] = {}
        self.hosted: set[tuple[str, str, str]] = set()
        self.shared = shared_nodepools(CATALOGUE) if with_shared else []

    def add_model(
        self,
        path: str,
        versions: Sequence[str] = ("v1",),
        *,
        needs: ComputeInfo | None = None,
        visibility: Visibility.Gettable.ValueType = PUBLIC,
        restriction: int = 0,
    ) -> None:
        user, app, id = key_of(path)
        self.models[key_of(path)] = Model(
            id=id,
            user_id=user,
            app_id=app,
            visibility=Visibility(gettable=visibility),
            deploy_restriction=restriction,  # type: ignore[arg-type]
        )
        self.versions_of[key_of(path)] = [
            ModelVersion(id=each, inference_compute_info=needs or ComputeInfo()) for each in versions
        ]

    def add_cluster(
        self,
        path: str,
        *,
        provider: str = "aws",
        cluster_type: str = "dedicated",
        visibility: Visibility.Gettable.ValueType = PUBLIC,
    ) -> None:
        user, id = key_of(path)
        self.clusters[key_of(path)] = ComputeCluster(
            id=id,
            user_id=user,
            cluster_type=cluster_type,
            cloud_provider=CloudProvider(id=provider),
            visibility=Visibility(gettable=visibility),
        )

    def add_nodepool(
        self,
        path: str,
        instances: str = "t3a.2xlarge",
        *,
        max_instances: int = 1,
        visibility: Visibility.Gettable.ValueType = PUBLIC,
        capacity: Sequence[NodeCapacityType.CapacityType.ValueType] = (),
        status: Nodepool.NodepoolStatus.ValueType = Nodepool.NODEPOOL_STATUS_READY,
    ) -> None:
        user, cluster, id = key_of(path)
        if (user, cluster) not in self.clusters:
            self.add_cluster(f"{user}/{cluster}")
        self.nodepools[key_of(path)] = Nodepool(
            id=id,
            compute_cluster=self.clusters[(user, cluster)],
            instance_types=[CATALOGUE.resolve(InstanceType(id=each)) for each in instances.split()],
            max_instances=max_instances,
            visibility=Visibility(gettable=visibility),
            node_capacity_type=NodeCapacityType(capacity_types=capacity),
            status=status,
        )

    def add_deployment(
        self,
        path: str,
        model: str,
        nodepools: Sequence[str],
        *,
        version: str = "v1",
        priorities: Sequence[int] = (),
        choice: Deployment.SchedulingChoice.ValueType = Deployment.UNKNOWN_SCHEDULING_CHOICE,
        latest: bool = False,
        disabled: bool = False,
        visibility: Visibility.Gettable.ValueType = PUBLIC,
    ) -> None:
        user, id = key_of(path)
        deployment = Deployment(
            id=id,
            user_id=user,
            worker=self._worker(model, version),
            scheduling_choice=choice,
            deploy_latest_version=latest,
            status=Deployment.DISABLED if disabled else Deployment.ENABLED,
            visibility=Visibility(gettable=visibility),
        )
        for number, nodepool in enumerate(nodepools):
            owner, cluster, nodepool_id = key_of(nodepool)
            where = ComputeCluster(id=cluster, user_id=owner)
            if priorities:
                priority = priorities[number]
                deployment.deployment_nodepools.append(
                    DeploymentNodepool(id=nodepool_id, compute_cluster=where, priority=priority)
                )
            else:
                deployment.nodepools.append(Nodepool(id=nodepool_id, compute_cluster=where))
        self.deployments[key_of(path)] = deployment

    def add_runner(self, path: str, model: str, version: str = "") -> None:
        self.runners[key_of(path)] = Runner(id=key_of(path)[3], worker=self._worker(model, version))

    def set_load(self, deployment: str, nodepool: str, load: Load) -> None:
        self.loads[(deployment, nodepool)] = load

    def _worker(self, model: str, version: str) -> Worker:
        user, app, id = key_of(model)
        served = Model(id=id, user_id=user, app_id=app, model_version=ModelVersion(id=version))
        return Worker(model=served)

    # The Landscape protocol

    def model(self, user: str, app: str, model: str) -> Model | None:
        return self.models.get((user, app, model))

    def model_ids(self, user: str, app: str) -> Sequence[str]:
        return [key[2] for key in self.models if key[:2] == (user, app)]

    def version(self, user: str, app: str, model: str, version: str) -> ModelVersion | None:
        versions = self.versions_of.get((user, app, model), [])
        if not version:
            return versions[-1] if versions else None
        return next((each for each in versions if each.id == version), None)

    def versions(self, user: str, app: str, model: str) -> Iterable[ModelVersion]:
        return reversed(self.versions_of.get((user, app, model), []))

    def deployment(self, user: str, id: str) -> Deployment | None:
        return self.deployments.get((user, id))

    def coming(self, user: str, id: str) -> Deployment | None:
        return self.coming_to.get((user, id))

    def deployment_ids(self, user: str) -> Sequence[str]:
        return [key[1] for key in self.deployments if key[0] == user]

    def deployments_of(self, user: str, app: str, model: str) -> Sequence[Deployment]:
        def serves(deployment: Deployment) -> bool:
            served = deployment.worker.model
            return (served.user_id, served.app_id, served.id) == (user, app, model)

        return [each for each in self.deployments.values() if serves(each)]

    def cluster(self, user: str, id: str) -> ComputeCluster | None:
        if self.shared and (user, id) == ("clarifai", "shared"):
            return shared_cluster()
        return self.clusters.get((user, id))

    def cluster_ids(self, user: str) -> Sequence[str]:
        return [key[1] for key in self.clusters if key[0] == user]

    def nodepool(self, user: str, cluster: str, id: str) -> Nodepool | None:
        return self.nodepools.get((user, cluster, id))

    def nodepool_ids(self, user: str, cluster: str) -> Sequence[str]:
        return [key[2] for key in self.nodepools if key[:2] == (user, cluster)]

    def runner(self, user: str, cluster: str, nodepool: str, runner_id: str) -> Runner | None:
        return self.runners.get((user, cluster, nodepool, runner_id))

    def runner_ids(self, user: str, cluster: str, nodepool: str) -> Sequence[str]:
        return [key[3] for key in self.runners if key[:3] == (user, cluster, nodepool)]

    def own_runners(self, user: str, cluster: str, nodepool: str) -> Sequence[Runner]:
        found = [runner for key, runner in self.runners.items() if key[:3] == (user, cluster, nodepool)]
        return found[::-1]

    def shared_nodepools(self) -> Sequence[Nodepool]:
        return self.shared

    def load(self, deployment_user: str, deployment_id: str, nodepool_key: NodepoolKey, version_id: str) -> Load:
        return self.loads.get((f"{deployment_user}/{deployment_id}", "/".join(nodepool_key)), IDLE)

    def can_see(self, caller: str, owner: str, visibility: Visibility) -> bool:
        return caller == owner or visibility.gettable == PUBLIC

    def is_hosted(self, user: str, app: str, model: str) -> bool:
        return user == "clarifai" or (user, app, model) in self.hosted

    def containers(self, user: str, app: str) -> Sequence[tuple[str, Visibility]]:
        found = self.containers_of.get((user,)), self.containers_of.get((user, app))
        names = ("its user's visibility", "its app's visibility")
        return [(name, Visibility(gettable=each)) for name, each in zip(names, found, strict=True) if each]
