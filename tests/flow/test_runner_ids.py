"""Two runners may have one id, in two nodepools or of two users, as the SDK's default names make common.

Each gets the requests of its own model, and nobody else's."""

from __future__ import annotations

import queue
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Model, ModelVersion, Runner
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.rpc import rpc_table
from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import MODELS, Client, inference_request, running

PATS = """
users: [{id: ada, visibility: private}, {id: bob}]
tokens: [{token: ada-token, user: ada}, {token: bob-token, user: bob}]
"""


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[EmulatorThread]:
    """Yield an emulator of two users."""
    path = tmp_path / "pats.yaml"
    path.write_text(PATS)
    path.chmod(0o600)
    with running(user_id="ada", pats_file=path) as emulator:
        yield emulator


class User:
    """Registers models, nodepools and runners, and calls models."""

    def __init__(self, emulator: EmulatorThread, name: str) -> None:
        self.name, self.token = name, f"{name}-token"
        self.url = emulator.url
        self.client = Client(emulator.url, pat=self.token)

    def do(self, rpc: str, **fields: Any) -> Any:
        answer = self.client.call(rpc, **fields)
        assert answer.status.code == StatusCode.SUCCESS, (rpc, answer.status)
        return answer

    def serve(self, model: str, *, nodepool: str, runner_id: str) -> dict[str, str]:
        """Make a model, a nodepool of the cluster "laptop", a runner with this id and a deployment of it; return
        the ids of the runner."""
        me = {"user_id": self.name, "app_id": "main"}
        cluster = {
            "cloud_provider": {"id": "local"},
            "region": "na",
            "managed_by": "user",
            "cluster_type": "local-dev",
        }
        self.client.call("PostComputeClusters", compute_clusters=[{"id": "laptop", **cluster}])  # is there already
        self.client.call("PostApps", user_app_id={"user_id": self.name}, apps=[{"id": "main"}])
        sizes: dict[str, Any] = {"instance_types": [{"id": "local"}], "node_capacity_type": {"capacity_types": [1]}}
        pool = {"id": nodepool, "max_instances": 1, **sizes}
        self.do("PostNodepools", compute_cluster_id="laptop", nodepools=[pool])
        self.do("PostModels", user_app_id=me, models=[{"id": model, "model_type_id": "any-to-any"}])
        local: dict[str, Any] = {"pretrained_model_config": {"local_dev": True}}
        made = self.do("PostModelVersions", user_app_id=me, model_id=model, model_versions=[local])
        runner, version = Runner(id=runner_id, num_replicas=1), made.model.model_version.id
        served = Model(id=model, **me, model_version=ModelVersion(id=version))
        runner.worker.model.CopyFrom(served)
        ids = {"compute_cluster_id": "laptop", "nodepool_id": nodepool}
        self.do("PostRunners", **ids, runners=[runner])
        place = {"id": nodepool, "compute_cluster": {"id": "laptop", "user_id": self.name}}
        deployment = {"id": f"of-{model}", "worker": {"model": served}, "nodepools": [place]}
        self.do("PostDeployments", deployments=[deployment])
        return {**ids, "runner_id": runner_id}

    def answers(self, model: str, *, calls: int = 20) -> Counter[str]:
        """Call the model; count its answers."""
        request = inference_request(model, user=self.name, app="main", prompt="private")
        answers = [self.client.call("PostModelOutputs", request) for _ in range(calls)]
        return Counter(
            each.outputs[0].data.text.raw if each.status.code == StatusCode.SUCCESS else each.status.details
            for each in answers
        )

    @contextmanager
    def runner(self, ids: dict[str, str], says: str) -> Iterator[None]:
        """Run a runner with two streams that answers everything with ``says``."""
        replica, calls = uuid.uuid4().hex, list[Any]()
        with grpc.insecure_channel(self.url.removeprefix("http://")) as channel:
            threads = [
                threading.Thread(
                    target=self._take_work, args=(channel, {**ids, "runner_replica_id": replica}, says, calls)
                )
                for _ in range(2)
            ]
            for thread in threads:
                thread.start()
            yield
            self.client.call(
                "DeleteRunners", **{k: v for k, v in ids.items() if k != "runner_id"}, ids=[ids["runner_id"]]
            )
            for call in tuple(calls):
                call.cancel()
            for thread in threads:
                thread.join()

    def _take_work(self, channel: grpc.Channel, ids: dict[str, str], says: str, calls: list[Any]) -> None:
        rpc = rpc_table()["ProcessRunnerItems"]
        output = {"status": {"code": StatusCode.SUCCESS}, "data": {"text": {"raw": says}}}
        answer = {"status": {"code": StatusCode.SUCCESS}, "outputs": [output]}
        method = channel.stream_stream(
            rpc.path,
            request_serializer=rpc.request_type.SerializeToString,
            response_deserializer=rpc.response_type.FromString,
        )
        while True:
            sent = queue.Queue[Any]()
            sent.put(rpc.request_type(user_app_id={"user_id": self.name}, **ids))
            call = method(iter(sent.get, None), metadata=[("authorization", f"Key {self.token}")])
            calls.append(call)
            try:
                for message in call:
                    if not message.runner_items:
                        return
                    outputs: list[Any] = [{"multi_output_response": answer}]
                    item = message.runner_items[0].id
                    sent.put(rpc.request_type(**ids, runner_item_id=item, runner_item_outputs=outputs))
                    sent.put(None)
            except grpc.RpcError:
                return


def test_runners_of_one_id_in_two_nodepools_serve_each_its_own_model(shared: EmulatorThread) -> None:
    ada = User(shared, "ada")
    one = ada.serve("one", nodepool="first", runner_id="laptop")
    two = ada.serve("two", nodepool="second", runner_id="laptop")
    with ada.runner(one, "one"), ada.runner(two, "two"):
        assert ada.answers("one") == {"one": 20}
        assert ada.answers("two") == {"two": 20}
        # What is deleted in one nodepool is not gone in the other.
        ada.do("DeleteRunners", compute_cluster_id="laptop", nodepool_id="first", ids=["laptop"])
        assert ada.answers("two") == {"two": 20}


def test_runners_of_one_id_of_two_users_serve_each_its_own_user(shared: EmulatorThread) -> None:
    ada, bob = User(shared, "ada"), User(shared, "bob")
    hers = ada.serve("model", nodepool="pool", runner_id="desk")
    his = bob.serve("model", nodepool="pool", runner_id="desk")
    with ada.runner(hers, "ada's"), bob.runner(his, "bob's"):
        assert ada.answers("model") == {"ada's": 20}
        assert bob.answers("model") == {"bob's": 20}


def test_who_registers_the_id_of_a_runner_of_somebody_else_gets_none_of_its_requests(
    shared: EmulatorThread,
) -> None:
    shared.deploy(MODELS / "hello", model="ada/main/models/hello")
    ada, bob = User(shared, "ada"), User(shared, "bob")
    made = ada.do("ListRunners", user_app_id={"user_id": "ada"}).runners
    his = bob.serve("model", nodepool="pool", runner_id=made[0].id)
    with ExitStack() as running_runners:
        running_runners.enter_context(bob.runner(his, "forged"))
        assert bob.answers("model") == {"forged": 20}  # his runner works, and is his
        request = inference_request("hello", user="ada", app="main", prompt="private")
        for _ in range(30):
            answer = ada.client.call("PostModelOutputs", request)
            assert answer.outputs[0].data.parts[0].data.string_value == "Hello, private!"
