"""Describes deployments: the model that runs in nodepools, and how it scales."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import (
    AutoscaleConfig,
    ComputeCluster,
    Deployment,
    DeploymentNodepool,
    Nodepool,
    Worker,
)
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.messages import not_found
from clarifai_emulator.resources.identifiers import id_hint
from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.resources.rows import Draft, Match, Problem, Resource
from clarifai_emulator.resources.workers import (
    newest_version,
    prepare_worker,
    served_version,
    show_worker,
    validate_worker,
)
from clarifai_emulator.store import Key, Kind

log = logging.getLogger(__name__)

MAX_PRIORITY = 9

# What a deployment made in the docs shows where its author set nothing.
_AUTOSCALE_DEFAULTS = {
    "traffic_history_seconds": 300,
    "scale_up_delay_seconds": 300,
    "scale_down_delay_seconds": 300,
}
_DEFAULT_MAX_REPLICAS = 5
_DEFAULT_SCALE_TO_ZERO_SECONDS = 1800


@dataclass(frozen=True, slots=True)
class NodepoolRef:
    """A nodepool of a deployment; a higher ``priority`` (0 to 9) is served first."""

    cluster_id: str
    nodepool_id: str
    priority: int = 0


def nodepool_refs(deployment: Deployment) -> list[NodepoolRef]:
    """The nodepools of a stored deployment, whichever of its two fields holds them."""
    return [
        NodepoolRef(each.compute_cluster.id, each.id, each.priority) for each in deployment.deployment_nodepools
    ] or [NodepoolRef(each.compute_cluster.id, each.id) for each in deployment.nodepools]


def leave_nodepool(resources: Resources, nodepool: Key) -> None:
    """Take a nodepool that goes away out of its user's deployments; one that has no other goes with it."""
    user, cluster_id, nodepool_id = nodepool
    for key in list(resources.store.keys(Kind.DEPLOYMENT, (user,))):
        stored = resources.stored(Kind.DEPLOYMENT, key)
        refs = nodepool_refs(stored)
        kept = [ref for ref in refs if (ref.cluster_id, ref.nodepool_id) != (cluster_id, nodepool_id)]
        if len(kept) == len(refs):
            continue
        if not kept:
            resources.delete(Kind.DEPLOYMENT, [key])
            continue
        changed = Deployment()
        changed.CopyFrom(stored)
        _set_nodepools(changed, user, kept)
        resources.store.put(Kind.DEPLOYMENT, key, changed)


def _prepare(resources: Resources, draft: Draft) -> None:
    _prepare_worker(resources, draft)
    _prepare_nodepools(resources, draft)
    _fill_autoscaling(draft.message.autoscale_config)
    # ENABLED is the zero value and cannot be seen in a patch; a patch of nothing else must mean it.
    if draft.is_patch and [each.name for each, _ in draft.given.ListFields()] == ["id"]:
        draft.message.status = Deployment.ENABLED


def _prepare_worker(resources: Resources, draft: Draft) -> None:
    message, given, store = draft.message, draft.given, resources.store
    if draft.is_patch and given.HasField("worker"):
        _pass_over_worker(draft)
    is_worker_meant = given.HasField("worker") and not draft.is_patch
    if given.HasField("desired_worker"):
        message.worker.CopyFrom(message.desired_worker)
    elif is_worker_meant:
        message.desired_worker.CopyFrom(message.worker)
    for worker in (message.worker, message.desired_worker):
        if worker.WhichOneof("worker"):
            prepare_worker(worker, draft.owner, store)
    model = message.desired_worker.model
    named = given.HasField("desired_worker") or is_worker_meant
    if draft.old is not None and named and model.model_version.id and not given.deploy_latest_version:
        message.deploy_latest_version = False
    if named and not model.model_version.id and not message.deploy_latest_version:
        newest = newest_version(store, message.desired_worker)
        message.deploy_latest_version = not newest and message.desired_worker.HasField("model")
        if newest:
            message.worker.model.model_version.id = newest
            model.model_version.id = newest


def _pass_over_worker(draft: Draft) -> None:
    """Leave a deployment's ``worker`` as it is: the platform shows there what runs, and passes over what a patch
    says of it (clarifai-python #1024)."""
    draft.message.worker.CopyFrom(draft.old.worker if draft.old is not None else Worker())
    if not draft.given.HasField("desired_worker"):
        log.warning(
            "The patch of deployment %s/%s changes nothing of what it runs: the platform passes over `worker` in a "
            "patch. Set `desired_worker`.",
            *draft.key,
        )


def _prepare_nodepools(resources: Resources, draft: Draft) -> None:
    message, given = draft.message, draft.given
    if draft.old is not None and given.deployment_nodepools and not given.nodepools:
        message.ClearField("nodepools")
    if draft.old is not None and given.nodepools and not given.deployment_nodepools:
        message.ClearField("deployment_nodepools")
    if message.nodepools and message.deployment_nodepools:
        return
    refs = nodepool_refs(message)
    _set_nodepools(message, draft.owner, [_with_cluster(resources, draft.owner, ref) for ref in refs])


def _with_cluster(resources: Resources, owner: str, ref: NodepoolRef) -> NodepoolRef:
    if ref.cluster_id:
        return ref
    clusters = [key[1] for key in resources.store.keys(Kind.NODEPOOL, (owner,)) if key[2] == ref.nodepool_id]
    return NodepoolRef(clusters[0], ref.nodepool_id, ref.priority) if len(clusters) == 1 else ref


def _validate(resources: Resources, draft: Draft) -> Iterator[Problem]:
    message = draft.message
    yield from validate_worker(message.desired_worker, draft.owner, resources)
    if message.nodepools and message.deployment_nodepools:
        yield Problem("deployment_nodepools", "cannot be set together with nodepools; leave nodepools out")
    else:
        yield from _nodepool_problems(resources, draft)
    yield from _autoscaling_problems(message.autoscale_config)
    for name, enum in (("scheduling_choice", Deployment.SchedulingChoice), ("status", Deployment.Status)):
        value = getattr(message, name)
        if value not in enum.values():
            yield Problem(name, f"{value} is none of {', '.join(f'{n} {k}' for k, n in enum.items())}")


def _nodepool_problems(resources: Resources, draft: Draft) -> Iterator[Problem]:
    refs = nodepool_refs(draft.message)
    field = "deployment_nodepools" if draft.given.deployment_nodepools else "nodepools"
    if not refs:
        yield Problem(field, "must name at least one nodepool")
    foreign: set[int] = set()
    for index, given in enumerate(getattr(draft.given, field)):
        owner = given.compute_cluster.user_id
        if owner not in ("", "me", draft.owner):
            foreign.add(index)
            yield Problem(
                f"{field}[{index}].compute_cluster.user_id",
                f"is {owner!r}, but nodepools must belong to the deployment's user {draft.owner!r}",
            )
    for index, ref in enumerate(refs):
        where = f"{field}[{index}]"
        if ref.priority > MAX_PRIORITY:
            yield Problem(f"{where}.priority", f"{ref.priority} is not between 0 and {MAX_PRIORITY}")
        if any((ref.cluster_id, ref.nodepool_id) == (each.cluster_id, each.nodepool_id) for each in refs[:index]):
            yield Problem(f"{where}.id", f"nodepool {ref.nodepool_id!r} is listed twice")
        if index not in foreign:
            yield from _missing_nodepool(resources, where, draft.owner, ref)


def _missing_nodepool(resources: Resources, where: str, owner: str, ref: NodepoolRef) -> Iterator[Problem]:
    store = resources.store
    if store.get(Kind.NODEPOOL, (owner, ref.cluster_id, ref.nodepool_id)) is not None:
        return
    if ref.cluster_id and store.get(Kind.COMPUTE_CLUSTER, (owner, ref.cluster_id)) is None:
        hint = id_hint(ref.cluster_id, (key[1] for key in store.keys(Kind.COMPUTE_CLUSTER, (owner,))),
                       noun="compute cluster")  # fmt: skip
        text = f"compute cluster {ref.cluster_id!r} does not exist for user {owner!r}. {hint}"
        yield Problem(where, text.rstrip("."), StatusCode.COMPUTE_CLUSTER_DOES_NOT_EXIST)
        return
    below = (owner, ref.cluster_id) if ref.cluster_id else (owner,)
    names = [key[2] for key in store.keys(Kind.NODEPOOL, below)]
    place = f"compute cluster {ref.cluster_id!r}" if ref.cluster_id else "any compute cluster"
    if names.count(ref.nodepool_id) > 1:
        yield Problem(f"{where}.compute_cluster.id", f"must say in which cluster nodepool {ref.nodepool_id!r} is")
        return
    hint = id_hint(ref.nodepool_id, names, noun="nodepool")
    text = f"nodepool {ref.nodepool_id!r} does not exist in {place} of user {owner!r}. {hint}"
    yield Problem(where, text.rstrip("."), StatusCode.NODEPOOL_DOES_NOT_EXIST)


def _show(resources: Resources, key: Key, deployment: Deployment, viewer: str) -> None:
    """Fill in whole nodepools (those that the viewer may see), the version that is served now, the metrics."""
    for each in deployment.nodepools:
        each.CopyFrom(_nodepool(resources, key[0], each, viewer))
    for each in deployment.deployment_nodepools:
        nodepool = _nodepool(resources, key[0], each, viewer)
        each.nodepool.CopyFrom(nodepool)
        each.compute_cluster.CopyFrom(nodepool.compute_cluster)
    if deployment.deploy_latest_version and deployment.worker.HasField("model"):
        deployment.worker.model.model_version.id = served_version(resources.store, deployment)
    stored = resources.stored(Kind.DEPLOYMENT, key)
    if (now := resources.metrics.served(stored)) is not stored:
        deployment.worker.CopyFrom(now.worker)
    show_worker(resources, deployment.worker, viewer)
    show_worker(resources, deployment.desired_worker, viewer)
    deployment.deployment_metrics.CopyFrom(resources.metrics.deployment_metrics(stored))


def _nodepool(resources: Resources, owner: str, ref: Any, viewer: str) -> Nodepool:
    nodepool = (owner, ref.compute_cluster.id, ref.id)
    if resources.visible(Kind.NODEPOOL, nodepool, viewer):
        return resources.shown(Kind.NODEPOOL, nodepool, viewer)
    return Nodepool(id=ref.id, compute_cluster=ComputeCluster(id=ref.compute_cluster.id, user_id=owner))


def _matches(resources: Resources, request: Any) -> Match:
    versions = set(request.model_version_ids)
    priorities = set(request.scheduling_priorities)

    def match(_key: Key, deployment: Any) -> bool:
        in_nodepool = any(
            request.nodepool_id in ("", ref.nodepool_id)
            and request.compute_cluster_id in ("", ref.cluster_id)
            and (not priorities or ref.priority in priorities)
            for ref in nodepool_refs(deployment)
        )
        return (
            in_nodepool
            and not request.workflow_version_ids  # no deployment here serves a workflow
            and (not versions or served_version(resources.store, deployment) in versions)
        )

    return match


def _set_nodepools(deployment: Deployment, owner: str, refs: list[NodepoolRef]) -> None:
    """Hold nodepools in the field that answers use: ``nodepools`` unless a priority says otherwise."""
    deployment.ClearField("nodepools")
    deployment.ClearField("deployment_nodepools")
    for ref in refs:
        cluster = ComputeCluster(id=ref.cluster_id, user_id=owner)
        if any(each.priority for each in refs):
            deployment.deployment_nodepools.append(
                DeploymentNodepool(id=ref.nodepool_id, compute_cluster=cluster, priority=ref.priority)
            )
        else:
            deployment.nodepools.append(Nodepool(id=ref.nodepool_id, compute_cluster=cluster))


def _fill_autoscaling(scaling: AutoscaleConfig) -> None:
    for name, seconds in _AUTOSCALE_DEFAULTS.items():
        if not getattr(scaling, name):
            setattr(scaling, name, seconds)
    if not scaling.max_replicas:
        scaling.max_replicas = max(_DEFAULT_MAX_REPLICAS, scaling.min_replicas)
    if not scaling.scale_to_zero_delay_seconds:
        scaling.scale_to_zero_delay_seconds = max(_DEFAULT_SCALE_TO_ZERO_SECONDS, scaling.scale_down_delay_seconds)


def _autoscaling_problems(scaling: AutoscaleConfig) -> Iterator[Problem]:
    if scaling.min_replicas > scaling.max_replicas:
        yield Problem(
            "autoscale_config.min_replicas",
            f"{scaling.min_replicas} is more than max_replicas {scaling.max_replicas}",
        )
    if scaling.scale_to_zero_delay_seconds < scaling.scale_down_delay_seconds:
        yield Problem(
            "autoscale_config.scale_to_zero_delay_seconds",
            f"{scaling.scale_to_zero_delay_seconds} is less than "
            f"scale_down_delay_seconds {scaling.scale_down_delay_seconds}",
        )


DEPLOYMENT = Resource(
    kind=Kind.DEPLOYMENT,
    message=Deployment,
    does_not_exist=StatusCode.CONN_DOES_NOT_EXIST,
    not_found=not_found.DEPLOYMENT,
    unknown_ids=StatusCode.DEPLOYMENT_INVALID_REQUEST,
    read_only=("deployment_metrics",),
    filters=(
        "nodepool_id",
        "compute_cluster_id",
        "model_version_ids",
        "workflow_version_ids",
        "scheduling_priorities",
    ),
    prepare=_prepare,
    validate=_validate,
    show=_show,
    matches=_matches,
)
