"""Tells what the caller of a request may see: why a resource is hidden from it, and which ids a message may name.

A hidden resource is refused exactly as one that does not exist. Why it is hidden goes into the refusal's ``note``,
which the event log has and the client never gets.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from clarifai_grpc.grpc.api.resources_pb2 import Deployment, Model, ModelVersion, Nodepool, Visibility

from clarifai_emulator.messages.address import ModelKey, NodepoolKey
from clarifai_emulator.models.versions import newest_usable
from clarifai_emulator.routing.decision import Landscape

_PRIVATE = Visibility(gettable=Visibility.PRIVATE)


class Sight:
    """The view of one caller. ``hidden_*`` say why a resource is not visible to it; empty when it is."""

    def __init__(self, caller: str, landscape: Landscape) -> None:
        self._caller = caller
        self._landscape = landscape

    def hidden_model(self, key: ModelKey, model: Model) -> str:
        return self._hidden(key[0], ("its visibility", model.visibility), app=key[1])

    def hidden_version(self, owner: str, version: ModelVersion) -> str:
        """Say why a version is hidden; one without a visibility of its own follows its model."""
        return self._hidden(owner, ("its visibility", version.visibility)) if version.visibility.gettable else ""

    def hidden_deployment(self, deployment: Deployment) -> str:
        return self._hidden(deployment.user_id, ("its visibility", deployment.visibility))

    def hidden_cluster(self, owner: str, visibility: Visibility) -> str:
        return self._hidden(owner, ("its visibility", visibility))

    def hidden_nodepool(self, owner: str, nodepool: Nodepool) -> str:
        return self._hidden(owner, ("its visibility", nodepool.visibility))

    def models(self, user: str, app: str) -> Sequence[str]:
        """Ids of the app's models that the caller may see."""
        found = ((each, self._landscape.model(user, app, each)) for each in self._landscape.model_ids(user, app))
        return [each for each, model in found if model and not self.hidden_model((user, app, each), model)]

    def deployments(self, user: str) -> Sequence[str]:
        """Ids of the user's deployments that the caller may see."""
        found = (self._landscape.deployment(user, each) for each in self._landscape.deployment_ids(user))
        return [each.id for each in found if each and not self.hidden_deployment(each)]

    def clusters(self, user: str) -> Sequence[str]:
        """Ids of the user's compute clusters that the caller may see."""
        found = ((each, self._landscape.cluster(user, each)) for each in self._landscape.cluster_ids(user))
        return [each for each, cluster in found if cluster and not self.hidden_cluster(user, cluster.visibility)]

    def nodepools(self, user: str, cluster: str) -> Sequence[str]:
        """Ids of the cluster's nodepools that the caller may see."""
        ids = self._landscape.nodepool_ids(user, cluster)
        found = ((each, self._landscape.nodepool(user, cluster, each)) for each in ids)
        return [each for each, nodepool in found if nodepool and not self.hidden_nodepool(user, nodepool)]

    def runners(self, nodepool: NodepoolKey) -> Sequence[str]:
        """Ids of the nodepool's runners, which have no visibility: they are for its owner."""
        is_own = self._landscape.can_see(self._caller, nodepool[0], _PRIVATE)
        return self._landscape.runner_ids(*nodepool) if is_own else ()

    def newest(self, key: ModelKey) -> ModelVersion | None:
        """Return the newest version of a model that the caller may see and that is built."""
        versions: Iterable[ModelVersion] = self._landscape.versions(*key)
        return newest_usable(each for each in versions if not self.hidden_version(key[0], each))

    def _hidden(self, owner: str, own: tuple[str, Visibility], *, app: str = "") -> str:
        if owner == self._caller:
            return ""
        for whose, visibility in (own, *self._landscape.containers(owner, app)):
            if not self._landscape.can_see(self._caller, owner, visibility):
                level = Visibility.Gettable.Name(visibility.gettable) if visibility.gettable else "not set"
                return f"is not visible to {self._caller!r}: it belongs to {owner!r} and {whose} is {level}"
        return ""
