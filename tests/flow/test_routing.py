"""Clients see the platform's routing rules. The rules themselves: tests/unit/routing."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import (
    Deployment,
    DeployRestriction,
    InstanceType,
    Model,
    NodeCapacityType,
    Nodepool,
)
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.errors import CallerError
from clarifai_emulator.routing import Ask, RoutingRule
from clarifai_emulator.store import Kind
from flow.driver import MODELS, START_SECONDS, Client, inference_request, running, sdk_model


def predict(client: Client, **options: Any) -> Any:
    return client.call("PostModelOutputs", inference_request("hello", prompt="x", **options))


def nodepool(client: Client, nodepool_id: str, instance_type: str = "t3a.medium") -> None:
    message = Nodepool(
        id=nodepool_id,
        instance_types=[InstanceType(id=instance_type)],
        node_capacity_type=NodeCapacityType(capacity_types=[1]),
        max_instances=1,
    )
    response = client.call("PostNodepools", compute_cluster_id="local", nodepools=[message])
    assert response.status.code == StatusCode.SUCCESS, response.status


def test_of_two_deployments_each_is_reached_by_its_own_id(emulator: EmulatorThread, client: Client) -> None:
    nodepool(client, "other")
    emulator.deploy(MODELS / "hello", deployment_id="one")
    emulator.deploy(MODELS / "hello", deployment_id="two", nodepool_id="other")
    for deployment, expected in (("one", "me/local/cpu"), ("two", "me/local/other")):
        assert predict(client, deployment=deployment).status.code == StatusCode.SUCCESS
        assert emulator.events("route.decided")[-1].fields["nodepools"] == [expected]


def test_a_nodepool_goes_to_the_deployment_in_it(emulator: EmulatorThread, client: Client) -> None:
    nodepool(client, "other")
    emulator.deploy(MODELS / "hello", deployment_id="one")
    emulator.deploy(MODELS / "hello", deployment_id="two", nodepool_id="other")
    model = sdk_model("hello", compute_cluster_id="local", nodepool_id="other")
    assert model.predict(prompt="x") == "Hello, x!"
    assert emulator.events("route.decided")[-1].fields["deployment"] == "me/two"


def test_a_deployment_of_another_model_is_refused_by_both_names(emulator: EmulatorThread, client: Client) -> None:
    emulator.deploy(MODELS / "hello")
    emulator.deploy(MODELS / "slow")
    response = predict(client, deployment="deploy-slow")
    assert response.status.code == StatusCode.DEPLOYMENT_INVALID_REQUEST
    assert "'me/deploy-slow' serves model 'me/demo/slow', not 'me/demo/hello'" in response.status.details


def test_a_disabled_deployment_cannot_serve(emulator: EmulatorThread, client: Client) -> None:
    emulator.deploy(MODELS / "hello")
    disabled = Deployment(id="deploy-hello", status=Deployment.DISABLED)
    client.call("PatchDeployments", deployments=[disabled], action="overwrite")
    response = predict(client, deployment="deploy-hello")
    assert response.status.code == StatusCode.DEPLOYMENT_DISABLED
    enabled = Deployment(id="deploy-hello")
    client.call("PatchDeployments", deployments=[enabled], action="overwrite")
    assert predict(client, deployment="deploy-hello").status.code == StatusCode.SUCCESS


def test_a_version_that_is_not_deployed_is_not_served(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    directory = Path(shutil.copytree(MODELS / "hello", tmp_path / "hello"))
    old = emulator.deploy(directory).version_id
    (directory / "1" / "extra.py").write_text("")
    new = emulator.deploy(directory).version_id
    request = inference_request("hello", prompt="x", deployment="deploy-hello")
    request.version_id = new
    assert client.call("PostModelOutputs", request).status.code == StatusCode.SUCCESS
    request.version_id = old
    refused = client.call("PostModelOutputs", request)
    assert refused.status.code == StatusCode.MODEL_NOT_DEPLOYED
    assert old in refused.status.details


def test_a_deployment_that_follows_the_newest_version_does(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    directory = Path(shutil.copytree(MODELS / "hello", tmp_path / "hello"))
    emulator.deploy(directory)
    following = Deployment(id="follows", deploy_latest_version=True)
    following.worker.model.user_id, following.worker.model.app_id = "me", "demo"
    following.worker.model.id = "hello"
    following.nodepools.add(id="cpu").compute_cluster.id = "local"
    assert client.call("PostDeployments", deployments=[following]).status.code == StatusCode.SUCCESS
    source = directory / "1" / "model.py"
    source.write_text(source.read_text().replace("Hello, {prompt}", "Newer, {prompt}"))
    emulator.deploy(directory, deployment_id="another")
    response = predict(client, deployment="follows")
    assert response.outputs[0].data.parts[0].data.string_value == "Newer, x!"


def test_requests_spill_over_to_the_next_nodepool_when_the_preferred_one_is_full(
    emulator: EmulatorThread, client: Client
) -> None:
    nodepool(client, "first")
    nodepool(client, "second")
    emulator.deploy(MODELS / "slow", nodepool_id="first", deployment_id="spilling", max_replicas=5)
    both = Deployment(id="spilling")
    for priority, name in ((9, "first"), (1, "second")):
        entry = both.deployment_nodepools.add(id=name, priority=priority)
        entry.compute_cluster.id = "local"
    response = client.call("PatchDeployments", deployments=[both], action="overwrite")
    assert response.status.code == StatusCode.SUCCESS, response.status
    assert client.call("PostModelOutputs", inference_request("slow", seconds=0.0)).status.code == StatusCode.SUCCESS
    decided = emulator.events("route.decided")[-1].fields
    assert decided["nodepools"] == ["me/local/first", "me/local/second"]


def test_a_replica_that_finds_the_preferred_nodepool_full_starts_in_the_next_and_serves_what_waits() -> None:
    with running(num_threads=1) as emulator:
        client = Client(emulator.url)
        nodepool(client, "first")
        nodepool(client, "second")
        emulator.deploy(MODELS / "slow", nodepool_id="first", deployment_id="spilling", max_replicas=2)
        both = Deployment(id="spilling")
        both.autoscale_config.disable_packing = True  # one replica per instance, so each nodepool holds one
        for priority, name in ((9, "first"), (1, "second")):
            both.deployment_nodepools.add(id=name, priority=priority).compute_cluster.id = "local"
        client.call("PatchDeployments", deployments=[both], action="overwrite")

        request = inference_request("slow", seconds=1.5 + START_SECONDS)
        threads = [threading.Thread(target=client.call, args=("PostModelOutputs", request)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        ready = [event.fields["nodepool"] for event in emulator.events("replica.live")]
        assert ready == ["me/local/first", "me/local/second"]
        assert len({event.fields["replica_id"] for event in emulator.events("work.done")}) == 2
        client.close()


def test_a_model_that_clarifai_owns_runs_on_the_cheapest_shared_nodepool(
    emulator: EmulatorThread, client: Client
) -> None:
    emulator.deploy(MODELS / "hello", model="clarifai/main/models/hello")
    client.call("DeleteDeployments", ids=["deploy-hello"])
    response = predict(client, user="clarifai", app="main")
    assert response.status.code == StatusCode.SUCCESS, response.status
    decided = emulator.events("route.decided")[-1].fields
    assert (decided["rule"], decided["nodepools"]) == ("shared", ["clarifai/shared/shared-cpu"])
    assert decided["deployment"] is None


def test_a_deploy_restriction_forbids_shared_compute(emulator: EmulatorThread, client: Client) -> None:
    emulator.deploy(MODELS / "hello", model="clarifai/main/models/hello")
    client.call("DeleteDeployments", ids=["deploy-hello"])
    restricted = Model(id="hello", deploy_restriction=DeployRestriction.DEDICATED_COMPUTE_ONLY)
    clarifai = emulator.run(
        lambda e: e.resources.patch(Kind.MODEL, "clarifai", ("main",), [restricted], "overwrite")
    )
    assert clarifai
    response = predict(client, user="clarifai", app="main")
    assert response.status.code == StatusCode.MODEL_NOT_DEPLOYED
    assert "DEDICATED_COMPUTE_ONLY forbids shared compute" in response.status.details


def test_the_same_decision_is_explained_without_a_request(emulator: EmulatorThread) -> None:
    emulator.deploy(MODELS / "hello")
    decision = emulator.route(Ask(caller="me", model_user="me", model_app="demo", model_id="hello"))
    assert decision.rule is RoutingRule.OWNER_DEFAULT
    assert decision.deployment == ("me", "deploy-hello")
    emulator.run(lambda e: e.resources.delete(Kind.DEPLOYMENT, [("me", "deploy-hello")]))
    with pytest.raises(CallerError, match="shared compute runs only models that Clarifai"):
        emulator.route(Ask(caller="me", model_user="me", model_app="demo", model_id="hello"))


def test_another_users_private_deployment_does_not_exist_for_others() -> None:
    with running(pats={"owner": "me", "stranger": "eve"}) as emulator:
        emulator.deploy(MODELS / "hello")
        stranger = Client(emulator.url, pat="stranger")
        response = predict(stranger, deployment="deploy-hello")
        assert response.status.code == StatusCode.MODEL_DOES_NOT_EXIST
        owner = Client(emulator.url, pat="owner")
        assert predict(owner, deployment="deploy-hello").status.code == StatusCode.SUCCESS
        stranger.close()
        owner.close()


def test_a_runner_can_be_named_in_its_nodepool(emulator: EmulatorThread, client: Client) -> None:
    emulator.deploy(MODELS / "hello")
    runner = client.call("ListRunners", compute_cluster_id="local", nodepool_id="cpu").runners[0]
    request = inference_request("hello", prompt="x")
    request.runner_selector.nodepool.id = "cpu"
    request.runner_selector.nodepool.compute_cluster.id = "local"
    request.runner_selector.runner.id = runner.id
    assert client.call("PostModelOutputs", request).status.code == StatusCode.SUCCESS
    assert emulator.events("route.decided")[-1].fields["runner_id"] == runner.id
