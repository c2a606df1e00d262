"""Models that call models: the emulator knows which request was made inside which other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.faults import Fault
from flow.driver import Client, inference_request, text_of, wait_for, write_model

CALLS = """
import asyncio, json, os, threading, urllib.request
from concurrent.futures import ThreadPoolExecutor
from clarifai.client import Model
from clarifai.runners.models.model_class import ModelClass

BASE = os.environ["CLARIFAI_API_BASE"]
PAT = os.environ.get("CLARIFAI_PAT")

def ask(model, **arguments):
    return Model(url=f"https://clarifai.com/me/demo/models/{model}", base_url=BASE, pat=PAT).predict(**arguments)

def body(model):
    return {"inputs": [{"data": {"parts": [{"id": "name", "data": {"string_value": "x"}}],
                                 "metadata": {"_method_name": "predict"}}}]}

def url(model):
    return f"{BASE}/v2/users/me/apps/demo/models/{model}/outputs"

HEADERS = {"Authorization": f"Key {PAT}", "Content-Type": "application/json"}

class Calls(ModelClass):
    def load_model(self):
        self.pool = ThreadPoolExecutor(2)
        self.pool.submit(int).result()  # so that its threads are older than every request

    @ModelClass.method
    def predict(self, how: str) -> str:
        return getattr(self, how)()

    def sdk(self):
        return ask("inner", name="x")

    def thread(self):
        answers = []
        thread = threading.Thread(target=lambda: answers.append(ask("inner", name="x")))
        thread.start()
        thread.join()
        return answers[0]

    def pooled(self):
        return self.pool.submit(ask, "inner", name="x").result()

    def tasks(self):
        async def both():
            return await asyncio.gather(*(asyncio.to_thread(ask, "inner", name="x") for _ in range(2)))
        return asyncio.run(both())[0]

    def asynchronous(self):
        from clarifai.client.auth import create_stub
        from clarifai.client.auth.helper import ClarifaiAuthHelper
        from clarifai_grpc.grpc.api import service_pb2
        from google.protobuf.json_format import ParseDict
        async def one():
            helper = ClarifaiAuthHelper(user_id="me", app_id="demo", pat=PAT, base=BASE)
            request = ParseDict(body("inner"), service_pb2.PostModelOutputsRequest(model_id="inner"))
            request.user_app_id.MergeFrom(helper.get_user_app_id_proto())
            answer = await create_stub(helper, is_async=True).PostModelOutputs(request)
            return answer.outputs[0].data.parts[0].data.string_value
        return asyncio.run(one())

    def urllib(self):
        asked = urllib.request.Request(url("inner"), data=json.dumps(body("inner")).encode(), headers=HEADERS)
        with urllib.request.urlopen(asked) as answer:
            return answer.read().decode()

    def requests(self):
        import requests
        return requests.post(url("inner"), json=body("inner"), headers=HEADERS).text

    def httpx(self):
        import httpx
        return httpx.post(url("inner"), json=body("inner"), headers=HEADERS).text

    def httpx2(self):
        import httpx2
        async def post():
            async with httpx2.AsyncClient() as client:
                return (await client.post(url("inner"), json=body("inner"), headers=HEADERS)).text
        return asyncio.run(post())

    def aiohttp(self):
        import aiohttp
        async def post():
            async with aiohttp.ClientSession() as session:
                async with session.post(url("inner"), json=body("inner"), headers=HEADERS) as answer:
                    return await answer.text()
        return asyncio.run(post())
"""
INNER = """
from clarifai.runners.models.model_class import ModelClass

class Inner(ModelClass):
    @ModelClass.method
    def predict(self, name: str) -> str:
        return f"hello {name}"
"""
WAYS = ["sdk", "thread", "pooled", "tasks", "asynchronous", "urllib", "requests", "httpx", "httpx2", "aiohttp"]


def finished(emulator: EmulatorThread, count: int) -> list[dict[str, Any]]:
    """Return the ends of inferences, once there are so many."""

    def ends() -> list[dict[str, Any]]:
        found = [each.fields for each in emulator.events("request.finished")]
        return [each for each in found if each["rpc"].endswith("ModelOutputs")]

    wait_for(lambda: len(ends()) >= count)
    return ends()


@pytest.fixture
def calling(emulator: EmulatorThread, tmp_path: Path) -> EmulatorThread:
    emulator.deploy(write_model(tmp_path, "inner", INNER))
    emulator.deploy(write_model(tmp_path, "outer", CALLS))
    return emulator


@pytest.mark.parametrize("how", WAYS)
def test_a_call_inside_a_request_names_it_however_it_is_made(
    calling: EmulatorThread, client: Client, how: str
) -> None:
    answer = client.call("PostModelOutputs", inference_request("outer", how=how))
    assert "hello x" in text_of(answer)
    *inner, outer = finished(calling, 3 if how == "tasks" else 2)
    for each in inner:
        assert (each["trace_id"], each["parent_id"], each["depth"]) == (outer["request_id"], outer["request_id"], 1)
        assert each["caller_replica"] == outer["replica_id"]
        assert "guessed" not in each
    assert "trace_id" not in outer
    decided = calling.events("route.decided")
    assert [each.fields.get("parent_id") for each in decided] == [None, *[outer["request_id"]] * len(inner)]


def test_nobody_else_can_name_a_request_as_the_outer_one_of_its_own(
    calling: EmulatorThread, client: Client
) -> None:
    client.call("PostModelOutputs", inference_request("outer", how="sdk"))
    *_, outer = finished(calling, 2)
    sent = calling.events("work.sent")[0].fields
    for named in (outer["request_id"], sent["work_id"], "", "x" * 5000):
        metadata = [("authorization", "Key any-token"), ("x-clarifai-emulator-parent", named)]
        request = inference_request("inner", name="y")
        assert text_of(client.call("PostModelOutputs", request, metadata=metadata)) == "hello y"
    for each in finished(calling, 6)[2:]:
        assert not {"trace_id", "parent_id", "depth"} & set(each)


def test_a_fault_can_be_for_the_calls_of_one_model(calling: EmulatorThread, client: Client) -> None:
    status = "MODEL_PREDICTION_FAILED"
    calling.faults.add(Fault(model="inner", caller="outer", status=status, message="No tool today"))
    assert text_of(client.call("PostModelOutputs", inference_request("inner", name="y"))) == "hello y"
    failed = client.call("PostModelOutputs", inference_request("outer", how="sdk"))
    assert "No tool today" in failed.status.details
    calling.faults.clear()
    calling.faults.add(Fault(model="inner", caller="other-*", status=status))
    assert text_of(client.call("PostModelOutputs", inference_request("outer", how="sdk"))) == "hello x"
    calling.faults.clear()
    slow = calling.faults.add(Fault(rpc="*", caller="me/demo/models/outer", latency=0.1))
    client.call("PostModelOutputs", inference_request("inner", name="y"))
    assert slow.seen == 0
    client.call("PostModelOutputs", inference_request("outer", how="sdk"))
    assert slow.seen > 0
