"""Steps that are no part of the product: they meet predictions as messages, however a client asks for them."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from functools import partial
from typing import Any

import openai
import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.call import ApiCall, Step, StreamHandler
from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.errors import CallerError
from clarifai_emulator.faults import Fault
from flow.driver import MODELS, Client, inference_request, running, text_of

PREDICTIONS = ("PostModelOutputs", "GenerateModelOutputs", "StreamModelOutputs")
GREETING = json.dumps({"id": "c1", "object": "chat.completion", "created": 1, "model": "oracle", "choices": []})


class Census(Step):
    """Counts predictions, stamps their answers, and refuses rude ones."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def intercept(self, call: ApiCall, following: StreamHandler) -> StreamHandler:
        return partial(self._serve, following) if call.rpc.name in PREDICTIONS else following

    async def _serve(
        self, following: StreamHandler, call: ApiCall, requests: AsyncIterator[Any]
    ) -> AsyncGenerator[Any]:
        self.seen.append(f"{call.rpc.name} of {call.caller.user_id}")
        call.trailers["x-count"] = str(len(self.seen))
        async with aclosing(following(call, self._polite(requests))) as answers:
            async for answer in answers:
                answer.status.internal_details = "seen"
                yield answer

    async def _polite(self, requests: AsyncIterator[Any]) -> AsyncGenerator[Any]:
        async for request in requests:
            if "rude" in str(request.inputs):
                raise CallerError(StatusCode.CONN_INVALID_REQUEST, "Be polite.")
            yield request


class Oracle(Step):
    """Answers predictions of the model ``oracle`` itself, with one text."""

    def intercept(self, call: ApiCall, following: StreamHandler) -> StreamHandler:
        return partial(self._serve, following) if call.rpc.name == "PostModelOutputs" else following

    async def _serve(
        self, following: StreamHandler, call: ApiCall, requests: AsyncIterator[Any]
    ) -> AsyncGenerator[Any]:
        async for request in requests:
            if request.model_id == "oracle":
                answer = call.rpc.response_type()
                answer.outputs.add().data.string_value = GREETING
                yield answer
            else:
                async for answer in following(call, _only(request)):
                    yield answer


async def _only(request: Any) -> AsyncGenerator[Any]:
    yield request


@pytest.fixture(scope="module")
def census() -> Census:
    return Census()


@pytest.fixture(scope="module")
def emulator(census: Census) -> Iterator[EmulatorThread]:
    with running(steps=(census, Oracle())) as emulator:
        emulator.deploy(MODELS / "hello")
        yield emulator


@pytest.fixture
def client(emulator: EmulatorThread) -> Iterator[Client]:
    client = Client(emulator.url)
    yield client
    client.close()


def post(emulator: EmulatorThread, path: str, content: Any) -> tuple[int, Any, Any]:
    headers = {"authorization": "Key any-token", "accept": "application/json"}
    asked = urllib.request.Request(f"{emulator.url}{path}", json.dumps(content).encode(), headers)
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return answer.status, answer.headers, json.load(answer)
    except urllib.error.HTTPError as answer:
        return answer.code, answer.headers, json.load(answer)


def rest(emulator: EmulatorThread, prompt: str) -> tuple[int, Any, Any]:
    data = {"parts": [{"id": "prompt", "data": {"string_value": prompt}}]}
    return post(emulator, "/v2/users/me/apps/demo/models/hello/outputs", {"inputs": [{"data": data}]})


def test_it_meets_predictions_of_every_client_as_messages(
    emulator: EmulatorThread, client: Client, census: Census
) -> None:
    census.seen.clear()
    answer, trailers = client.call_with_trailers("PostModelOutputs", inference_request("hello", prompt="Ada"))
    assert (text_of(answer), answer.status.internal_details) == ("Hello, Ada!", "seen")
    assert trailers["x-count"] == "1"
    words = list(client.generate(inference_request("hello", "generate", prompt="Ada")))
    assert [text_of(each) for each in words] == ["Hello,", "Ada!"]
    both = list(client.stream(iter([inference_request("hello", "stream", prompt="Ada")])))
    assert {each.status.internal_details for each in (*words, *both)} == {"seen"}

    status, headers, content = rest(emulator, "Ada")
    assert (status, headers["x-count"]) == (200, "4")
    assert content["status"]["internal_details"] == "seen"
    with openai.OpenAI(base_url=f"{emulator.url}/v2/ext/openai/v1", api_key="any-token") as chat:
        assert chat.chat.completions.create(model="me/demo/models/oracle", messages=[]).id == "c1"
    message = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    status, _, content = post(emulator, "/v2/ext/mcp/v1/users/me/apps/demo/models/oracle", message)
    assert (status, content["result"]["id"]) == (200, "c1")

    kinds = ("PostModelOutputs", "GenerateModelOutputs", "StreamModelOutputs", *["PostModelOutputs"] * 3)
    assert census.seen == [f"{kind} of me" for kind in kinds]


def test_what_it_refuses_is_a_status_of_the_platform(emulator: EmulatorThread, client: Client) -> None:
    refused = client.call("PostModelOutputs", inference_request("hello", prompt="rude"))
    assert (refused.status.code, refused.status.details) == (StatusCode.CONN_INVALID_REQUEST, "Be polite.")
    (streamed,) = client.generate(inference_request("hello", "generate", prompt="rude"))
    assert streamed.status.details == "Be polite."
    status, headers, content = rest(emulator, "rude")
    assert (status, content["status"]["details"]) == (400, "Be polite.")
    finished = emulator.events("request.finished")[-1].fields
    assert finished["error"] == "Be polite."
    assert finished["request_id"] == headers["x-clarifai-request-id"]


def test_it_knows_who_asks_and_does_not_meet_what_comes_to_an_end_before_it(
    emulator: EmulatorThread, client: Client, census: Census
) -> None:
    census.seen.clear()
    assert client.call("ListModels", user_app_id={"user_id": "me"}).status.code == StatusCode.SUCCESS
    assert client.call("PostModelOutputs", metadata=[]).status.code == StatusCode.CONN_INVALID_REQUEST
    with emulator.faults.add(Fault(rpc="PostModelOutputs", throttle=True)):
        throttled = client.call("PostModelOutputs", inference_request("hello", prompt="Ada"))
    assert throttled.status.code == StatusCode.CONN_THROTTLED
    assert census.seen == []
