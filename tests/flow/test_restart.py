"""The emulator is killed and started again at the same address; clients and runners find it again."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from clarifai_grpc.grpc.api.resources_pb2 import (
    ComputeCluster,
    Deployment,
    InstanceType,
    Model,
    ModelVersion,
    NodeCapacityType,
    Nodepool,
    Runner,
    UserAppIDSet,
)
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from flow.driver import IN_CONTAINERS, Client, inference_request, is_alive, sdk_model, text_of, wait_for
from flow.processes import emulator_process, own_runner


class Retrying(threading.Thread):
    """A client that asks again and again, whatever it is answered, until it is told to stop."""

    def __init__(self, url: str, model: str) -> None:
        super().__init__(daemon=True)
        self._client = Client(url)
        self._model = model
        self._enough = threading.Event()
        self.answers: list[str] = []
        self.errors: set[Any] = set()
        self.start()

    def run(self) -> None:
        request = inference_request(self._model, prompt="x")
        while not self._enough.is_set():
            try:
                response = self._client.call("PostModelOutputs", request, timeout=5)
                if response.status.code == StatusCode.SUCCESS:
                    self.answers.append(text_of(response))
                else:
                    self.errors.add(StatusCode.Name(response.status.code))
            except grpc.RpcError as error:
                self.errors.add(error.code())  # pyright: ignore[reportAttributeAccessIssue]
            time.sleep(0.05)

    def answered_more(self) -> Callable[[], bool]:
        """Return a condition: the client has had another two answers since now."""
        before = len(self.answers)
        return lambda: len(self.answers) >= before + 2

    def wait_until_answered(self) -> None:
        """Wait for another two answers."""
        self.errors.clear()
        answered = self.answered_more()
        try:
            wait_for(answered, seconds=90)
        except AssertionError:
            pytest.fail(f"{self._model} has not answered for 90 s; asked, it said {self.errors or 'nothing'}")

    def stop(self) -> None:
        self._enough.set()
        self.join()
        self._client.close()


def register(client: Client) -> None:
    """Register the model "mine" and its runner, as `clarifai model local-runner` does before it runs a model."""
    user_app = UserAppIDSet(user_id="me", app_id="demo")
    model = Model(id="mine", model_type_id="any-to-any")
    served = Model(id="mine", app_id="demo", user_id="me")
    instances = NodeCapacityType(capacity_types=[1])
    cluster = ComputeCluster(id="laptop", region="na", managed_by="user", cluster_type="local-dev")
    cluster.cloud_provider.id = "local"
    nodepool = Nodepool(
        id="laptop", instance_types=[InstanceType(id="local")], node_capacity_type=instances, max_instances=1
    )
    deployment = Deployment(id="mine")
    deployment.worker.model.CopyFrom(served)
    deployment.nodepools.add(id="laptop").compute_cluster.id = "laptop"
    runner = Runner(id="my-runner")
    runner.worker.model.CopyFrom(served)
    for name, fields in (
        ("PostComputeClusters", {"compute_clusters": [cluster]}),
        ("PostNodepools", {"compute_cluster_id": "laptop", "nodepools": [nodepool]}),
        ("PostModels", {"user_app_id": user_app, "models": [model]}),
        ("PostModelVersions", {"user_app_id": user_app, "model_id": "mine", "model_versions": [ModelVersion()]}),
        ("PostDeployments", {"deployments": [deployment]}),
        ("PostRunners", {"compute_cluster_id": "laptop", "nodepool_id": "laptop", "runners": [runner]}),
    ):
        response = client.call(name, **fields)
        assert response.status.code == StatusCode.SUCCESS, (name, response.status)


def ask_until_deployed(model: Any, answers: list[str]) -> None:
    """Ask once, and again only if the emulator listens already and has not deployed its model yet."""
    while not answers:
        try:
            answers.append(model.predict(prompt="sdk"))
        except Exception as error:
            if "MODEL_DOES_NOT_EXIST" not in str(error):
                raise
            time.sleep(0.2)


@pytest.mark.timeout(300)
def test_after_a_kill_and_a_restart_clients_and_runners_go_on(tmp_path: Path) -> None:
    with emulator_process(tmp_path, "hello") as first:
        client = first.client()
        register(client)
        ids = {"compute_cluster_id": "laptop", "nodepool_id": "laptop", "runner_id": "my-runner"}
        with own_runner(first.url, "hello", **ids) as runner:
            clients = [Retrying(first.url, "hello"), Retrying(first.url, "hello"), Retrying(first.url, "mine")]
            for each in clients:
                each.wait_until_answered()

            model = sdk_model("hello", base_url=first.url)
            assert model.predict(prompt="sdk") == "Hello, sdk!"
            ours = first.descendants()
            assert len(ours) >= 2 or IN_CONTAINERS, "an interpreter and a replica"
            first.end(signal.SIGKILL)
            client.close()
            wait_for(lambda: not any(is_alive(pid) for pid in ours), seconds=5)

            # The SDK, asked while nobody listens, tries again by itself.
            sdk_answers: list[str] = []
            asking = threading.Thread(target=ask_until_deployed, args=(model, sdk_answers), daemon=True)
            asking.start()
            for each in clients:
                each.errors.clear()
            wait_for(lambda: all(each.errors for each in clients))

            with emulator_process(tmp_path, "hello", port=first.port) as second:
                client = second.client()
                register(client)
                for each in clients:
                    each.wait_until_answered()
                asking.join(timeout=30)
                assert sdk_answers == ["Hello, sdk!"]
                for each in clients:
                    each.stop()
                client.close()
            assert runner.poll() is None, "the user's own runner went on"
        assert {answer for each in clients for answer in each.answers} == {"Hello, x!"}
