"""REST requests go through the request chain to the same handlers as over gRPC, and come back as JSON."""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.call import ApiCall
from clarifai_emulator.api.rest.transcoding import read_aside
from clarifai_emulator.api.taps import HeardCall, tap
from clarifai_emulator.errors import CallerError, TransportError
from http_port import HttpClient, http_client

OUTPUTS = "/v2/users/me/apps/a/models/m/outputs"


def in_two_members(body: bytes) -> bytes:
    return gzip.compress(body[:3]) + gzip.compress(body[3:])


def without_frame(body: bytes) -> bytes:
    return zlib.compress(body, wbits=-15)


PACKINGS = [
    ("gzip", gzip.compress),
    ("GZip", gzip.compress),
    ("x-gzip", gzip.compress),
    ("gzip", in_two_members),
    ("deflate", zlib.compress),
    ("deflate", without_frame),
    ("identity", bytes),
]


class Handlers:
    """Handlers that keep what they were asked."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.calls: list[ApiCall] = []
        self.closed = asyncio.Event()

    def table(self) -> dict[str, Any]:
        return {
            "GetModel": self.get_model,
            "PostModelOutputs": self.predict,
            "GenerateModelOutputs": self.generate,
            "StreamModelOutputs": self.stream,
            "ListLogEntries": self.predict_nothing,
            "StreamLogEntries": self.logs,
            "ListStatusCodes": self.predict_nothing,
        }

    def get_model(self, call: ApiCall, request: Any) -> Any:
        self._note(call, request)
        if request.model_id == "gone":
            raise CallerError(StatusCode.MODEL_DOES_NOT_EXIST, "There is no model 'gone'.", hint="Deploy it.")
        if request.model_id == "cut":
            raise TransportError("UNAVAILABLE", "a fault")
        if request.model_id == "bug":
            raise RuntimeError("a bug")
        return call.rpc.response_type(model={"id": request.model_id})

    async def predict(self, call: ApiCall, request: Any) -> Any:
        self._note(call, request)
        call.trailers["x-clarifai-emulator-rule"] = "owner_default"
        return call.rpc.response_type(outputs=[{"id": each.id} for each in request.inputs])

    def predict_nothing(self, call: ApiCall, request: Any) -> Any:
        self._note(call, request)
        return call.rpc.response_type()

    async def generate(self, call: ApiCall, requests: Any) -> AsyncIterator[Any]:
        request = await anext(requests)
        self._note(call, request)
        try:
            async for response in self._outputs(call, request):
                yield response
        finally:
            self.closed.set()

    async def _outputs(self, call: ApiCall, request: Any) -> AsyncIterator[Any]:
        for number in range(int(request.version_id or 3)):
            yield call.rpc.response_type(outputs=[{"id": str(number)}])
        if request.model_id == "fails":
            raise CallerError(StatusCode.RUNNER_PROCESSING_FAILED, "The replica died.")

    async def stream(self, call: ApiCall, requests: Any) -> AsyncIterator[Any]:
        async for request in requests:
            self._note(call, request)
            yield call.rpc.response_type(outputs=[{"id": request.model_id}])

    async def logs(self, call: ApiCall, requests: Any) -> AsyncIterator[Any]:
        self._note(call, await anext(requests))
        yield call.rpc.response_type()

    def _note(self, call: ApiCall, request: Any) -> None:
        self.calls.append(call)
        self.requests.append(request)


@pytest.fixture
def handlers() -> Handlers:
    return Handlers()


@pytest.fixture
def heard() -> list[HeardCall]:
    return []


@pytest.fixture(params=["by itself", "with a listener"])
async def client(
    handlers: Handlers, heard: list[HeardCall], request: pytest.FixtureRequest
) -> AsyncIterator[HttpClient]:
    """Yield a client; listened calls are no different for it."""
    interceptors = [tap(heard.append, lambda heard: None)] if request.param == "with a listener" else []
    async with http_client(handlers.table(), interceptors=interceptors, max_message_bytes=100_000) as client:
        yield client


async def test_a_request_reaches_its_handler_and_the_answer_carries_its_id(
    client: HttpClient, handlers: Handlers
) -> None:
    answer = await client.ask("POST", OUTPUTS, {"inputs": [{"id": "i"}]})
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json["status"] == {"code": 10000, "description": "Ok", "req_id": answer.json["status"]["req_id"]}
    assert answer.json["outputs"] == [{"id": "i"}]
    assert answer.headers["x-clarifai-request-id"] == answer.json["status"]["req_id"]
    assert answer.headers["x-clarifai-emulator-rule"] == "owner_default"
    request = handlers.requests[0]
    assert (request.user_app_id.user_id, request.user_app_id.app_id, request.model_id) == ("me", "a", "m")
    finished = list(client.events.recent("request.finished"))
    assert [(event.fields["rpc"], event.fields["user_id"]) for event in finished] == [("PostModelOutputs", "ada")]


@pytest.mark.parametrize(
    "path", [OUTPUTS, "/v2/ext/openai/v1/chat/completions", "/v2/ext/mcp/v1/users/me/apps/a/models/m"]
)
async def test_the_body_of_a_request_without_a_good_credential_is_not_waited_for(
    client: HttpClient, path: str
) -> None:
    reader, writer = await client.connect()
    fields = "host: localhost\r\nauthorization: Key a b\r\ncontent-length: 90000"
    writer.write(f"POST {path} HTTP/1.1\r\n{fields}\r\n\r\n".encode())
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    assert head.startswith(b"HTTP/1.1 401 ")
    writer.close()


@pytest.mark.parametrize("key", ["Key abc", "Bearer abc"])
async def test_both_kinds_of_authorization_are_taken(client: HttpClient, key: str) -> None:
    assert (await client.ask("GET", "/v2/models/m", key=key)).status == 200


@pytest.mark.parametrize(("key", "status"), [("", 401), ("key abc", 401), ("Key a b", 401)])
async def test_without_a_good_credential_it_is_401(client: HttpClient, key: str, status: int) -> None:
    answer = await client.ask("GET", "/v2/models/m", key=key)
    assert answer.status == status
    assert answer.json["status"]["code"] in (StatusCode.CONN_INVALID_REQUEST, StatusCode.CONN_KEY_INVALID)


async def test_an_rpc_that_needs_no_credential_needs_none(client: HttpClient) -> None:
    assert (await client.ask("GET", "/v2/status_codes", key="")).status == 200


async def test_a_refusal_has_its_http_status_and_the_platforms_words(client: HttpClient) -> None:
    answer = await client.ask("GET", "/v2/users/me/apps/a/models/gone")
    assert answer.status == 404
    assert answer.json["status"]["code"] == 21200
    assert answer.json["status"]["details"] == "There is no model 'gone'. Deploy it."


async def test_a_bug_is_500_with_the_request_id(client: HttpClient) -> None:
    answer = await client.ask("GET", "/v2/models/bug")
    assert answer.status == 500
    assert answer.json["status"]["code"] == 99009
    assert answer.json["status"]["req_id"]


async def test_a_grpc_status_that_a_fault_asks_for_has_its_http_status(client: HttpClient) -> None:
    answer = await client.ask("GET", "/v2/models/cut")
    assert answer.status == 503
    assert answer.json["status"]["details"] == "UNAVAILABLE: a fault"


async def test_what_runners_say_is_for_grpc(client: HttpClient) -> None:
    answer = await client.ask("POST", "/v2/runners/items/process")
    assert answer.status == 501
    assert answer.json["status"]["details"] == (
        "ProcessRunnerItems is a conversation between a runner and the platform, which is there over gRPC alone."
    )


async def test_an_rpc_that_is_not_there_is_501_and_named(client: HttpClient) -> None:
    answer = await client.ask("GET", "/v2/concepts")
    assert answer.status == 501
    assert answer.json["status"]["code"] == 10040
    assert answer.json["status"]["details"] == (
        "ListConcepts is an RPC of the platform that the emulator does not have yet. "
        "`clarifai-emulator doctor --rpcs` lists those it has."
    )


async def test_what_cannot_be_read_is_refused_with_a_request_id(client: HttpClient, handlers: Handlers) -> None:
    answer = await client.ask("POST", OUTPUTS, b"{")
    assert answer.status == 400
    assert answer.json["status"]["code"] == 11100
    assert answer.json["status"]["req_id"]
    assert handlers.calls == []


@pytest.mark.parametrize(("encoding", "pack"), PACKINGS)
async def test_a_packed_body_is_read(
    client: HttpClient, handlers: Handlers, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    body = pack(json.dumps({"version_id": "v"}).encode())
    answer = await client.ask("POST", OUTPUTS, body, {"content-encoding": encoding})
    assert answer.status == 200
    assert handlers.requests[-1].version_id == "v"


async def test_a_body_that_is_refused_is_gone_with_its_answer(client: HttpClient) -> None:
    gc.collect()
    others = {id(each) for each in gc.get_objects() if isinstance(each, CallerError)}
    gc.disable()
    try:
        assert (await client.ask("POST", OUTPUTS, b"[" * 300_000)).status == 400
        await read_aside(300_000, bool)  # the thread that read the body has let go of it
        left = [each for each in gc.get_objects() if isinstance(each, CallerError) and id(each) not in others]
    finally:
        gc.enable()
    assert left == [], "they hold the body until a full collection"


async def test_a_body_in_another_encoding_is_refused(client: HttpClient) -> None:
    answer = await client.ask("POST", OUTPUTS, b"{}", {"content-encoding": "br"})
    assert answer.status == 400
    assert answer.json["status"]["details"] == (
        "The body is encoded with 'br'; gzip, deflate and plain bodies are read. "
        "Send it with one of these, or without Content-Encoding."
    )


async def test_a_body_that_is_not_packed_as_it_says_is_refused(client: HttpClient) -> None:
    answer = await client.ask("POST", OUTPUTS, b"\x1f\x8b", {"content-encoding": "gzip"})
    assert answer.status == 400
    assert answer.json["status"]["details"] == "The body is said to be gzip and is not: it breaks off."
    answer = await client.ask("POST", OUTPUTS, b"{}", {"content-encoding": "gzip"})
    assert answer.json["status"]["details"].startswith("The body is said to be gzip and is not: Error -3")


async def test_a_body_that_unpacks_to_too_much_is_413(client: HttpClient) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    answer = await client.ask("POST", OUTPUTS, bomb, {"content-encoding": "gzip"})
    assert answer.status == 413
    assert answer.json["status"]["details"].startswith(
        f"The body of the request has more bytes when it is unpacked ({len(bomb)} as it came); it may have 1181909"
    )


async def test_a_message_that_is_too_large_is_413(client: HttpClient) -> None:
    answer = await client.ask("POST", OUTPUTS, {"version_id": "x" * 100_001})
    assert answer.status == 413
    assert "a message may have 100000 at most" in answer.json["status"]["details"]
    answer = await client.ask("POST", OUTPUTS, {"version_id": "x" * 3_000_000})
    assert answer.status == 413
    assert "Send large data as a URL" in answer.json["status"]["details"]


async def test_a_wrong_method_is_405_with_what_is_allowed(client: HttpClient) -> None:
    answer = await client.ask("PUT", "/v2/users/u/deployments", {})
    assert answer.status == 405
    assert answer.headers["allow"] == "delete, get, patch, post"
    assert answer.json["status"]["code"] == 11103
    assert answer.json["status"]["details"] == (
        "There is no PUT /v2/users/u/deployments; this path knows DELETE, GET, PATCH, POST."
    )


async def test_the_document_can_only_be_read(client: HttpClient) -> None:
    answer = await client.ask("POST", "/v2/openapi.json", {})
    assert (answer.status, answer.headers["allow"]) == (405, "get")
    assert answer.json["status"]["details"] == "There is no POST /v2/openapi.json; this path knows GET."


async def test_an_unknown_path_is_404_with_the_nearest(client: HttpClient) -> None:
    answer = await client.ask("GET", "/v2/modles")
    assert answer.status == 404
    assert answer.json["status"]["code"] == 11101
    assert answer.json["status"]["details"] == (
        "There is no path /v2/modles in the platform's REST API. Did you mean /v2/models? "
        "GET /v2/openapi.json lists all that there are."
    )


async def test_head_is_get_without_a_body(client: HttpClient) -> None:
    answer = await client.ask("HEAD", "/v2/models/m")
    assert (answer.status, answer.body) == (200, b"")


# Streams


async def test_a_stream_is_a_message_in_each_line(client: HttpClient) -> None:
    answer = await client.ask("POST", f"{OUTPUTS}/generate", {})
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line)["outputs"][0]["id"] for line in answer.body.splitlines()] == ["0", "1", "2"]
    assert answer.headers["x-clarifai-request-id"]


async def test_a_stream_is_server_sent_events_for_who_asks(client: HttpClient) -> None:
    answer = await client.ask("POST", f"{OUTPUTS}/generate", {}, {"accept": "text/event-stream"})
    assert answer.headers["content-type"] == "text/event-stream"
    events = answer.body.decode().split("\n\n")
    assert events[-1] == ""
    assert [json.loads(event.removeprefix("data: "))["outputs"][0]["id"] for event in events[:-1]] == [
        "0",
        "1",
        "2",
    ]


async def test_a_stream_that_is_refused_at_once_has_the_http_status_of_its_refusal(client: HttpClient) -> None:
    answer = await client.ask("POST", f"{OUTPUTS}/generate", b"{")
    assert answer.status == 400
    assert answer.headers["content-type"] == "application/json"


async def test_a_stream_that_fails_later_says_so_in_its_last_message(client: HttpClient) -> None:
    answer = await client.ask("POST", "/v2/users/me/apps/a/models/fails/versions/2/outputs/generate", {})
    assert answer.status == 200
    codes = [json.loads(line)["status"]["code"] for line in answer.body.splitlines()]
    assert codes == [10000, 10000, 25608]


async def test_a_stream_without_an_answer_is_empty(client: HttpClient) -> None:
    answer = await client.ask("POST", "/v2/models/outputs/stream", b"")
    assert (answer.status, answer.body) == (200, b"")


async def test_both_sides_stream_line_by_line(client: HttpClient) -> None:
    answer = await client.ask("POST", "/v2/models/outputs/stream", b'{"model_id":"a"}\n\n{"model_id":"b"}')
    assert [json.loads(line)["outputs"][0]["id"] for line in answer.body.splitlines()] == ["a", "b"]


async def test_a_line_that_cannot_be_read_ends_a_stream_with_the_reason(client: HttpClient) -> None:
    answer = await client.ask("POST", "/v2/models/outputs/stream", b'{"model_id":"a"}\n{"mdoel_id":"b"}\n')
    last = json.loads(answer.body.splitlines()[-1])["status"]
    assert last["code"] == 11100
    assert "has no field 'mdoel_id' (did you mean 'model_id'?)" in last["details"]


async def test_a_line_without_end_is_refused(client: HttpClient) -> None:
    answer = await client.ask("POST", "/v2/models/outputs/stream", b"x" * 200_000)
    assert answer.status == 413
    assert answer.json["status"]["details"] == (
        "A line of the request has more than 100000 bytes. StreamModelOutputs takes one JSON object in each line."
    )


async def test_a_form_of_a_list_and_a_stream_is_the_list_unless_a_stream_is_asked_for(
    client: HttpClient, handlers: Handlers
) -> None:
    path = "/v2/users/u/compute_clusters/c/nodepools/n/runners/r/runner/logs"
    await client.ask("GET", path)
    await client.ask("GET", path, headers={"accept": "text/event-stream"})
    assert [call.rpc.name for call in handlers.calls] == ["ListLogEntries", "StreamLogEntries"]
