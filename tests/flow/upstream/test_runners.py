"""The scenarios of the SDK's `runners/test_runners.py` and `test_runners_proto.py`: a runner that its user starts.

It is registered in a nodepool of a local-dev cluster, without a deployment, and called by cluster and nodepool.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from clarifai.client import BaseClient, Model
from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import Client, running, wait_for
from flow.served_files import serving_files

IDS = {"app_id": "runners", "model_id": "greets"}
WHERE = {"compute_cluster_id": "desk", "nodepool_id": "chair"}
IN_POOL = {"nodepool": {"id": "chair", "compute_cluster": {"id": "desk", "user_id": "me"}}}
SENTENCE = "He need not commute."


class Registered:
    """Registers a model and a runner, starts it in a process of its own, and is the client of its model."""

    def __init__(self, emulator: EmulatorThread, kind: str, **version: Any) -> None:
        client = Client(emulator.url)
        user_app = {"user_id": "me", "app_id": "runners"}
        client.call("PostApps", user_app_id={"user_id": "me"}, apps=[{"id": "runners"}])
        made = client.call("PostModels", user_app_id=user_app, models=[{"id": "greets"}])
        assert made.status.code == StatusCode.SUCCESS, made
        versions = [{"pretrained_model_config": {"local_dev": True}, **version}]
        made = client.call("PostModelVersions", user_app_id=user_app, model_id="greets", model_versions=versions)
        self.version_id = made.model.model_version.id
        cluster = {"id": "desk", "cluster_type": "local-dev", "managed_by": "user", "region": "us-east-1",
                   "cloud_provider": {"id": "local"}, "key": {"id": "any-token"}}  # fmt: skip
        client.call("PostComputeClusters", user_app_id={"user_id": "me"}, compute_clusters=[cluster])
        pool = {"id": "chair", "instance_types": [{"id": "one", "compute_info": {"cpu_limit": "1"}}],
                "node_capacity_type": {"capacity_types": [1]}, "max_instances": 1}  # fmt: skip
        client.call("PostNodepools", user_app_id={"user_id": "me"}, compute_cluster_id="desk", nodepools=[pool])
        worker = {"model": {"id": "greets", **user_app, "model_version": {"id": self.version_id}}}
        made = client.call("PostRunners", user_app_id={"user_id": "me"}, **WHERE,
                           runners=[{"worker": worker, "num_replicas": 1}])  # fmt: skip
        assert made.status.code == StatusCode.SUCCESS, made
        client.close()
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("runner_models.py")), kind, made.runners[0].id],
            env={**os.environ, "CLARIFAI_API_BASE": emulator.url},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        options = {"base_url": emulator.url, "pat": "any-token"}
        self.stub = BaseClient(user_id="me", base=emulator.url, pat="any-token").STUB
        self.model = Model(
            user_id="me", model_version={"id": self.version_id}, deployment_user_id="me", **IDS, **WHERE, **options
        )

    def request(self, text: str) -> Any:
        """Return the request that a client without the SDK's helpers makes."""
        return service_pb2.PostModelOutputsRequest(
            user_app_id={"user_id": "me", "app_id": "runners"}, model_id="greets", version_id=self.version_id,
            inputs=[{"data": {"text": {"raw": text}}}], runner_selector=IN_POOL,
        )  # fmt: skip

    def stop(self) -> None:
        """End the runner."""
        self.process.kill()
        self.process.wait(timeout=10)


@pytest.fixture(scope="module")
def registered() -> Iterator[Registered]:
    with running(hold_seconds=20) as emulator:
        found = Registered(emulator, "Greets")
        yield found
        found.stop()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("texts") / "text.txt"
    path.write_text(SENTENCE)
    return path


@pytest.fixture(scope="module")
def url(file: Path) -> Iterator[str]:
    with serving_files(file.parent) as address:
        yield f"{address}/{file.name}"


def texts(responses: Any) -> list[str]:
    """Return the text of a response, or of each of a stream."""
    found = [responses] if hasattr(responses, "outputs") else list(responses)
    assert all(each.status.code == StatusCode.SUCCESS for each in found), found
    return [each.outputs[0].data.text.raw for each in found]


THREE = [f"a {number}" for number in range(3)]
SAID_THREE = [f"{SENTENCE} {number}" for number in range(3)]
Act = Callable[[Registered, Path, str], Any]


@pytest.mark.parametrize(
    ("act", "answers"),
    [
        (lambda each, *_: each.stub.PostModelOutputs(each.request("a")), ["a world"]),
        (lambda each, *_: each.stub.GenerateModelOutputs(each.request("a")), THREE),
        (lambda each, *_: each.stub.StreamModelOutputs(iter([each.request("a")])), ["a 0"]),
        (lambda each, *_: each.model.predict_by_bytes(b"a", "text"), ["a world"]),
        (lambda each, _, url: each.model.predict_by_url(url, "text"), [f"{SENTENCE} world"]),
        (lambda each, file, _: each.model.predict_by_filepath(str(file), "text"), [f"{SENTENCE} world"]),
        (lambda each, *_: each.model.generate_by_bytes(b"a", "text"), THREE),
        (lambda each, _, url: each.model.generate_by_url(url, "text"), SAID_THREE),
        (lambda each, file, _: each.model.generate_by_filepath(str(file), "text"), SAID_THREE),
        (lambda each, *_: each.model.stream_by_bytes(iter([b"a"]), "text"), ["a 0"]),
        (lambda each, _, url: each.model.stream_by_url(iter([url]), "text"), [f"{SENTENCE} 0"]),
        (lambda each, file, _: each.model.stream_by_filepath(str(file), "text"), [f"{SENTENCE} 0"]),
    ],
    ids=["unary", "generate", "stream", "predict_by_bytes", "predict_by_url", "predict_by_filepath",
         "generate_by_bytes", "generate_by_url", "generate_by_filepath", "stream_by_bytes", "stream_by_url",
         "stream_by_filepath"],
)  # fmt: skip
def test_messages_reach_the_runner(
    registered: Registered, file: Path, url: str, act: Act, answers: list[str]
) -> None:
    assert texts(act(registered, file, url)) == answers


def test_methods_are_called_with_arguments(registered: Registered) -> None:
    model = registered.model
    assert model.predict(text1="a").text == "a world"
    assert [each.text for each in model.predict([{"text1": "a"}, {"text1": "b"}])] == ["a world", "b world"]
    assert [each.text for each in model.generate(text1="a")] == THREE
    assert [each.text for each in model.stream(iter(["a", "b"]))] == ["a 0", "b 1"]


async def settled(answer: Any) -> Any:
    """Await an answer as often as the SDK wants it."""
    while inspect.isawaitable(answer):
        answer = await answer
    return answer


def test_methods_are_called_asynchronously(registered: Registered) -> None:
    async def two() -> Any:
        yield "a"
        yield "b"

    async def act() -> list[list[str]]:
        model = registered.model
        await settled(model.async_stream(two()))  # gives nothing that can be read: an error of the SDK
        batch = await settled(model.async_predict([{"text1": "a"}, {"text1": "b"}]))
        return [
            [(await settled(model.async_predict(text1="a"))).text],
            [each.text for each in batch],
            [each.text async for each in await settled(model.async_generate(text1="a"))],
        ]

    assert asyncio.run(act()) == [["a world"], ["a world", "b world"], THREE]


def test_the_client_script_of_the_sdk_can_be_run(registered: Registered) -> None:
    script = registered.model.generate_client_script()
    assert "predict" in script
    compile(script, "client script", "exec")


def test_a_runner_that_answers_messages(file: Path, url: str) -> None:
    with running(hold_seconds=20) as emulator:
        older = Registered(emulator, "Older", output_info={"params": {"hello": "!"}})
        model = older.model
        assert texts(older.stub.PostModelOutputs(older.request("a"))) == ["a world!"]
        # The SDK sends what it knows of the model along, and that has no parameters.
        assert texts(model.predict_by_bytes(b"a", "text")) == ["a world"]
        assert texts(model.predict_by_bytes(b"a", "text", inference_params={"hello": "?"})) == ["a world?"]
        assert texts(model.predict_by_filepath(str(file), "text")) == [f"{SENTENCE} world"]
        picture = url.replace(".txt", ".jpg")
        assert texts(model.predict_by_url(picture, "image")) == [f"{picture} world"]
        older.stop()


def test_once_the_runner_has_stopped_the_request_is_refused() -> None:
    with running(hold_seconds=2) as emulator:
        found, client = Registered(emulator, "Greets"), Client(emulator.url)

        def code() -> int:
            return client.call("PostModelOutputs", found.request("a")).status.code

        wait_for(lambda: code() == StatusCode.SUCCESS, seconds=30)
        found.stop()
        wait_for(lambda: code() == StatusCode.MODEL_DEPLOYING, seconds=30)
        client.close()
