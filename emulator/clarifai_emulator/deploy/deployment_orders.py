"""Tells deployments what to serve, where and how often: the resource, which the supervisor then follows."""

from __future__ import annotations

from clarifai_grpc.grpc.api.resources_pb2 import Deployment, Visibility

from clarifai_emulator.deploy.deploy_request import DeployRequest
from clarifai_emulator.deploy.nodepool_choice import DeployNodepools
from clarifai_emulator.messages.address import DeploymentKey, ModelKey
from clarifai_emulator.nodepools.scaling import MAX_REPLICAS as DEFAULT_MAX_REPLICAS
from clarifai_emulator.resources.identifiers import derived_id
from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.store import Key, Kind


class DeploymentOrders:
    """Writes the deployments of one emulator. ``user_id`` is its own user."""

    def __init__(self, *, user_id: str, resources: Resources, nodepools: DeployNodepools) -> None:
        self._user_id = user_id
        self._resources = resources
        self._nodepools = nodepools

    def key(self, request: DeployRequest, model: ModelKey) -> DeploymentKey:
        """Return the key of the deployment that a request makes."""
        return (request.user_id or self._user_id, request.deployment_id or derived_id("deploy", model[2]))

    def put(self, request: DeployRequest, model: ModelKey, version_id: str, nodepool: Key) -> Deployment:
        """Tell the deployment what to serve; return it as it was told."""
        user, deployment_id = self.key(request, model)
        deployment = Deployment(id=deployment_id, scheduling_choice=Deployment.PERFORMANCE, graceful_deploy=True)
        deployment.visibility.gettable = Visibility.PRIVATE
        _place(deployment, request, nodepool)
        _serve(deployment, model, version_id)
        if self._resources.store.get(Kind.DEPLOYMENT, (user, deployment_id)) is None:
            self._resources.post(Kind.DEPLOYMENT, user, (), [deployment])
        else:
            self._resources.patch(Kind.DEPLOYMENT, user, (), [deployment], "overwrite")
        return self._resources.stored(Kind.DEPLOYMENT, (user, deployment_id))

    def adjust(self, request: DeployRequest, model: ModelKey) -> None:
        """Let the deployment run where and as often as is asked for, and what it runs already. Raises
        ``CallerError``."""
        user, deployment_id = self.key(request, model)
        change = Deployment(id=deployment_id)
        nodepool = self._nodepools.of_request(request)
        self._nodepools.ensure(nodepool, request.instance)
        _place(change, request, nodepool)
        self._resources.patch(Kind.DEPLOYMENT, user, (), [change], "overwrite")

    def move(self, deployment: Key, model: ModelKey, version_id: str) -> None:
        """Let a deployment serve this version from now on."""
        change = Deployment(id=deployment[1])
        _serve(change, model, version_id)
        self._resources.patch(Kind.DEPLOYMENT, deployment[0], (), [change], "overwrite")


def _place(deployment: Deployment, request: DeployRequest, nodepool: Key) -> None:
    """Set where the deployment runs, and how often."""
    deployment.autoscale_config.min_replicas = request.min_replicas
    most = DEFAULT_MAX_REPLICAS if request.max_replicas is None else request.max_replicas
    deployment.autoscale_config.max_replicas = max(most, request.min_replicas)
    entry = deployment.nodepools.add(id=nodepool[2])
    entry.compute_cluster.id, entry.compute_cluster.user_id = nodepool[1], nodepool[0]


def _serve(deployment: Deployment, model: ModelKey, version_id: str) -> None:
    """Set what the deployment serves."""
    target = deployment.desired_worker.model
    target.user_id, target.app_id, target.id = model
    target.model_version.id = version_id
