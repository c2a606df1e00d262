"""Listeners and what answers itself: how interceptors meet calls. That clients notice nothing:
rest/test_gateway."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pytest
from clarifai_grpc.grpc.api.service_pb2 import MultiOutputResponse

from clarifai_emulator.api.access.auth import Authenticator
from clarifai_emulator.api.call import ApiCall, Interceptor, StreamHandler, only
from clarifai_emulator.api.chain import RequestChain
from clarifai_emulator.api.rpc import rpc_table
from clarifai_emulator.api.taps import HeardCall, tap
from clarifai_emulator.api.transport.peer import NO_PEER
from clarifai_emulator.errors import TransportError
from clarifai_emulator.events import EventBus
from http_port import HttpClient, http_client
from resource_api import StillClock

OUTPUTS = "/v2/users/me/apps/a/models/m/outputs"


async def predict(call: ApiCall, request: Any) -> Any:
    return call.rpc.response_type(outputs=[{"id": each.id} for each in request.inputs])


async def stream(call: ApiCall, requests: Any) -> AsyncIterator[Any]:
    async for request in requests:
        yield call.rpc.response_type(outputs=[{"id": request.model_id}])


def served(*interceptors: Interceptor) -> Any:
    return http_client({"PostModelOutputs": predict, "StreamModelOutputs": stream}, interceptors=interceptors)


def answering(*answers: MultiOutputResponse, error: TransportError | None = None) -> Interceptor:
    """Return an interceptor that answers every call itself, after each request that comes."""

    def intercept(call: ApiCall, following: StreamHandler) -> StreamHandler:
        async def answer(call: ApiCall, requests: AsyncIterator[Any]) -> AsyncGenerator[Any]:
            for each in answers:
                await anext(requests, None)
                yield each
            if error is not None:
                raise error

        return answer

    return intercept


async def ask(client: HttpClient, inputs: str = "i") -> Any:
    return await client.ask("POST", OUTPUTS, {"inputs": [{"id": each} for each in inputs]})


async def test_a_listener_hears_what_it_would_hear_over_grpc() -> None:
    begun: list[HeardCall] = []
    ended: list[HeardCall] = []
    async with served(tap(begun.append, ended.append)) as client:
        answer = await ask(client)
        await client.ask("POST", "/v2/models/outputs/stream", b'{"model_id":"a"}\n{"model_id":"b"}')
    unary, both = ended
    assert begun == ended
    assert (unary.call.rpc.path, unary.order, unary.error, unary.cancelled) == (
        "/clarifai.api.V2/PostModelOutputs",
        "><",
        None,
        False,
    )
    assert unary.metadata["authorization"] == "Key abc"
    assert unary.request_id == answer.json["status"]["req_id"]
    assert unary.answers[0].outputs[0].id == "i"
    assert (both.rpc, both.order) == ("StreamModelOutputs", "><><")


async def test_interceptors_are_asked_from_the_first_and_the_last_one_counts() -> None:
    heard: list[HeardCall] = []
    listen = tap(lambda heard: None, heard.append)
    played = MultiOutputResponse(outputs=[{"id": "played"}])
    async with served(answering(played), listen) as client:
        assert (await ask(client)).json["outputs"] == [{"id": "played"}]
    assert [each.order for each in heard] == ["><"]
    assert not list(client.events.recent("request.finished"))


async def test_one_that_answers_itself_is_past_the_chain() -> None:
    refused = MultiOutputResponse(status={"code": "FAILURE", "details": "not recorded"})
    async with served(answering(refused)) as client:
        answer = await ask(client)
        assert (answer.status, answer.json["status"]["details"]) == (400, "not recorded")
        lines = (await client.ask("POST", f"{OUTPUTS}/generate", {})).json
        assert lines["status"]["details"] == "not recorded"


async def test_one_that_says_nothing_gives_an_empty_answer() -> None:
    async with served(answering()) as client:
        assert (await ask(client)).json["outputs"] == []


async def test_one_that_ends_with_a_grpc_status_has_its_http_status() -> None:
    async with served(answering(error=TransportError("UNAVAILABLE", "gone"))) as client:
        assert (await ask(client)).status == 503
        answer = await client.ask("POST", f"{OUTPUTS}/generate", {})
        assert (answer.status, answer.json["status"]["details"]) == (503, "UNAVAILABLE: gone")


@pytest.mark.parametrize("good", [0, 1])
async def test_a_request_of_a_stream_that_cannot_be_read_is_refused_as_ever(good: int) -> None:
    played = MultiOutputResponse(status={"code": "SUCCESS"}, outputs=[{"id": "1"}])
    async with served(answering(played, played)) as client:
        body = b'{"model_id":"a"}\n' * good + b'{"mdoel_id":"b"}\n'
        answer = await client.ask("POST", "/v2/models/outputs/stream", body)
    *outputs, last = [json.loads(line) for line in answer.body.splitlines()]
    assert [each["outputs"] for each in outputs] == [[{"id": "1"}]] * good
    assert answer.status == (200 if good else 400)
    assert last["status"]["code"] == 11100
    assert "has no field 'mdoel_id' (did you mean 'model_id'?)" in last["status"]["details"]


async def test_an_rpc_without_a_handler_may_be_answered_by_an_interceptor() -> None:
    clock = StillClock()
    interceptors: list[Interceptor] = []
    chain = RequestChain(
        authenticator=Authenticator(user_id="ada", callers={}),
        events=EventBus(clock),
        clock=clock,
        interceptors=interceptors,
    )
    missing = TransportError("UNIMPLEMENTED", "not there yet")

    async def answers() -> list[Any]:
        call = chain.begin(rpc_table()["PostModelOutputs"], {}, peer=NO_PEER)
        return [each async for each in chain.unserved(call, only("request"), missing)]

    heard: list[HeardCall] = []
    interceptors.append(tap(lambda heard: None, heard.append))
    with pytest.raises(TransportError, match="not there yet"):
        await answers()
    assert heard[0].error is missing
    interceptors.append(answering(MultiOutputResponse(outputs=[{"id": "played"}])))
    assert [each.outputs[0].id for each in await answers()] == ["played"]
