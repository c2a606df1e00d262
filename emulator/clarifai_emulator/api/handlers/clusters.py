"""Compute clusters, nodepools and runners: where deployments can run. Deployments themselves: ``deployments``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from clarifai_grpc.grpc.api.resources_pb2 import (
    ComputeCluster,
    Deployment,
    DeploymentMetrics,
    InstanceType,
    NodeCapacityType,
    Nodepool,
    Runner,
    RunnerMetrics,
)
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.chain import Handler
from clarifai_emulator.api.handlers import deployments
from clarifai_emulator.api.handlers.verbs import serve
from clarifai_emulator.api.handlers.workers import prepare_worker, validate_worker
from clarifai_emulator.catalogue import CLARIFAI_USER, Catalogue
from clarifai_emulator.resources.identifiers import id_hint
from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.resources.rows import Draft, Match, Parent, Problem, Resource
from clarifai_emulator.store import Key, Kind

_CLUSTER_TYPES = ("dedicated", "local-dev", "shared")
_MANAGERS = ("clarifai", "user")
_CAPACITY_TYPES = (NodeCapacityType.ON_DEMAND_TYPE, NodeCapacityType.SPOT_TYPE)


class Metrics(Protocol):
    """What is running right now, for answers that show it."""

    def served(self, deployment: Deployment) -> Deployment:
        """The deployment as it serves now, while it is on its way to what it was told; else itself."""
        ...

    def deployment_metrics(self, deployment: Deployment) -> DeploymentMetrics:
        """Desired and live replicas, in all and per nodepool."""
        ...

    def runner_metrics(self, runner: Runner) -> RunnerMetrics:
        """Pods (replicas) of a runner."""
        ...


def handlers(resources: Resources, catalogue: Catalogue, metrics: Metrics) -> dict[str, Handler]:
    """The RPCs of compute clusters, nodepools, deployments and runners."""
    rows = _Compute(resources, catalogue, metrics)
    return {
        **serve(resources, _cluster_row(rows)),
        **serve(resources, _nodepool_row(rows)),
        **serve(resources, _runner_row(rows)),
        **deployments.handlers(resources, metrics.deployment_metrics, metrics.served),
    }


def _cluster_row(rows: _Compute) -> Resource:
    return Resource(
        kind=Kind.COMPUTE_CLUSTER,
        stem="ComputeCluster",
        name="compute_cluster",
        message=ComputeCluster,
        in_request="compute_cluster_id",
        does_not_exist=StatusCode.COMPUTE_CLUSTER_DOES_NOT_EXIST,
        invalid_argument=StatusCode.COMPUTE_CLUSTER_INVALID_ARGUMENT,
        validate=rows.validate_cluster,
        show=rows.show_cluster,
        before_delete=rows.before_delete_cluster,
    )


def _nodepool_row(rows: _Compute) -> Resource:
    return Resource(
        kind=Kind.NODEPOOL,
        stem="Nodepool",
        name="nodepool",
        message=Nodepool,
        in_request="nodepool_id",
        parents=(Parent(Kind.COMPUTE_CLUSTER, "compute_cluster_id", "compute_cluster.id"),),
        does_not_exist=StatusCode.NODEPOOL_DOES_NOT_EXIST,
        invalid_argument=StatusCode.NODEPOOL_INVALID_ARGUMENT,
        read_only=(
            "enforced_min_instances",
            "enforced_max_instances",
            "node_count",
            "status",
            "status_description",
        ),
        actions=("overwrite", "merge", "remove"),
        filters=("active_usage",),
        prepare=rows.prepare_nodepool,
        validate=rows.validate_nodepool,
        show=rows.show_nodepool,
        before_delete=rows.before_delete_nodepool,
        matches=rows.nodepool_matches,
    )


def _runner_row(rows: _Compute) -> Resource:
    return Resource(
        kind=Kind.RUNNER,
        stem="Runner",
        name="runner",
        message=Runner,
        in_request="runner_id",
        parents=(
            Parent(Kind.COMPUTE_CLUSTER, "compute_cluster_id", "nodepool.compute_cluster.id"),
            Parent(Kind.NODEPOOL, "nodepool_id", "nodepool.id"),
        ),
        does_not_exist=StatusCode.RUNNER_DOES_NOT_EXIST,
        invalid_argument=StatusCode.RUNNER_INVALID_ARGUMENT,
        assigns_id=True,
        read_only=("runner_metrics",),
        actions=("overwrite", "merge", "remove"),
        filters=("min_replicas", "model_version_ids"),
        prepare=rows.prepare_runner,
        validate=rows.validate_runner,
        show=rows.show_runner,
        matches=rows.runner_matches,
    )


@dataclass(frozen=True, slots=True)
class _Compute:
    resources: Resources
    catalogue: Catalogue
    metrics: Metrics

    def validate_cluster(self, draft: Draft) -> Iterator[Problem]:
        cluster = draft.message
        if not cluster.region:
            yield Problem("region", "must not be empty")
        yield from _one_of("cluster_type", cluster.cluster_type, _CLUSTER_TYPES)
        yield from _one_of("managed_by", cluster.managed_by, _MANAGERS)
        if cluster.cluster_type == "shared" and draft.owner != CLARIFAI_USER:
            yield Problem("cluster_type", "only Clarifai has shared clusters; use 'dedicated' or 'local-dev'")
        yield from self._provider_problems(cluster)
        owner = next(
            (key[0] for key in self.resources.store.keys(Kind.KEY) if key[1] == cluster.key.id), draft.owner
        )
        if cluster.key.id and owner != draft.owner:
            yield Problem(
                "key", f"belongs to user {owner!r}; a cluster of {draft.owner!r} needs a key of that user"
            )

    def _provider_problems(self, cluster: ComputeCluster) -> Iterator[Problem]:
        known = [provider.id for provider in self.catalogue.providers()]
        provider = cluster.cloud_provider.id
        if not provider:
            yield Problem("cloud_provider.id", f"must not be empty; {id_hint('', known, noun='cloud provider')}")
        elif provider not in known and cluster.managed_by != "user":
            hint = id_hint(provider, known, noun="cloud provider")
            yield Problem("cloud_provider.id", f"{provider!r} is not a cloud provider of the platform. {hint}")

    def show_cluster(self, key: Key, cluster: ComputeCluster, viewer: str) -> None:
        """Hide the key: it is a PAT (proto comment of ``key``). Others than the owner see nothing of it."""
        cluster.key.ClearField("id")
        if not self.resources.organisations.may_change(viewer, key[0]):
            cluster.ClearField("key")

    def before_delete_cluster(self, key: Key) -> None:
        self.resources.delete(Kind.NODEPOOL, list(self.resources.store.keys(Kind.NODEPOOL, key)))

    def prepare_nodepool(self, draft: Draft) -> None:
        nodepool = draft.message
        nodepool.compute_cluster.Clear()
        nodepool.compute_cluster.id = draft.key[1]
        nodepool.compute_cluster.user_id = draft.owner
        if not nodepool.node_capacity_type.capacity_types:
            nodepool.node_capacity_type.capacity_types.append(NodeCapacityType.ON_DEMAND_TYPE)
        resolved = [self._resolved(each) for each in nodepool.instance_types]
        nodepool.ClearField("instance_types")
        nodepool.instance_types.extend(resolved)
        # The emulator has no plans that could limit what was asked for.
        nodepool.enforced_min_instances = nodepool.min_instances
        nodepool.enforced_max_instances = nodepool.max_instances
        if draft.old is None:
            nodepool.status = Nodepool.NODEPOOL_STATUS_READY

    def validate_nodepool(self, draft: Draft) -> Iterator[Problem]:
        nodepool = draft.message
        if not nodepool.instance_types:
            yield Problem("instance_types", "must name at least one instance type")
        for index, instance in enumerate(nodepool.instance_types):
            yield from self._instance_problems(f"instance_types[{index}]", instance)
        for capacity in nodepool.node_capacity_type.capacity_types:
            if capacity not in _CAPACITY_TYPES:
                yield Problem(
                    "node_capacity_type.capacity_types", f"{capacity} is neither 1 (on demand) nor 2 (spot)"
                )
        if nodepool.min_instances > nodepool.max_instances:
            yield Problem(
                "min_instances", f"{nodepool.min_instances} is more than max_instances {nodepool.max_instances}"
            )
        owner = draft.given.compute_cluster.user_id
        if owner not in ("", "me", draft.owner):
            yield Problem("compute_cluster.user_id", f"is {owner!r}; a nodepool belongs to its cluster's user")
        named = draft.given.compute_cluster.id
        if named not in ("", draft.key[1]):
            yield Problem("compute_cluster.id", f"is {named!r}, but the request is about cluster {draft.key[1]!r}")

    def _resolved(self, instance: InstanceType) -> InstanceType:
        """The instance type with the catalogue's sizes. ``clarifai model deploy`` without ``--instance`` asks for
        an id of an older catalogue, ``cpu-t3a-2xlarge``: it gets the sizes of today's ``t3a.2xlarge``."""
        if self.catalogue.find(instance.id) is not None or instance.HasField("compute_info"):
            return self.catalogue.resolve(instance)
        named = instance.id.removeprefix("cpu-")
        today = next((each for each in self._known_types() if each.id.replace(".", "-") == named), instance)
        resolved = InstanceType()
        resolved.CopyFrom(today)
        resolved.id = instance.id
        return resolved

    def _known_types(self) -> Iterator[InstanceType]:
        for provider in self.catalogue.providers():
            for region in self.catalogue.regions(provider.id):
                yield from self.catalogue.instance_types(provider.id, region)

    def _instance_problems(self, where: str, instance: InstanceType) -> Iterable[Problem]:
        if not instance.id:
            return [Problem(f"{where}.id", "must not be empty")]
        if self.catalogue.find(instance.id) is not None or instance.HasField("compute_info"):
            return []
        types = [each.id for each in self._known_types()]
        hint = id_hint(instance.id, types, noun="instance type")
        text = f"instance type {instance.id!r} is not known. {hint} Or give its compute_info"
        return [Problem(f"{where}.id", text, StatusCode.INSTANCE_TYPE_DOES_NOT_EXIST)]

    def show_nodepool(self, key: Key, nodepool: Nodepool, viewer: str) -> None:
        nodepool.compute_cluster.CopyFrom(self.resources.shown(Kind.COMPUTE_CLUSTER, key[:2], viewer))

    def before_delete_nodepool(self, key: Key) -> None:
        self.resources.delete(Kind.RUNNER, list(self.resources.store.keys(Kind.RUNNER, key)))
        deployments.leave_nodepool(self.resources, key)

    def nodepool_matches(self, request: Any) -> Match | None:
        if not request.active_usage:
            return None
        return lambda key, _: any(
            self._replicas(runner) >= 1 for runner in self.resources.store.list(Kind.RUNNER, key)
        )

    def runner_matches(self, request: Any) -> Match:
        versions = set(request.model_version_ids)

        def match(_key: Key, runner: Any) -> bool:
            version = runner.worker.model.model_version.id
            return self._replicas(runner) >= request.min_replicas and (not versions or version in versions)

        return match

    def _replicas(self, runner: Runner) -> int:
        """How many a runner has: what its user says of it, or what the emulator started."""
        return max(runner.num_replicas, self.metrics.runner_metrics(runner).pods_total)

    def prepare_runner(self, draft: Draft) -> None:
        runner = draft.message
        runner.nodepool.Clear()
        runner.nodepool.id = draft.key[2]
        runner.nodepool.compute_cluster.id = draft.key[1]
        runner.nodepool.compute_cluster.user_id = draft.owner
        prepare_worker(runner.worker, draft.owner, self.resources.store)

    def validate_runner(self, draft: Draft) -> Iterable[Problem]:
        return validate_worker(draft.message.worker, draft.owner, self.resources)

    def show_runner(self, key: Key, runner: Runner, viewer: str) -> None:
        runner.nodepool.CopyFrom(self.resources.shown(Kind.NODEPOOL, key[:3], viewer))
        runner.runner_metrics.CopyFrom(self.metrics.runner_metrics(self.resources.stored(Kind.RUNNER, key)))


def _one_of(where: str, value: str, allowed: tuple[str, ...]) -> Iterator[Problem]:
    if value not in allowed:
        yield Problem(where, f"{value!r} is none of {', '.join(allowed)}")
