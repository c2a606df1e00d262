"""Describes compute clusters, nodepools and runners: the places where deployments run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import (
    ComputeCluster,
    InstanceType,
    NodeCapacityType,
    Nodepool,
    Runner,
)
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.catalogue import ALL, CLARIFAI_USER, USER_RUN
from clarifai_emulator.messages import not_found
from clarifai_emulator.resources.deployment_rows import leave_nodepool
from clarifai_emulator.resources.identifiers import id_hint
from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.resources.rows import Draft, Match, ParentField, Problem, Resource
from clarifai_emulator.resources.workers import prepare_worker, validate_worker
from clarifai_emulator.store import Key, Kind, Store

HIDDEN = "****"  # stands for the id of a key in answers
_CLUSTER_TYPES = ("dedicated", USER_RUN, "shared")
_MANAGERS = ("clarifai", "user")
_CAPACITY_TYPES = (NodeCapacityType.ON_DEMAND_TYPE, NodeCapacityType.SPOT_TYPE)


def _prepare_cluster(_: Resources, draft: Draft) -> None:
    """Keep the key of a cluster that comes back as an answer showed it."""
    if draft.message.key.id == HIDDEN:
        draft.message.key.id = draft.old.key.id if draft.old is not None else ""


def _validate_cluster(resources: Resources, draft: Draft) -> Iterator[Problem]:
    cluster = draft.message
    if not cluster.region:
        yield Problem("region", "must not be empty")
    yield from _one_of("cluster_type", cluster.cluster_type, _CLUSTER_TYPES)
    yield from _one_of("managed_by", cluster.managed_by, _MANAGERS)
    if cluster.cluster_type == "shared" and draft.owner != CLARIFAI_USER:
        yield Problem("cluster_type", "only Clarifai has shared clusters; use 'dedicated' or 'local-dev'")
    yield from _provider_problems(resources, cluster)
    owner = next((key[0] for key in resources.store.keys(Kind.KEY) if key[1] == cluster.key.id), draft.owner)
    if cluster.key.id and owner != draft.owner:
        yield Problem("key", f"belongs to user {owner!r}; a cluster of {draft.owner!r} needs a key of that user")


def _provider_problems(resources: Resources, cluster: ComputeCluster) -> Iterator[Problem]:
    known = [provider.id for provider in resources.catalogue.providers()]
    provider = cluster.cloud_provider.id
    if not provider:
        yield Problem("cloud_provider.id", f"must not be empty; {id_hint('', known, noun='cloud provider')}")
    elif provider not in known and cluster.managed_by != "user":
        hint = id_hint(provider, known, noun="cloud provider")
        yield Problem("cloud_provider.id", f"{provider!r} is not a cloud provider of the platform. {hint}")


def _show_cluster(resources: Resources, key: Key, cluster: ComputeCluster, viewer: str) -> None:
    """Hide the key: it is a PAT. Its id is written as the platform writes it (Clarifai/docs
    ``get_deployment_output.txt``). Others than the owner see nothing of it."""
    if cluster.key.id:
        cluster.key.id = HIDDEN
    if not resources.organisations.may_change(viewer, key[0]):
        cluster.ClearField("key")


def _prepare_nodepool(resources: Resources, draft: Draft) -> None:
    nodepool = draft.message
    nodepool.compute_cluster.Clear()
    nodepool.compute_cluster.id = draft.key[1]
    nodepool.compute_cluster.user_id = draft.owner
    if not nodepool.node_capacity_type.capacity_types:
        nodepool.node_capacity_type.capacity_types.append(NodeCapacityType.ON_DEMAND_TYPE)
    resolved = [_resolved(resources, each) for each in nodepool.instance_types]
    nodepool.ClearField("instance_types")
    nodepool.instance_types.extend(resolved)
    # The emulator has no plans that could limit what was asked for.
    nodepool.enforced_min_instances = nodepool.min_instances
    nodepool.enforced_max_instances = nodepool.max_instances
    if draft.old is None:
        nodepool.status = Nodepool.NODEPOOL_STATUS_READY


def _validate_nodepool(resources: Resources, draft: Draft) -> Iterator[Problem]:
    nodepool = draft.message
    if not nodepool.instance_types:
        yield Problem("instance_types", "must name at least one instance type")
    for index, instance in enumerate(nodepool.instance_types):
        yield from _instance_problems(resources, f"instance_types[{index}]", instance)
    for capacity in nodepool.node_capacity_type.capacity_types:
        if capacity not in _CAPACITY_TYPES:
            yield Problem("node_capacity_type.capacity_types", f"{capacity} is neither 1 (on demand) nor 2 (spot)")
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


def _resolved(resources: Resources, instance: InstanceType) -> InstanceType:
    """The instance type with the catalogue's sizes. ``clarifai model deploy`` without ``--instance`` asks for
    an id of an older catalogue, ``cpu-t3a-2xlarge``: it gets the sizes of today's ``t3a.2xlarge``."""
    if resources.catalogue.find(instance.id) is not None or instance.HasField("compute_info"):
        return resources.catalogue.resolve(instance)
    named = instance.id.removeprefix("cpu-")
    today = next((each for each in _known_types(resources) if each.id.replace(".", "-") == named), instance)
    resolved = InstanceType()
    resolved.CopyFrom(today)
    resolved.id = instance.id
    return resolved


def _known_types(resources: Resources) -> Sequence[InstanceType]:
    return resources.catalogue.instance_types(ALL, ALL)


def _instance_problems(resources: Resources, where: str, instance: InstanceType) -> Iterable[Problem]:
    if not instance.id:
        return [Problem(f"{where}.id", "must not be empty")]
    if resources.catalogue.find(instance.id) is not None or instance.HasField("compute_info"):
        return []
    types = [each.id for each in _known_types(resources)]
    hint = id_hint(instance.id, types, noun="instance type")
    text = f"instance type {instance.id!r} is not known. {hint} Or give its compute_info"
    return [Problem(f"{where}.id", text, StatusCode.INSTANCE_TYPE_DOES_NOT_EXIST)]


def _show_nodepool(resources: Resources, key: Key, nodepool: Nodepool, viewer: str) -> None:
    nodepool.compute_cluster.CopyFrom(resources.shown(Kind.COMPUTE_CLUSTER, key[:2], viewer))


def _before_delete_nodepool(resources: Resources, key: Key) -> None:
    resources.delete(Kind.RUNNER, list(resources.store.keys(Kind.RUNNER, key)))
    leave_nodepool(resources, key)


def _nodepool_matches(resources: Resources, request: Any) -> Match | None:
    if not request.active_usage:
        return None
    return lambda key, _: any(
        _replicas(resources, runner) >= 1 for runner in resources.store.list(Kind.RUNNER, key)
    )


def _runner_matches(resources: Resources, request: Any) -> Match:
    versions = set(request.model_version_ids)

    def match(_key: Key, runner: Any) -> bool:
        version = runner.worker.model.model_version.id
        return _replicas(resources, runner) >= request.min_replicas and (not versions or version in versions)

    return match


def _replicas(resources: Resources, runner: Runner) -> int:
    """Count a runner's replicas: as many as its user says, or as the emulator started."""
    return max(runner.num_replicas, resources.metrics.runner_metrics(runner).pods_total)


def _prepare_runner(resources: Resources, draft: Draft) -> None:
    runner = draft.message
    runner.nodepool.Clear()
    runner.nodepool.id = draft.key[2]
    runner.nodepool.compute_cluster.id = draft.key[1]
    runner.nodepool.compute_cluster.user_id = draft.owner
    prepare_worker(runner.worker, draft.owner, resources.store)


def _validate_runner(resources: Resources, draft: Draft) -> Iterable[Problem]:
    return validate_worker(draft.message.worker, draft.owner, resources)


def _show_runner(resources: Resources, key: Key, runner: Runner, viewer: str) -> None:
    runner.nodepool.CopyFrom(resources.shown(Kind.NODEPOOL, key[:3], viewer))
    runner.runner_metrics.CopyFrom(resources.metrics.runner_metrics(resources.stored(Kind.RUNNER, key)))


def _one_of(where: str, value: str, allowed: tuple[str, ...]) -> Iterator[Problem]:
    if value not in allowed:
        yield Problem(where, f"{value!r} is none of {', '.join(allowed)}")


def _is_of_a_user(_: Store, key: Key) -> bool:
    """Tell whether compute outlives the process: Clarifai's shared compute is made anew by each run."""
    return key[0] != CLARIFAI_USER


def _is_run_by_its_user(store: Store, key: Key) -> bool:
    """Tell whether a runner outlives the process: the emulator's own replicas make theirs anew."""
    cluster = store.get(Kind.COMPUTE_CLUSTER, key[:2])
    return cluster is not None and cluster.cluster_type == USER_RUN


COMPUTE_CLUSTER = Resource(
    kind=Kind.COMPUTE_CLUSTER,
    message=ComputeCluster,
    prepare=_prepare_cluster,
    does_not_exist=StatusCode.CONN_DOES_NOT_EXIST,
    not_found=not_found.COMPUTE_CLUSTER,
    unknown_ids=StatusCode.COMPUTE_CLUSTER_INVALID_REQUEST,
    validate=_validate_cluster,
    show=_show_cluster,
    is_kept=_is_of_a_user,
)


NODEPOOL = Resource(
    kind=Kind.NODEPOOL,
    message=Nodepool,
    does_not_exist=StatusCode.CONN_DOES_NOT_EXIST,
    not_found=not_found.NODEPOOL,
    unknown_ids=StatusCode.NODEPOOL_INVALID_REQUEST,
    parents=(ParentField(Kind.COMPUTE_CLUSTER, "compute_cluster_id", "compute_cluster.id"),),
    read_only=(
        "enforced_min_instances",
        "enforced_max_instances",
        "node_count",
        "status",
        "status_description",
    ),
    actions=("overwrite", "merge", "remove"),
    filters=("active_usage",),
    prepare=_prepare_nodepool,
    validate=_validate_nodepool,
    show=_show_nodepool,
    before_delete=_before_delete_nodepool,
    is_kept=_is_of_a_user,
    matches=_nodepool_matches,
)


RUNNER = Resource(
    kind=Kind.RUNNER,
    message=Runner,
    unknown_ids=StatusCode.RUNNER_INVALID_REQUEST,
    parents=(
        ParentField(Kind.COMPUTE_CLUSTER, "compute_cluster_id", "nodepool.compute_cluster.id"),
        ParentField(Kind.NODEPOOL, "nodepool_id", "nodepool.id"),
    ),
    assigns_id=True,
    read_only=("runner_metrics",),
    actions=("overwrite", "merge", "remove"),
    filters=("min_replicas", "model_version_ids"),
    prepare=_prepare_runner,
    validate=_validate_runner,
    show=_show_runner,
    matches=_runner_matches,
    is_kept=_is_run_by_its_user,
)
