"""Shows routing the store's resources, and how busy the replicas behind them are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import (
    ComputeCluster,
    Deployment,
    Model,
    ModelVersion,
    Nodepool,
    Runner,
    Visibility,
)

from clarifai_emulator.catalogue import CLARIFAI_USER, SHARED_CLUSTER
from clarifai_emulator.dispatch.lane import LaneKey
from clarifai_emulator.messages.address import ModelKey, NodepoolKey
from clarifai_emulator.models.versions import newest_usable
from clarifai_emulator.nodepools.capacity import Capacity
from clarifai_emulator.nodepools.deployment_targets import Targets
from clarifai_emulator.nodepools.own_runners import OwnRunners
from clarifai_emulator.nodepools.placing import Places
from clarifai_emulator.nodepools.scaling import replica_bounds
from clarifai_emulator.nodepools.supervisor import Supervisor
from clarifai_emulator.routing.decision import Load
from clarifai_emulator.store import Key, Kind, Store

Visible = Callable[[str, str, Visibility], bool]

# How many ids a message may list; more would not be read.
_NAMES = 50


class RoutingView:
    """Shows routing the resources and the replicas of one emulator, as its ``routing.Landscape``; read only.
    ``hosted``: further models that Clarifai is taken to host, filled by whoever makes stand-ins."""

    def __init__(
        self,
        *,
        store: Store,
        targets: Targets,
        supervisor: Supervisor,
        own_runners: OwnRunners,
        capacity: Capacity,
        places: Places,
        can_see: Visible,
        hosted: Set[ModelKey] = frozenset(),
    ) -> None:
        self._store = store
        self._targets = targets
        self._supervisor = supervisor
        self._own_runners = own_runners
        self._capacity = capacity
        self._places = places
        self._can_see = can_see
        self.times_load_was_asked = 0
        self._hosted = hosted

    def model(self, user: str, app: str, model: str) -> Model | None:
        return self._store.get(Kind.MODEL, (user, app, model))

    def model_ids(self, user: str, app: str) -> Sequence[str]:
        return self._ids(Kind.MODEL, (user, app))

    def version(self, user: str, app: str, model: str, version: str) -> ModelVersion | None:
        if version:
            return self._store.get(Kind.MODEL_VERSION, (user, app, model, version))
        return newest_usable(self._store.list(Kind.MODEL_VERSION, (user, app, model)))

    def versions(self, user: str, app: str, model: str) -> Iterable[ModelVersion]:
        return self._store.list(Kind.MODEL_VERSION, (user, app, model))

    def deployment(self, user: str, id: str) -> Deployment | None:
        stored = self._store.get(Kind.DEPLOYMENT, (user, id))
        return self._supervisor.rollouts.served(stored) if stored is not None else None

    def coming(self, user: str, id: str) -> Deployment | None:
        rollout = self._supervisor.rollouts.get((user, id))
        return self._store.get(Kind.DEPLOYMENT, (user, id)) if rollout is not None else None

    def deployment_ids(self, user: str) -> Sequence[str]:
        return self._ids(Kind.DEPLOYMENT, (user,))

    def deployments_of(self, user: str, app: str, model: str) -> Sequence[Deployment]:
        asked_for = self._targets.serving((user, app, model))
        return self._supervisor.rollouts.serving((user, app, model), asked_for, self._stored_deployment)

    def cluster(self, user: str, id: str) -> ComputeCluster | None:
        return self._store.get(Kind.COMPUTE_CLUSTER, (user, id))

    def cluster_ids(self, user: str) -> Sequence[str]:
        return self._ids(Kind.COMPUTE_CLUSTER, (user,))

    def nodepool(self, user: str, cluster: str, id: str) -> Nodepool | None:
        return self._store.get(Kind.NODEPOOL, (user, cluster, id))

    def nodepool_ids(self, user: str, cluster: str) -> Sequence[str]:
        return self._ids(Kind.NODEPOOL, (user, cluster))

    def runner(self, user: str, cluster: str, nodepool: str, runner_id: str) -> Runner | None:
        return self._store.get(Kind.RUNNER, (user, cluster, nodepool, runner_id))

    def runner_ids(self, user: str, cluster: str, nodepool: str) -> Sequence[str]:
        return self._ids(Kind.RUNNER, (user, cluster, nodepool))

    def own_runners(self, user: str, cluster: str, nodepool: str) -> Sequence[Runner]:
        return self._own_runners.registered((user, cluster, nodepool))

    def is_hosted(self, user: str, app: str, model: str) -> bool:
        return user == CLARIFAI_USER or (user, app, model) in self._hosted

    def shared_nodepools(self) -> Sequence[Nodepool]:
        return self._store.page(Kind.NODEPOOL, (CLARIFAI_USER, SHARED_CLUSTER), 0, _NAMES)

    def load(self, deployment_user: str, deployment_id: str, nodepool_key: NodepoolKey, version_id: str) -> Load:
        """Return how busy the deployment is there. Whether one more replica would fit is asked only when it
        matters."""
        self.times_load_was_asked += 1
        fleet = self._supervisor.fleets.get(LaneKey(deployment_user, deployment_id, version_id))
        if fleet is None:
            return Load(startable_replicas=1)
        links = [link for link in fleet.lane.runners.values() if link.nodepool == nodepool_key]
        replicas = (replica for link in links for replica in link.replicas.values())
        live = [replica for replica in replicas if replica.is_live and not replica.draining]
        free = sum(len(replica.idle) for replica in live)
        queued = sum(nodepool_key in work.nodepools for work in fleet.lane.waiting)
        startable = 0
        # Where its user starts the runners, none starts by itself.
        is_startable = not fleet.target.is_user_run
        if is_startable and not free and len(fleet.active) < replica_bounds(fleet.target.autoscale)[1]:
            nodepool = self._store.get(Kind.NODEPOOL, nodepool_key)
            required = fleet.target.version.inference_compute_info
            spread = fleet.target.autoscale.disable_packing
            startable = int(
                nodepool is not None
                and self._capacity.has_room(
                    nodepool_key,
                    self._places.as_played(nodepool),
                    required,
                    spread=spread,
                    machines=self._places.machine_ids(nodepool),
                )
            )
        latency = min((link.latency_ms for link in links), default=0.0)
        return Load(len(live), free, queued, startable, round(latency, 3))

    @property
    def overcommits(self) -> bool:
        return self._capacity.overcommits

    def can_see(self, caller: str, owner: str, visibility: Visibility) -> bool:
        return self._can_see(caller, owner, visibility)

    def containers(self, user: str, app: str) -> Sequence[tuple[str, Visibility]]:
        found: list[tuple[str, Any]] = [("its user's visibility", self._store.get(Kind.USER, (user,)))]
        if app:
            found.append(("its app's visibility", self._store.get(Kind.APP, (user, app))))
        return [(name, item.visibility) for name, item in found if item is not None and item.visibility.gettable]

    def _stored_deployment(self, key: Key) -> Deployment | None:
        return self._store.get(Kind.DEPLOYMENT, key)

    def _ids(self, kind: Kind, prefix: Key) -> Sequence[str]:
        found: list[Any] = self._store.page(kind, prefix, 0, _NAMES)
        return sorted(each.id for each in found)
