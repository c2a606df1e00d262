"""Calls the resource handlers as tests do: directly, without a server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from clarifai_grpc.grpc.api import resources_pb2
from clarifai_grpc.grpc.api.resources_pb2 import DeploymentMetrics, RunnerMetrics

from clarifai_emulator.api.access.auth import Caller
from clarifai_emulator.api.access.issued_keys import IssuedKeys
from clarifai_emulator.api.call import ApiCall, Handler
from clarifai_emulator.api.handlers import instance_types as catalogue
from clarifai_emulator.api.handlers import log_entries as logs
from clarifai_emulator.api.handlers import resource_rpcs, workflows
from clarifai_emulator.api.rpc import rpc_table
from clarifai_emulator.behaviour import Behaviour
from clarifai_emulator.catalogue import Catalogue
from clarifai_emulator.contracts.saved_workflows import SavedWorkflows
from clarifai_emulator.contracts.values.runtime import Mode
from clarifai_emulator.errors import CallerError
from clarifai_emulator.events import EventBus
from clarifai_emulator.logbook import LogBook
from clarifai_emulator.resources.kind_table import ROWS
from clarifai_emulator.resources.permissions import Organisations
from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.resources.rows import Record
from clarifai_emulator.store import Kind, Store


class StillClock:
    """A clock that moves only when a test moves it."""

    def __init__(self) -> None:
        self.seconds = 1_700_000_000.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> float:
        return self.seconds


class FixedMetrics:
    """Says everywhere that two of three replicas are up, and serve as they were told."""

    def served(self, deployment: resources_pb2.Deployment) -> resources_pb2.Deployment:
        return deployment

    def deployment_metrics(self, _deployment: resources_pb2.Deployment) -> DeploymentMetrics:
        return DeploymentMetrics(desired_replicas=3, live_replicas=2)

    def runner_metrics(self, _runner: resources_pb2.Runner) -> RunnerMetrics:
        return RunnerMetrics(pods_total=3, pods_running=2)


class ResourceApi:
    """Every resource handler over one store. ``api("GetModel", {...})`` calls as user ``ada``."""

    def __init__(
        self,
        organisations: Organisations | None = None,
        rows: Sequence[Record] = ROWS,
        behaviour: Behaviour | None = None,
        contract: Mode = "record",
    ) -> None:
        self.clock = StillClock()
        self.store = Store()
        self.organisations = organisations or Organisations()
        self.catalogue = Catalogue()
        self.resources = Resources(
            store=self.store,
            clock=self.clock,
            organisations=self.organisations,
            catalogue=self.catalogue,
            metrics=FixedMetrics(),  # pyright: ignore[reportArgumentType]
            rows=rows,
            behaviour=behaviour,
        )
        self.issued_keys = IssuedKeys(self.store)
        self.logbook = LogBook()
        served = resource_rpcs.handlers(self.resources)
        self.events = EventBus(self.clock)
        saved = SavedWorkflows(mode=contract, resources=self.resources, events=self.events)
        self.handlers: dict[str, Handler] = {
            **served,
            **workflows.handlers(self.resources, served, saved),
            **catalogue.handlers(self.catalogue),
            **logs.handlers(self.logbook, self.organisations, lambda: None),
        }

    def __call__(self, rpc_name: str, _user: str | Caller = "ada", **fields: Any) -> Any:
        """Return the answer of an RPC. ``user_id`` and ``app_id`` are short for ``user_app_id``."""
        rpc = rpc_table()[rpc_name]
        ids = {name: fields.pop(name) for name in ("user_id", "app_id") if name in fields}
        if "user_app_id" in rpc.request_type.DESCRIPTOR.fields_by_name:
            fields["user_app_id"] = {"user_id": "me", **ids}
        caller = Caller(_user) if isinstance(_user, str) else _user
        call = ApiCall(rpc, {}, 0.0, caller=caller)
        return self.handlers[rpc_name](call, rpc.request_type(**fields))

    # What most tests need first.

    def cluster(self, cluster_id: str = "cluster", _user: str = "ada", **fields: Any) -> Any:
        given = {
            "id": cluster_id,
            "cloud_provider": {"id": "aws"},
            "region": "us-east-1",
            "cluster_type": "dedicated",
            "managed_by": "clarifai",
            **fields,
        }
        return self("PostComputeClusters", _user, compute_clusters=[given]).compute_clusters[0]

    def nodepool(
        self, nodepool_id: str = "pool", cluster_id: str = "cluster", _user: str = "ada", **fields: Any
    ) -> Any:
        given = {
            "id": nodepool_id,
            "node_capacity_type": {"capacity_types": [1]},
            "instance_types": [{"id": "t3a.medium"}],
            "max_instances": 1,
            **fields,
        }
        return self("PostNodepools", _user, compute_cluster_id=cluster_id, nodepools=[given]).nodepools[0]

    def app(self, app_id: str = "app", _user: str = "ada", **fields: Any) -> None:
        """Create an app, unless it is there."""
        if self.store.get(Kind.APP, (_user, app_id)) is None:
            self("PostApps", _user, apps=[{"id": app_id, **fields}])

    def model(self, model_id: str = "model", app_id: str = "app", _user: str = "ada", **fields: Any) -> Any:
        self.app(app_id, _user)
        return self("PostModels", _user, app_id=app_id, models=[{"id": model_id, **fields}]).model

    def version(self, model_id: str = "model", app_id: str = "app", _user: str = "ada", **fields: Any) -> str:
        """Create a model version; return its id."""
        answer = self("PostModelVersions", _user, app_id=app_id, model_id=model_id, model_versions=[fields])
        return answer.model.model_version.id

    def deployment(self, deployment_id: str = "deployment", _user: str = "ada", **fields: Any) -> Any:
        given = {
            "id": deployment_id,
            "worker": {"model": {"id": "model", "app_id": "app"}},
            "nodepools": [{"id": "pool", "compute_cluster": {"id": "cluster"}}],
            **fields,
        }
        return self("PostDeployments", _user, deployments=[given]).deployments[0]

    def ready_to_deploy(self) -> str:
        """Create cluster, nodepool, model and one version; return its id."""
        self.cluster()
        return self.ready_to_deploy_in("pool")

    def ready_to_deploy_in(self, nodepool_id: str) -> str:
        """Create a nodepool in the cluster that is there, a model and one version; return its id."""
        self.nodepool(nodepool_id)
        self.model()
        return self.version()


def refusal(api: ResourceApi, rpc: str, _user: str | Caller = "ada", **fields: Any) -> tuple[int, str]:
    """Return the code and text with which an RPC refuses a request."""
    with pytest.raises(CallerError) as caught:
        api(rpc, _user, **fields)
    return caught.value.code, caught.value.message
