"""Requests that name a nodepool reach the runner that its user registered and started there, without a deployment.

Clarifai's own tests of its SDK stand on that: tests/runners/test_runners.py of Clarifai/clarifai-python.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import (
    App,
    ComputeCluster,
    Deployment,
    InstanceType,
    Model,
    ModelVersion,
    NodeCapacityType,
    Nodepool,
    PretrainedModelConfig,
    Runner,
    UserAppIDSet,
)
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import Client, inference_request, running, text_of, wait_for
from flow.processes import own_runner

POOL = {"compute_cluster_id": "laptop", "nodepool_id": "pool"}


class Laptop:
    """A model "mine" with a local-dev version, and a nodepool of a local-dev cluster; no deployment."""

    def __init__(self, emulator: EmulatorThread) -> None:
        self.emulator = emulator
        self.client = Client(emulator.url)
        cluster = ComputeCluster(id="laptop", region="us-east-1", managed_by="user", cluster_type="local-dev")
        cluster.cloud_provider.id = "local"
        nodepool = Nodepool(
            id="pool",
            instance_types=[InstanceType(id="local")],
            node_capacity_type=NodeCapacityType(capacity_types=[1]),
            max_instances=1,
        )
        self.create("PostComputeClusters", compute_clusters=[cluster])
        self.create("PostNodepools", compute_cluster_id="laptop", nodepools=[nodepool])
        self.create("PostApps", user_app_id=UserAppIDSet(user_id="me"), apps=[App(id="demo")])
        self.create("PostModels", **in_app(), models=[Model(id="mine", model_type_id="any-to-any")])
        self.version = self.new_version()

    def create(self, name: str, **fields: Any) -> Any:
        response = self.client.call(name, **fields)
        assert response.status.code == StatusCode.SUCCESS, (name, response.status)
        return response

    def new_version(self) -> str:
        version = ModelVersion(pretrained_model_config=PretrainedModelConfig(local_dev=True))
        fields: dict[str, Any] = {"model_id": "mine", "model_versions": [version]}
        return self.create("PostModelVersions", **in_app(), **fields).model.model_version.id

    def register(self, runner_id: str = "", version: str | None = None) -> str:
        """Register a runner of the model; return its id."""
        runner = Runner(id=runner_id, num_replicas=1)
        runner.worker.model.CopyFrom(self.served(self.version if version is None else version))
        return self.create("PostRunners", **POOL, runners=[runner]).runners[0].id

    def deploy(self, version: str = "") -> None:
        deployment = Deployment(id="deployed")
        deployment.worker.model.CopyFrom(self.served(version or self.version))
        deployment.nodepools.add(id="pool").compute_cluster.id = "laptop"
        self.create("PostDeployments", deployments=[deployment])

    @staticmethod
    def served(version: str) -> Model:
        return Model(id="mine", app_id="demo", user_id="me", model_version=ModelVersion(id=version))

    def ask(self, version: str = "", *, in_nodepool: bool = True, timeout: float = 30) -> Any:
        request = inference_request("mine", prompt="x")
        request.version_id = version
        if in_nodepool:
            request.runner_selector.nodepool.id = "pool"
            request.runner_selector.nodepool.compute_cluster.id = "laptop"
        return self.client.call("PostModelOutputs", request, timeout=timeout)

    def ids(self, runner_id: str) -> dict[str, str]:
        return {**POOL, "runner_id": runner_id}


def in_app() -> dict[str, Any]:
    return {"user_app_id": UserAppIDSet(user_id="me", app_id="demo")}


@pytest.fixture
def laptop(emulator: EmulatorThread) -> Iterator[Laptop]:
    laptop = Laptop(emulator)
    yield laptop
    laptop.client.close()


def test_a_runner_without_a_deployment_answers_who_names_its_nodepool(laptop: Laptop) -> None:
    with own_runner(laptop.emulator.url, "hello", **laptop.ids(laptop.register())):
        for version in ("", laptop.version):
            assert text_of(laptop.ask(version)) == "Hello, x!"  # held until the runner has connected
        decided = laptop.emulator.events("route.decided")[-1].fields
        assert (decided["rule"], decided["deployment"]) == ("explicit_nodepool", None)
        assert decided["nodepools"] == ["me/laptop/pool"]
        status = laptop.ask(in_nodepool=False).status
        assert status.code == StatusCode.MODEL_NOT_DEPLOYED, (
            "rules 3 and 4 know deployments and shared compute only"
        )
        assert "Shared Nodepools are not allowed for local-dev models." in status.details


def test_a_version_without_a_runner_is_refused_by_what_the_runners_serve(laptop: Laptop) -> None:
    runner = laptop.register()
    newer = laptop.new_version()
    status = laptop.ask(newer).status
    assert status.code == StatusCode.MODEL_NOT_DEPLOYED
    assert f"runner {runner} serves version '{laptop.version}'" in status.details


def test_a_runner_that_is_registered_and_not_started_is_waited_for_and_then_told() -> None:
    with running(hold_seconds=0.2) as emulator:
        laptop = Laptop(emulator)
        laptop.register("mine")
        status = laptop.ask().status
        assert status.code == StatusCode.MODEL_DEPLOYING
        assert status.details == (
            "No replica in nodepool 'me/laptop/pool' was ready within 0.2 s. Nobody has started its runner "
            "'mine' yet. `clarifai-emulator status` shows what it is waiting for."
        )
        laptop.client.close()


def test_a_deployment_takes_its_runner_over_and_gives_it_back(laptop: Laptop) -> None:
    with own_runner(laptop.emulator.url, "hello", **laptop.ids(laptop.register())):
        assert text_of(laptop.ask()) == "Hello, x!"
        laptop.deploy()
        assert text_of(laptop.ask(in_nodepool=False)) == "Hello, x!"
        assert laptop.emulator.events("route.decided")[-1].fields["deployment"] == "me/deployed"
        laptop.create("DeleteDeployments", ids=["deployed"])
        assert text_of(laptop.ask()) == "Hello, x!"
        assert laptop.emulator.events("route.decided")[-1].fields["deployment"] is None


def test_a_deployment_pinned_to_a_version_is_not_served_by_a_runner_of_another() -> None:
    with running(hold_seconds=1) as emulator:
        laptop = Laptop(emulator)
        with own_runner(emulator.url, "hello", **laptop.ids(laptop.register())):
            assert wait_for(lambda: laptop.ask().status.code == StatusCode.SUCCESS)
            newer = laptop.new_version()
            laptop.deploy(newer)
            assert laptop.ask(newer, in_nodepool=False).status.code == StatusCode.MODEL_DEPLOYING
            assert text_of(laptop.ask(laptop.version)) == "Hello, x!"
        laptop.client.close()


def test_a_runner_that_is_deleted_serves_no_more(laptop: Laptop) -> None:
    runner = laptop.register()
    with own_runner(laptop.emulator.url, "hello", **laptop.ids(runner)) as process:
        assert text_of(laptop.ask()) == "Hello, x!"
        laptop.create("DeleteRunners", **POOL, ids=[runner])
        status = laptop.ask().status
        assert status.code == StatusCode.MODEL_NOT_DEPLOYED
        assert process.poll() is None, "the genuine runner waits for its pod to end"


def test_of_two_runners_both_serve(laptop: Laptop) -> None:
    first, second = laptop.register("first"), laptop.register("second")
    with (
        own_runner(laptop.emulator.url, "hello", **laptop.ids(first)),
        own_runner(laptop.emulator.url, "hello", **laptop.ids(second)),
    ):
        seen: set[str] = set()

        def both() -> bool:
            assert text_of(laptop.ask()) == "Hello, x!"
            seen.add(laptop.emulator.events("request.finished")[-1].fields["replica_id"])
            return len(seen) == 2

        wait_for(both, seconds=30)
