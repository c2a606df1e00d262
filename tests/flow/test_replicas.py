"""Replicas start when wanted, are replaced when they die, drain before they stop, and never exceed a nodepool."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import grpc
import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Deployment
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.errors import CallerError
from flow.driver import (
    MODELS,
    Client,
    inference_request,
    live_replicas,
    logged,
    running,
    sdk_model,
    wait_for,
    write_model,
)


def replicas(emulator: EmulatorThread, deployment: str) -> list[dict[str, Any]]:
    """Return the replicas of a deployment, over all its versions."""
    found = next(d for d in emulator.status()["deployments"] if d["deployment_id"] == deployment)
    return [replica for version in found["versions"] for replica in version["replicas"]]


def test_the_first_request_starts_a_replica_and_is_held_until_it_is_there(emulator: EmulatorThread) -> None:
    emulator.deploy(MODELS / "hello", min_replicas=0)
    assert replicas(emulator, "deploy-hello") == []
    assert sdk_model("hello").predict(prompt="x") == "Hello, x!"
    assert len(live_replicas(emulator, "deploy-hello")) == 1


def test_a_request_that_may_not_be_held_is_bounced_with_model_deploying() -> None:
    with running(hold_seconds=0) as emulator:
        emulator.deploy(MODELS / "hello", min_replicas=0)
        client = Client(emulator.url)
        response = client.call("PostModelOutputs", inference_request("hello", prompt="x"))
        assert response.status.code == StatusCode.MODEL_DEPLOYING
        assert "No replica of 'deploy-hello' was ready within 0 s." in response.status.details
        wait_for(lambda: live_replicas(emulator, "deploy-hello"))
        assert (
            client.call("PostModelOutputs", inference_request("hello", prompt="x")).status.code
            == StatusCode.SUCCESS
        )
        client.close()


def test_min_replicas_are_started_and_all_serve(emulator: EmulatorThread) -> None:
    emulator.deploy(MODELS / "slow", min_replicas=3)
    wait_for(lambda: len(live_replicas(emulator, "deploy-slow")) == 3)
    threads = [threading.Thread(target=lambda: sdk_model("slow").predict(seconds=0.2)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({event.fields["replica_id"] for event in emulator.events("work.sent")}) == 3


def test_a_deployment_is_deleted_under_its_requests_and_they_are_told(
    emulator: EmulatorThread, client: Client
) -> None:
    emulator.deploy(MODELS / "slow")
    answers: list[Any] = []
    asking = threading.Thread(
        target=lambda: answers.append(
            client.call("PostModelOutputs", inference_request("slow", seconds=10.0, deployment="deploy-slow"))
        )
    )
    asking.start()
    wait_for(lambda: emulator.events("work.sent"))
    client.call("DeleteDeployments", ids=["deploy-slow"])
    asking.join(timeout=5)
    assert answers[0].status.code == StatusCode.DEPLOYMENT_DOES_NOT_EXIST
    assert "was deleted while it served this request" in answers[0].status.details
    wait_for(lambda: emulator.events("replica.stopped"))


def test_scaling_down_lets_what_runs_finish(emulator: EmulatorThread, client: Client) -> None:
    emulator.deploy(MODELS / "slow")
    answers: list[str] = []
    asking = threading.Thread(target=lambda: answers.append(sdk_model("slow").predict(seconds=1.0)))
    asking.start()
    wait_for(lambda: emulator.events("work.sent"))
    disabled = Deployment(id="deploy-slow", status=Deployment.DISABLED)
    client.call("PatchDeployments", deployments=[disabled], action="overwrite")
    asking.join(timeout=10)
    assert answers == ["slept 1 s"]
    kinds = [event.kind for event in emulator.events() if event.kind in ("work.done", "replica.stopped")]
    wait_for(lambda: emulator.events("replica.stopped"))
    assert kinds[0] == "work.done"


def test_scaled_to_zero_once_its_last_request_has_ended_for_long_enough(
    emulator: EmulatorThread, client: Client
) -> None:
    emulator.deploy(MODELS / "slow", min_replicas=0)
    soon = {"max_replicas": 1, "scale_down_delay_seconds": 1, "scale_to_zero_delay_seconds": 1}
    client.call(
        "PatchDeployments", deployments=[{"id": "deploy-slow", "autoscale_config": soon}], action="overwrite"
    )
    assert sdk_model("slow").predict(seconds=1.5)
    assert live_replicas(emulator, "deploy-slow")
    wait_for(lambda: not live_replicas(emulator, "deploy-slow"))
    (draining,) = emulator.events("replica.draining")
    assert draining.fields["message"] == "idle for scale_to_zero_delay_seconds (1 s)"


def test_a_full_queue_refuses_with_a_retryable_status() -> None:
    with running(queue_size=2, num_threads=1) as emulator:
        emulator.deploy(MODELS / "slow", max_replicas=1)
        client = Client(emulator.url)
        request = inference_request("slow", seconds=0.8)
        waiting = [threading.Thread(target=client.call, args=("PostModelOutputs", request)) for _ in range(3)]
        for thread in waiting:
            thread.start()
        wait_for(lambda: emulator.status()["deployments"][0]["versions"][0]["queued"] == 2)
        response = client.call("PostModelOutputs", request)
        assert response.status.code == StatusCode.MODEL_BUSY_PLEASE_RETRY
        assert "has 2 requests waiting, which is all its queue holds" in response.status.details
        for thread in waiting:
            thread.join()
        client.close()


def test_a_queue_that_grows_starts_another_replica() -> None:
    with running(num_threads=1) as emulator:
        emulator.deploy(MODELS / "slow", max_replicas=2)
        client = Client(emulator.url)
        threads = [
            threading.Thread(target=client.call, args=("PostModelOutputs", inference_request("slow", seconds=1.0)))
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        wait_for(lambda: len(live_replicas(emulator, "deploy-slow")) == 2)
        for thread in threads:
            thread.join()
        client.close()


def test_a_deployment_that_does_not_fit_waits_and_says_why(emulator: EmulatorThread, client: Client) -> None:
    instance = emulator.run(lambda e: e.catalogue.find("t3a.medium"))
    assert instance is not None
    _small_nodepool(client)
    emulator.deploy(MODELS / "hello", nodepool_id="small", min_replicas=3)
    emulator.deploy(MODELS / "slow", nodepool_id="small", min_replicas=1, wait=False)
    pending = wait_for(lambda: emulator.events("deployment.pending"))[0]
    assert "nodepool 'small' is full: its 1 of 1 instances hold 3 replicas" in pending.fields["reason"]
    client.call("DeleteDeployments", ids=["deploy-hello"])
    wait_for(lambda: live_replicas(emulator, "deploy-slow"))


def test_a_model_that_wants_an_accelerator_is_refused_where_none_is(
    emulator: EmulatorThread, client: Client
) -> None:
    _gpu_nodepool(client)
    with pytest.raises(CallerError) as raised:
        emulator.deploy(MODELS / "gpu", nodepool_id="gpus", must_fit=False)
    assert "this machine has none" in str(raised.value)
    assert "clarifai-emulator up --accelerators simulated:1xNVIDIA-T4" in str(raised.value)
    assert replicas(emulator, "deploy-gpu") == []


def test_a_client_that_goes_away_stops_the_model_and_its_late_outputs_are_dropped(
    emulator: EmulatorThread, client: Client
) -> None:
    emulator.deploy(MODELS / "aborting")
    answers = client.generate(inference_request("aborting", "generate", chunks=200))
    next(answers)
    answers.cancel()
    wait_for(lambda: emulator.events("work.cancelled"))
    aborted = wait_for(lambda: sdk_model("aborting").predict())
    assert aborted == [emulator.events("work.cancelled")[0].fields["work_id"]]
    wait_for(lambda: sdk_model("aborting").finished_items() == 1)


def test_a_deadline_of_the_client_reaches_the_model(emulator: EmulatorThread, client: Client) -> None:
    emulator.deploy(MODELS / "aborting")
    answers = client.generate(inference_request("aborting", "generate", chunks=200), timeout=0.5)
    with pytest.raises(grpc.RpcError) as raised:
        list(answers)
    assert raised.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED  # pyright: ignore[reportAttributeAccessIssue]
    wait_for(lambda: emulator.events("work.cancelled"))


def test_an_edited_model_becomes_a_new_version_and_takes_over(emulator: EmulatorThread, tmp_path: Any) -> None:
    import shutil

    directory = tmp_path / "hello"
    shutil.copytree(MODELS / "hello", directory)
    first = emulator.deploy(directory)
    again = emulator.deploy(directory)
    assert (again.version_id, again.is_new_version) == (first.version_id, False)

    source = directory / "1" / "model.py"
    source.write_text(source.read_text().replace("Hello, {prompt}", "Goodbye, {prompt}"))
    second = emulator.deploy(directory)
    assert second.is_new_version
    assert sdk_model("hello").predict(prompt="x") == "Goodbye, x!"
    wait_for(lambda: len(replicas(emulator, "deploy-hello")) == 1)


def test_a_broken_edit_leaves_what_is_deployed(emulator: EmulatorThread, tmp_path: Any) -> None:
    import shutil

    directory = tmp_path / "hello"
    shutil.copytree(MODELS / "hello", directory)
    emulator.deploy(directory)
    (directory / "1" / "model.py").write_text("def broken(:\n")
    with pytest.raises(Exception, match=r"model\.py cannot be used"):
        emulator.deploy(directory)
    assert sdk_model("hello").predict(prompt="x") == "Hello, x!"


def _small_nodepool(client: Client) -> None:
    _nodepool(client, "small", "t3a.medium")


def _gpu_nodepool(client: Client) -> None:
    _nodepool(client, "gpus", "g5.xlarge")


def _nodepool(client: Client, nodepool_id: str, instance_type: str) -> None:
    from clarifai_grpc.grpc.api.resources_pb2 import InstanceType, NodeCapacityType, Nodepool

    nodepool = Nodepool(
        id=nodepool_id,
        instance_types=[InstanceType(id=instance_type)],
        node_capacity_type=NodeCapacityType(capacity_types=[1]),
        max_instances=1,
    )
    response = client.call("PostNodepools", compute_cluster_id="local", nodepools=[nodepool])
    assert response.status.code == StatusCode.SUCCESS, response.status


def test_a_deployment_that_another_one_overtakes_says_so_and_does_not_wait(
    emulator: EmulatorThread, tmp_path: Path
) -> None:
    source = (MODELS / "hello" / "1" / "model.py").read_text()
    load = "    def load_model(self):\n        print('loads', flush=True)\n        __import__('time').sleep(60)\n\n"
    slow = source.replace("(ModelClass):\n", f"(ModelClass):\n{load}", 1)
    directory = write_model(tmp_path, "overtaken", slow)
    errors: list[CallerError] = []

    def deploy() -> None:
        try:
            emulator.deploy(directory)
        except CallerError as error:
            errors.append(error)

    waiting = threading.Thread(target=deploy, daemon=True)
    waiting.start()
    # In a container: its image, its start and the import of the SDK.
    wait_for(lambda: "loads" in logged(emulator), seconds=60)
    (directory / "1" / "model.py").write_text(source)
    emulator.deploy(directory)
    waiting.join(15)
    assert len(errors) == 1
    assert errors[0].details.endswith(
        "was not ready before 'deploy-overtaken' was given another one, or was deleted."
    )
    assert errors[0].hint == "Somebody else deployed, too; `clarifai-emulator status` shows what is there now."
