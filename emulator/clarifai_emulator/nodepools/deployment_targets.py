"""Reads from the store what each deployment wants to run: model, version, code and nodepools."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from clarifai_grpc.grpc.api.resources_pb2 import Deployment, Model, ModelVersion, Nodepool

from clarifai_emulator.catalogue import USER_RUN
from clarifai_emulator.messages.address import ModelKey, NodepoolKey
from clarifai_emulator.models.version_source import ModelSource
from clarifai_emulator.models.versions import newest_usable
from clarifai_emulator.nodepools.fleet import Target
from clarifai_emulator.routing.candidate_deployments import model_key_of, served_model
from clarifai_emulator.routing.nodepool_ranking import nodepool_keys
from clarifai_emulator.store import Key, Kind, Store

# A cluster of this type has no nodes of its own: its user starts the runners.


class Targets:
    """Reads targets from one store; keeps the index of deployments by what they serve and where."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.add_index(Kind.DEPLOYMENT, _index_values)

    def of_deployment(self, user_id: str, deployment_id: str) -> Target | None:
        """Return what this deployment wants to run now; None when it is gone, disabled, or serves nothing known."""
        deployment: Deployment | None = self._store.get(Kind.DEPLOYMENT, (user_id, deployment_id))
        if deployment is None or deployment.status == Deployment.DISABLED:
            return None
        served = served_model(deployment)
        if served is None:
            return None
        key = model_key_of(deployment, served)
        pinned = "" if deployment.deploy_latest_version else served.model_version.id
        nodepools = tuple(self._nodepools(nodepool_keys(deployment)))
        return self._target(deployment, key, pinned, nodepools)

    def on_shared(self, nodepool: NodepoolKey, model: Key, version_id: str) -> Target:
        """Return what a request on shared compute runs."""
        target = self._target(None, (model[0], model[1], model[2]), version_id, tuple(self._nodepools([nodepool])))
        assert target is not None, "routing decided for a version that is in the store"
        return target

    def still(self, target: Target) -> Target | None:
        """Return what was wanted before, without nodepools that are gone; None where nothing of it can go on."""
        if self._store.get(Kind.MODEL_VERSION, (*target.model_key, target.version.id)) is None:
            return None
        nodepools = tuple(self._nodepools(target.nodepool_keys))
        return replace(target, nodepools=nodepools) if nodepools else None

    def serving(self, model: ModelKey) -> list[Deployment]:
        """Every deployment that serves this model, oldest first."""
        return self._store.find(Kind.DEPLOYMENT, ("model", model))

    def deployments_touched_by(self, kind: Kind, key: Key) -> list[Key]:
        """Deployments whose target may change with this nodepool, model version or source."""
        value = ("nodepool", key) if kind == Kind.NODEPOOL else ("model", key[:3])
        return [(found.user_id, found.id) for found in self._store.find(Kind.DEPLOYMENT, value)]

    def _nodepools(self, keys: Iterable[NodepoolKey]) -> Iterable[tuple[NodepoolKey, Nodepool]]:
        for key in keys:
            nodepool = self._store.get(Kind.NODEPOOL, key)
            if nodepool is not None:
                yield key, nodepool

    def _target(
        self,
        deployment: Deployment | None,
        key: ModelKey,
        version_id: str,
        nodepools: tuple[tuple[NodepoolKey, Nodepool], ...],
    ) -> Target | None:
        model: Model | None = self._store.get(Kind.MODEL, key)
        version: ModelVersion | None = (
            self._store.get(Kind.MODEL_VERSION, (*key, version_id))
            if version_id
            else newest_usable(self._store.list(Kind.MODEL_VERSION, key))
        )
        if model is None or version is None:
            return None
        source: ModelSource | None = self._store.get(Kind.SOURCE, (*key, version.id))
        by_priority = nodepool_keys(deployment) if deployment is not None else {}
        ordered = sorted(nodepools, key=lambda entry: -by_priority.get(entry[0], 0))
        return Target(
            deployment=deployment,
            model=model,
            version=version,
            source=source,
            nodepools=tuple(ordered),
            is_user_run=bool(ordered) and all(self.is_user_run(key) for key, _ in ordered),
        )

    def is_user_run(self, nodepool: NodepoolKey) -> bool:
        """Tell whether a nodepool has no nodes of its own."""
        cluster = self._store.get(Kind.COMPUTE_CLUSTER, nodepool[:2])
        return cluster is not None and cluster.cluster_type == USER_RUN


def _index_values(deployment: Deployment) -> Iterable[tuple[str, Key]]:
    served = served_model(deployment)
    if served is not None:
        yield ("model", model_key_of(deployment, served))
    for key in nodepool_keys(deployment):
        yield ("nodepool", key)
