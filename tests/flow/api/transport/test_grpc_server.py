"""Handlers over real gRPC: shapes of calls, trailers, what cannot be read, and what is not there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.access.auth import Authenticator
from clarifai_emulator.api.call import ApiCall
from clarifai_emulator.api.chain import RequestChain
from clarifai_emulator.api.rpc import rpc_table
from clarifai_emulator.api.transport.grpc_server import ApiHandlers
from clarifai_emulator.api.transport.grpc_stream import GrpcStream
from clarifai_emulator.api.transport.peer import NO_PEER
from clarifai_emulator.events import EventBus
from grpc_port import grpc_port
from resource_api import StillClock
from unbounded_buffers import unbounded

KEY = (("authorization", "Key abc"),)


class Scene:
    channel: grpc.aio.Channel
    api: ApiHandlers

    def __init__(self, events: EventBus) -> None:
        self.events = events
        self.calls: list[ApiCall] = []
        self.closed = asyncio.Event()

    def get_model(self, call: ApiCall, request: Any) -> Any:
        self.calls.append(call)
        return call.rpc.response_type(model={"id": request.model_id})

    def predict(self, call: ApiCall, request: Any) -> Any:
        """Answer with a text and a traceback; for the model `large`, as an answer that came in bytes."""
        response = call.rpc.response_type(outputs=[{"id": "1", "data": {"text": {"raw": "x" * 1000}}}])
        response.status.code, response.status.stack_trace[:] = StatusCode.SUCCESS, ["a frame", "another"]
        if request.model_id == "large":
            call.came_back = response, bytearray(response.SerializeToString())
        return response

    async def generate(self, call: ApiCall, requests: Any) -> AsyncIterator[Any]:
        request = await anext(requests)
        try:
            for number in range(10_000 if request.inputs else 3):
                yield call.rpc.response_type(outputs=[{"id": f"{request.model_id} {number}"}])
        finally:
            self.closed.set()

    async def stream(self, call: ApiCall, requests: Any) -> AsyncIterator[Any]:
        async for request in requests:
            yield call.rpc.response_type(outputs=[{"id": request.model_id}])

    def method(self, name: str, *, raw: bool = False) -> Any:
        rpc = rpc_table()[name]
        make: Any = {
            (False, False): self.channel.unary_unary,
            (False, True): self.channel.unary_stream,
            (True, True): self.channel.stream_stream,
        }[rpc.client_streaming, rpc.server_streaming]
        return make(
            rpc.path,
            request_serializer=bytes if raw else rpc.request_type.SerializeToString,
            response_deserializer=rpc.response_type.FromString,
        )


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    clock = StillClock()
    events = EventBus(clock)
    chain = RequestChain(authenticator=Authenticator(user_id="ada", callers={}), events=events, clock=clock)
    scene = Scene(events)
    handlers: Any = {
        "GetModel": scene.get_model,
        "PostModelOutputs": scene.predict,
        "GenerateModelOutputs": scene.generate,
        "StreamModelOutputs": scene.stream,
    }
    scene.api = ApiHandlers(handlers, chain)
    async with grpc_port(scene.api.find) as address:
        scene.channel = grpc.aio.insecure_channel(address)
        yield scene
        await scene.channel.close()


def request_of(name: str, **fields: Any) -> Any:
    return rpc_table()[name].request_type(**fields)


async def test_a_unary_call_is_answered_with_its_request_id_in_the_trailers(scene: Scene) -> None:
    call = scene.method("GetModel")(request_of("GetModel", model_id="x"), metadata=KEY)
    response = await call
    assert (response.model.id, response.status.code) == ("x", StatusCode.SUCCESS)
    assert dict(await call.trailing_metadata())["x-clarifai-request-id"] == response.status.req_id


async def test_each_answer_of_a_stream_comes_and_then_the_trailers(scene: Scene) -> None:
    call = scene.method("GenerateModelOutputs")(request_of("GenerateModelOutputs", model_id="m"), metadata=KEY)
    responses = [response async for response in call]
    assert [response.outputs[0].id for response in responses] == ["m 0", "m 1", "m 2"]
    assert dict(await call.trailing_metadata())["x-clarifai-request-id"] == responses[0].status.req_id


async def test_both_sides_may_stream(scene: Scene) -> None:
    requests = (request_of("StreamModelOutputs", model_id=name) for name in "abc")
    call = scene.method("StreamModelOutputs")(requests, metadata=KEY)
    assert [response.outputs[0].id async for response in call] == ["a", "b", "c"]


async def test_a_client_that_leaves_closes_its_handler(scene: Scene) -> None:
    request = request_of("GenerateModelOutputs", model_id="m")
    request.inputs.add()
    call = scene.method("GenerateModelOutputs")(request, metadata=KEY)
    await call.read()
    call.cancel()
    await asyncio.wait_for(scene.closed.wait(), 5)


async def test_metadata_and_deadline_reach_the_call(scene: Scene) -> None:
    metadata = (*KEY, ("some-bin", b"\xff"), ("some", "text"))
    await scene.method("GetModel")(request_of("GetModel"), metadata=metadata, timeout=60)
    await scene.method("GetModel")(request_of("GetModel"), metadata=KEY)
    with_deadline, without = scene.calls
    assert with_deadline.metadata["authorization"] == "Key abc"
    assert with_deadline.metadata["some"] == "text"
    assert with_deadline.seconds_left is not None
    assert 50 < with_deadline.seconds_left < 61  # gRPC rounds a deadline up a little
    assert without.seconds_left is None
    assert str(with_deadline.peer).startswith("ipv4:127.0.0.1:")


async def test_bytes_that_are_no_request_are_refused_by_name(scene: Scene) -> None:
    response = await scene.method("GetModel", raw=True)(b"\xff\xff", metadata=KEY)
    assert response.status.code == StatusCode.CONN_BAD_REQUEST_FORMAT
    assert response.status.details.startswith(
        "The request of GetModel cannot be read as clarifai.api.GetModelRequest: Error parsing message"
    )
    assert response.status.details.endswith(
        "Send it with the stubs of clarifai-grpc, of a version that this platform knows."
    )
    assert scene.calls == []
    assert len(list(scene.events.recent("request.finished"))) == 1


@pytest.mark.parametrize("name", ["GenerateModelOutputs", "StreamModelOutputs"])
async def test_bytes_that_are_no_request_of_a_stream_are_refused_too(scene: Scene, name: str) -> None:
    given: Any = b"\xff\xff" if name == "GenerateModelOutputs" else iter([b"\xff\xff"])
    responses = [response async for response in scene.method(name, raw=True)(given, metadata=KEY)]
    assert [response.status.code for response in responses] == [StatusCode.CONN_BAD_REQUEST_FORMAT]


async def test_an_rpc_without_a_handler_is_unimplemented_and_named(scene: Scene) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await scene.method("ListModels")(request_of("ListModels"), metadata=KEY)
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert raised.value.details() == (
        "ListModels is an RPC of the platform that the emulator does not have yet; `clarifai-emulator doctor "
        "--rpcs` lists those it has."
    )


@pytest.mark.parametrize(
    ("path", "details"),
    [
        ("/clarifai.api.V2/GetModle", "GetModle is not an RPC of clarifai.api.V2."),
        ("/other.Service/Get", "There is no method /other.Service/Get at this address."),
    ],
)
async def test_what_the_platform_does_not_have_is_said_to_be_so(scene: Scene, path: str, details: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await scene.channel.unary_unary(path)(b"")
    assert (raised.value.code(), raised.value.details()) == (grpc.StatusCode.UNIMPLEMENTED, details)


def test_a_handler_of_no_rpc_is_a_mistake_that_shows_at_once() -> None:
    chain: Any = None
    with pytest.raises(ValueError, match="handlers for RPCs that the platform does not have: GetModle"):
        ApiHandlers({"GetModle": lambda call, request: None}, chain)


async def test_an_answer_that_is_sent_as_it_came_says_the_same_as_one_that_is_written_anew(scene: Scene) -> None:
    request = rpc_table()["PostModelOutputs"].request_type
    predict = scene.method("PostModelOutputs")
    small, large = [await predict(request(model_id=name), metadata=KEY) for name in ("small", "large")]
    assert small.status.req_id != large.status.req_id
    assert len(large.status.req_id) == 32
    small.status.req_id = large.status.req_id
    assert large == small
    assert list(large.status.stack_trace) == ["a frame", "another"]


async def test_the_first_chunk_is_sent_at_once_and_those_that_follow_together(scene: Scene) -> None:
    said: list[str] = []

    class Wire:
        def send_headers(self, stream_id: int, headers: Any, *, end: bool) -> None:
            said.append("end" if end else "begin")

        async def send_data(self, stream_id: int, *pieces: bytes) -> None:
            said.append("chunk")

        def flush(self) -> None:
            said.append("flush")

        def cork(self) -> None: ...

        def acknowledge(self, stream_id: int, size: int) -> None: ...

        def reset(self, stream_id: int) -> None: ...

        def give_up(self, stream_id: int, reason: str) -> None: ...

    rpc = rpc_table()["GenerateModelOutputs"]
    serve = scene.api.find(rpc.path)
    assert serve is not None
    stream = GrpcStream(
        Wire(),
        1,
        {":path": rpc.path, "authorization": "Key abc"},
        peer=NO_PEER,
        max_bytes=1000,
        buffers=unbounded(),
    )
    request = rpc.request_type(model_id="m").SerializeToString()
    stream.receive(b"\0" + len(request).to_bytes(4, "big") + request, 0)
    stream.receive_end()
    await stream.run(serve)
    assert said == ["begin", "chunk", "flush", "chunk", "chunk", "end"]
