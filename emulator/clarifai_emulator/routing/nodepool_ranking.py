"""Finds the nodepools of a deployment that can take a request, in order, and why not the others.

nodepools of the deployment ─► usable? ─► by priority ─► equals by scheduling_choice ─► full ones last
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import (
    ComputeInfo,
    Deployment,
    InstanceType,
    ModelVersion,
    NodeCapacityType,
    Nodepool,
)

from clarifai_emulator.catalogue import CLARIFAI_USER, LOCAL_PROVIDER, USER_RUN, fits, price_of, speed_of
from clarifai_emulator.messages.address import ModelKey, NodepoolKey
from clarifai_emulator.routing.decision import Ask, Candidate, Landscape, Load


@dataclass(frozen=True, slots=True)
class Wanted:
    """The version of a model that has to run, for this request."""

    ask: Ask
    model: ModelKey
    version: ModelVersion


@dataclass(frozen=True, slots=True)
class Place:
    """A usable nodepool of a deployment. ``instances``: those of its instance types that fit."""

    key: NodepoolKey
    nodepool: Nodepool
    priority: int
    load: Load
    instances: tuple[InstanceType, ...]
    needs: ComputeInfo
    is_local: bool
    draw: str

    @property
    def price(self) -> Decimal:
        """Return the price of the cheapest fitting instance type."""
        return min((price_of(each) for each in self.instances), default=Decimal("Infinity"))

    @property
    def speed(self) -> tuple[int, ...]:
        """Return the speed of the fastest fitting instance type."""
        accelerated = self.needs.num_accelerators > 0
        return max((speed_of(each, accelerated=accelerated) for each in self.instances), default=())

    @property
    def capacity_types(self) -> frozenset[int]:
        """Spot, on demand, or both; on demand when the nodepool does not say."""
        return frozenset(self.nodepool.node_capacity_type.capacity_types) or frozenset({ON_DEMAND})


@dataclass(frozen=True, slots=True)
class Scheduling:
    """A ``scheduling_choice``: what it means here, and the order it gives nodepools of equal priority."""

    meaning: str
    order: Callable[[Place], tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Ranking:
    """Usable nodepools in order of preference, why the first is first, and the others.

    ``problem`` is set, and ``places`` empty, when the deployment cannot be used at all.
    """

    places: tuple[Place, ...] = ()
    why: str = ""
    rejected: tuple[Candidate, ...] = ()
    problem: str = ""
    is_ambiguous: bool = False


SPOT, ON_DEMAND = NodeCapacityType.SPOT_TYPE, NodeCapacityType.ON_DEMAND_TYPE

SCHEDULING: dict[int, Scheduling] = {
    Deployment.UNKNOWN_SCHEDULING_CHOICE: Scheduling("in the order the deployment lists them", lambda place: ()),
    Deployment.FAIL: Scheduling("refused when several are equal", lambda place: ()),
    Deployment.RANDOM: Scheduling("drawn by the request", lambda place: (place.draw,)),
    Deployment.PRICE: Scheduling("cheapest fitting instance type", lambda place: (place.price,)),
    Deployment.PERFORMANCE: Scheduling(
        "fastest fitting instance type", lambda place: tuple(-each for each in place.speed)
    ),
    Deployment.NETWORK: Scheduling(
        "this machine, then the lowest latency measured", lambda place: (not place.is_local, place.load.latency_ms)
    ),
    Deployment.UTILIZATION: Scheduling(
        "least used", lambda place: (place.load.queued, -place.load.free_slots, -place.load.startable_replicas)
    ),
    # A nodepool with both kinds takes spot first (proto), so it comes after one with on demand only.
    Deployment.PREFER_SPOT: Scheduling("spot before on demand", lambda place: (SPOT not in place.capacity_types,)),
    Deployment.PREFER_ONDEMAND: Scheduling(
        "on demand before spot",
        lambda place: (ON_DEMAND not in place.capacity_types, SPOT in place.capacity_types),
    ),
}


def nodepool_keys(deployment: Deployment) -> dict[NodepoolKey, int]:
    """Return the deployment's nodepools as it lists them, each with its priority (0–9, higher first).

    ``deployment_nodepools`` carries priorities; ``nodepools`` is the older field without. A nodepool whose
    cluster names no user belongs to the deployment's user.
    """
    found: dict[NodepoolKey, int] = {}
    for each in deployment.deployment_nodepools:
        user = each.compute_cluster.user_id or deployment.user_id
        found.setdefault((user, each.compute_cluster.id, each.id), each.priority)
    for each in deployment.nodepools:
        user = each.compute_cluster.user_id or deployment.user_id
        found.setdefault((user, each.compute_cluster.id, each.id), 0)
    return found


def nodepool_key(nodepool: Nodepool) -> NodepoolKey:
    """Return the key of a nodepool message that names its cluster and user."""
    return (nodepool.compute_cluster.user_id, nodepool.compute_cluster.id, nodepool.id)


def rank(landscape: Landscape, wanted: Wanted, deployment: Deployment, only: Sequence[NodepoolKey]) -> Ranking:
    """Order the deployment's nodepools for a request. ``only``: the ones the request allows; empty for all."""
    places: list[Place] = []
    rejected: list[Candidate] = []
    for key, priority in nodepool_keys(deployment).items():
        reason = _unusable_here(landscape, wanted, deployment, key, only)
        if reason:
            rejected.append(Candidate(f"nodepool {'/'.join(key)}", reason))
        else:
            places.append(_place(landscape, wanted, deployment, key, priority))
    if not places:
        why = "; ".join(f"{each.what} {each.reason}" for each in rejected) or "it lists none"
        return Ranking(problem=f"has no usable nodepool: {why}", rejected=tuple(rejected))
    scheduling = SCHEDULING.get(deployment.scheduling_choice, SCHEDULING[0])
    places.sort(key=lambda place: (-place.priority, scheduling.order(place)))
    if deployment.scheduling_choice == Deployment.FAIL and (equals := _equals(places)):
        names = ", ".join("/".join(key) for key in equals)
        problem = f"has scheduling_choice FAIL and several usable nodepools of equal priority: {names}"
        return Ranking(problem=problem, rejected=tuple(rejected), is_ambiguous=True)
    spilled = sorted(places, key=lambda place: place.load.is_full)  # stable: equals keep their order
    return Ranking(tuple(spilled), _why(places, spilled[0], scheduling, deployment), tuple(rejected))


def unusable(landscape: Landscape, key: NodepoolKey, nodepool: Nodepool | None, version: ModelVersion) -> str:
    """Say why nothing of this version can run in the nodepool; empty when something can."""
    if nodepool is None:
        return "does not exist"
    if reason := disabled(nodepool):
        return reason
    # Where the user starts the runners, the platform places nothing, so it matches nothing.
    cluster = landscape.cluster(key[0], key[1]) or nodepool.compute_cluster
    overcommits = landscape.overcommits
    if cluster.cluster_type == USER_RUN or fitting(nodepool, version, overcommits=overcommits):
        return ""
    needs = version.inference_compute_info
    misfits = [f"{each.id} {fits(needs, each, overcommits=overcommits)}" for each in nodepool.instance_types]
    return f"has no instance type that fits the model: {'; '.join(misfits) or 'it lists none'}"


def disabled(nodepool: Nodepool) -> str:
    """Say why the nodepool takes nothing at all; empty when it takes something."""
    if nodepool.max_instances == 0:
        return "is disabled (max_instances is 0)"
    if nodepool.status == Nodepool.NODEPOOL_STATUS_DELETED:
        return "is deleted"
    if nodepool.status == Nodepool.NODEPOOL_STATUS_ERROR:
        return f"is in status ERROR ({nodepool.status_description or 'no description'})"
    return ""


def fitting(nodepool: Nodepool, version: ModelVersion, *, overcommits: bool = False) -> tuple[InstanceType, ...]:
    """Return the nodepool's instance types that the version's ComputeInfo fits."""
    needs = version.inference_compute_info
    return tuple(each for each in nodepool.instance_types if not fits(needs, each, overcommits=overcommits))


def find_nodepool(landscape: Landscape, key: NodepoolKey) -> Nodepool | None:
    """Return the nodepool with this key, one of Clarifai's shared ones included."""
    return landscape.nodepool(*key) or next(
        (each for each in landscape.shared_nodepools() if nodepool_key(each) == key), None
    )


def is_shared(landscape: Landscape, key: NodepoolKey) -> bool:
    """Tell whether a nodepool is of Clarifai's shared compute."""
    return key[0] == CLARIFAI_USER and any(nodepool_key(each) == key for each in landscape.shared_nodepools())


def _unusable_here(
    landscape: Landscape, wanted: Wanted, deployment: Deployment, key: NodepoolKey, only: Sequence[NodepoolKey]
) -> str:
    if only and key not in only:
        return "is not the one the request names"
    if key[0] != deployment.user_id:
        return f"belongs to {key[0]!r}: a deployment's nodepools must be of its own user {deployment.user_id!r}"
    if is_shared(landscape, key) and wanted.model[0] != CLARIFAI_USER:
        return "is shared compute, which runs only models that Clarifai owns"
    return unusable(landscape, key, find_nodepool(landscape, key), wanted.version)


def _place(landscape: Landscape, wanted: Wanted, deployment: Deployment, key: NodepoolKey, priority: int) -> Place:
    nodepool = find_nodepool(landscape, key) or Nodepool()
    cluster = landscape.cluster(key[0], key[1]) or nodepool.compute_cluster
    return Place(
        key=key,
        nodepool=nodepool,
        priority=priority,
        load=landscape.load(deployment.user_id, deployment.id, key, wanted.version.id),
        instances=fitting(nodepool, wanted.version, overcommits=landscape.overcommits),
        needs=wanted.version.inference_compute_info,
        is_local=cluster.cloud_provider.id == LOCAL_PROVIDER,
        draw=hashlib.sha256(repr((wanted.ask, key)).encode()).hexdigest(),
    )


def _equals(places: Sequence[Place]) -> list[NodepoolKey]:
    priorities = [place.priority for place in places]
    return [place.key for place in places if priorities.count(place.priority) > 1]


def _why(preferred: Sequence[Place], first: Place, scheduling: Scheduling, deployment: Deployment) -> str:
    if len(preferred) == 1:
        why = "the only usable one"
    elif first is not preferred[0]:
        full = [f"'{'/'.join(place.key)}'" for place in preferred[: preferred.index(first)]]
        return f"spill-over, because {' and '.join(full)} {'is' if len(full) == 1 else 'are'} full"
    elif first.priority > preferred[1].priority:
        why = f"highest priority ({first.priority})"
    else:
        choice = Deployment.SchedulingChoice.Name(deployment.scheduling_choice)
        why = f"{choice}: {scheduling.meaning}"
    return f"{why}; every usable nodepool is full, so the request waits" if first.load.is_full else why
