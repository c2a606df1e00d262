"""gRPC-Web at the one port: unary calls and streams, binary and text, and what each broken request is told."""

from __future__ import annotations

import asyncio
import base64
import gzip
import struct
from collections.abc import AsyncIterator
from typing import Any

import pytest
from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.errors import TransportError
from http_port import Answer, HttpClient, http_client

BINARY = "application/grpc-web+proto"
TEXT = "application/grpc-web-text"
GET_MODEL = "/clarifai.api.V2/GetModel"
GENERATE = "/clarifai.api.V2/GenerateModelOutputs"


class Handlers:
    """Handlers that say what they were asked."""

    def __init__(self) -> None:
        self.cancelled = asyncio.Event()

    def get_model(self, call: Any, request: Any) -> Any:
        call.trailers["x-note"] = "Grüße"
        if request.model_id == "cut":
            raise TransportError("UNAVAILABLE", "a fault: 50 %")
        return call.rpc.response_type(model={"id": request.model_id})

    async def predict(self, call: Any, request: Any) -> Any:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    async def generate(self, call: Any, requests: Any) -> AsyncIterator[Any]:
        async for request in requests:
            for number in range(int(request.version_id or 3)):
                yield call.rpc.response_type(outputs=[{"id": str(number)}])


@pytest.fixture
def handlers() -> Handlers:
    return Handlers()


@pytest.fixture
async def client(handlers: Handlers) -> AsyncIterator[HttpClient]:
    table = {
        "GetModel": handlers.get_model,
        "PostModelOutputs": handlers.predict,
        "GenerateModelOutputs": handlers.generate,
    }
    async with http_client(table, cors=("localhost",), max_message_bytes=100_000) as client:
        yield client


def frame(message: bytes, flag: int = 0) -> bytes:
    return struct.pack(">BI", flag, len(message)) + message


def asked(model_id: str = "m", **fields: Any) -> bytes:
    return service_pb2.GetModelRequest(model_id=model_id, **fields).SerializeToString()


def prompt(version_id: str) -> bytes:
    return service_pb2.PostModelOutputsRequest(model_id="m", version_id=version_id).SerializeToString()


def parted(answer: Answer) -> tuple[list[bytes], dict[str, str]]:
    """Return the messages and the trailers of an answer."""
    assert answer.status == 200
    body = answer.body
    if "text" in answer.headers["content-type"]:
        groups = [body[at : at + 4] for at in range(0, len(body), 4)]  # each part of the answer has its own padding
        body = b"".join(base64.b64decode(group, validate=True) for group in groups)
    messages: list[bytes] = []
    while body:
        flag, size = struct.unpack_from(">BI", body)
        part, body = body[5 : 5 + size], body[5 + size :]
        if flag == 0x80:
            assert not body, "the trailers come last"
            return messages, dict(line.split(": ", 1) for line in part.decode().splitlines())
        messages.append(part)
    raise AssertionError("no trailers")


async def refusal(client: HttpClient, body: bytes, content_type: str = BINARY, **headers: str) -> tuple[str, str]:
    sent = {"content-type": content_type, **{name.replace("_", "-"): value for name, value in headers.items()}}
    messages, trailers = parted(await client.ask("POST", GET_MODEL, body, sent))
    assert messages == []
    return trailers["grpc-status"], trailers["grpc-message"]


@pytest.mark.parametrize(
    ("content_type", "accept", "answered"),
    [
        (BINARY, "", BINARY),
        ("application/grpc-web", "*/*", BINARY),
        ("Application/gRPC-Web+proto; charset=utf-8", "", BINARY),
        (TEXT, "", f"{TEXT}+proto"),
        (f"{TEXT}+proto", TEXT, f"{TEXT}+proto"),
        (BINARY, TEXT, f"{TEXT}+proto"),
        (TEXT, BINARY, BINARY),
    ],
)
async def test_a_unary_call_is_answered_in_the_form_that_is_wanted(
    client: HttpClient, content_type: str, accept: str, answered: str
) -> None:
    body = frame(asked())
    sent = base64.b64encode(body) if "text" in content_type else body
    answer = await client.ask("POST", GET_MODEL, sent, {"content-type": content_type, "accept": accept})
    assert answer.headers["content-type"] == answered
    (message,), trailers = parted(answer)
    assert service_pb2.SingleModelResponse.FromString(message).model.id == "m"
    assert trailers["grpc-status"] == "0"
    assert trailers["x-note"] == "Gr%C3%BC%C3%9Fe"
    assert trailers["x-clarifai-request-id"]


async def test_a_stream_comes_message_by_message(client: HttpClient) -> None:
    for content_type, body in ((BINARY, frame(prompt("5"))), (TEXT, base64.b64encode(frame(prompt("5"))))):
        answer = await client.ask("POST", GENERATE, body, {"content-type": content_type})
        assert answer.headers["transfer-encoding"] == "chunked"
        messages, trailers = parted(answer)
        assert len(messages) == 5
        assert trailers["grpc-status"] == "0"


async def test_an_error_of_the_call_is_in_the_trailers(client: HttpClient) -> None:
    assert await refusal(client, frame(asked("cut"))) == ("14", "a fault: 50 %25")


async def test_a_credential_that_is_missing_is_a_status_of_the_answer_as_over_grpc(client: HttpClient) -> None:
    answer = await client.ask("POST", GET_MODEL, frame(asked()), {"content-type": BINARY}, key="")
    (message,), trailers = parted(answer)
    assert trailers["grpc-status"] == "0"
    assert service_pb2.SingleModelResponse.FromString(message).status.code == StatusCode.CONN_INVALID_REQUEST


async def test_methods_that_are_not_there_are_unimplemented(client: HttpClient) -> None:
    for path, said in (
        ("/clarifai.api.V2/ListConcepts", "ListConcepts is an RPC of the platform that the emulator does not have"),
        ("/clarifai.api.V2/Nothing", "Nothing is not an RPC of clarifai.api.V2."),
        ("/other.Service/Do", "There is no method /other.Service/Do over gRPC-Web."),
    ):
        answer = await client.ask("POST", path, frame(b""), {"content-type": BINARY})
        messages, trailers = parted(answer)
        assert messages == []
        assert trailers["grpc-status"] == "12"
        assert trailers["grpc-message"].startswith(said)


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"", "12", "GetModel takes one request; none came."),
        (b"\0\0", "13", "The request ended in the middle of a message."),
        (frame(asked())[:-1], "13", "The request ended in the middle of a message."),
        (
            struct.pack(">BI", 0, 0xFFFFFFFF) + b"x",
            "8",
            "The request has 4294967295 bytes; a message may have 100000",
        ),
        (frame(bytes(100_001)), "8", "The request has 100001 bytes; a message may have 100000 at most."),
        (
            frame(b"grpc-status: 0\r\n", 0x80),
            "13",
            "A message begins with the byte 0x80: it must be 0 (plain) or 1",
        ),
        (frame(b"x", 1), "13", "A message is marked as compressed, and grpc-encoding does not say how: gzip or"),
    ],
)
async def test_broken_frames_are_told_what_is_wrong(
    client: HttpClient, body: bytes, status: str, said: str
) -> None:
    code, message = await refusal(client, body)
    assert (code, message.startswith(said)) == (status, True), message


async def test_a_compressed_message_is_taken(client: HttpClient) -> None:
    sent = {"content-type": BINARY, "grpc-encoding": "gzip"}
    answer = await client.ask("POST", GET_MODEL, frame(gzip.compress(asked()), 1), sent)
    assert parted(answer)[1]["grpc-status"] == "0"
    bomb = frame(gzip.compress(bytes(10_000_000)), 1)
    code, message = await refusal(client, bomb, grpc_encoding="gzip")
    assert (code, message) == ("8", "The request unpacks to more than 100000 bytes.")


@pytest.mark.parametrize(
    "text",
    [
        base64.encodebytes(frame(asked("a" * 100))),  # lines of 76 characters
        base64.b64encode(frame(asked("a" * 100))).replace(b"A", b"\r\nA "),
        base64.b64encode(frame(asked("a" * 100))[:7]) + base64.b64encode(frame(asked("a" * 100))[7:]),  # two parts
        b"".join(base64.b64encode(bytes([each])) for each in frame(asked("a" * 100))),  # padding in each group
    ],
)
async def test_base64_may_be_broken_into_lines_and_parts(client: HttpClient, text: bytes) -> None:
    (message,), trailers = parted(await client.ask("POST", GET_MODEL, text, {"content-type": TEXT}))
    assert trailers["grpc-status"] == "0"
    assert service_pb2.SingleModelResponse.FromString(message).model.id == "a" * 100


@pytest.mark.parametrize("text", [b"AAAA*AAA", b"AAAAA", b"AA=A", b"====", base64.b64encode(frame(asked()))[:-2]])
async def test_what_is_no_base64_is_refused(client: HttpClient, text: bytes) -> None:
    code, message = await refusal(client, text, TEXT)
    assert code == "3"
    assert message.startswith(f"The body of a gRPC-Web request with content-type {TEXT} must be base64: ")
    assert message.endswith("Bytes as they are go with content-type application/grpc-web.")


async def test_a_deadline_ends_the_call(client: HttpClient, handlers: Handlers) -> None:
    sent = {"content-type": BINARY, "grpc-timeout": "20m"}
    answer = await client.ask("POST", "/clarifai.api.V2/PostModelOutputs", frame(prompt("1")), sent)
    _, trailers = parted(answer)
    assert trailers["grpc-status"] == "4"
    assert trailers["grpc-message"] == "The time that the client gave this call has passed."
    assert handlers.cancelled.is_set()


async def test_a_page_that_goes_away_cancels_the_call(client: HttpClient, handlers: Handlers) -> None:
    _, writer = await client.connect()
    body = frame(prompt("1"))
    head = f"content-type: {BINARY}\r\nhost: localhost\r\nauthorization: Key x\r\ncontent-length: {len(body)}"
    writer.write(f"POST /clarifai.api.V2/PostModelOutputs HTTP/1.1\r\n{head}\r\n\r\n".encode() + body)
    await asyncio.sleep(0.05)
    writer.close()
    await asyncio.wait_for(handlers.cancelled.wait(), 5)


async def test_another_content_type_is_told_what_is_spoken(client: HttpClient) -> None:
    for content_type in (
        "application/grpc-web+json",
        "application/json",
        "application/grpc",
        "application/grpc+proto",
    ):
        answer = await client.ask("POST", GET_MODEL, frame(b""), {"content-type": content_type})
        assert answer.status == 415
        assert answer.json["status"]["details"] == (
            f"{GET_MODEL} is a method of gRPC, and the request has content-type '{content_type}'. "
            "Send gRPC-Web (application/grpc-web+proto or application/grpc-web-text), "
            "or gRPC over HTTP/2 (application/grpc); the REST API is below /v2."
        )
    answer = await client.ask("GET", GET_MODEL)
    assert (answer.status, answer.headers["allow"]) == (405, "post")


async def test_a_page_may_ask_first_and_read_what_it_gets(client: HttpClient) -> None:
    page = {"origin": "http://localhost:5173"}
    preflight = {
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,x-grpc-web,x-user-agent",
    }
    answer = await client.ask("OPTIONS", GET_MODEL, headers=page | preflight, key="")
    assert answer.headers["access-control-allow-headers"] == "authorization,content-type,x-grpc-web,x-user-agent"
    answer = await client.ask("POST", GET_MODEL, frame(asked()), page | {"content-type": BINARY})
    assert answer.headers["access-control-allow-origin"] == "http://localhost:5173"
    assert "x-clarifai-emulator-rule" in answer.headers["access-control-expose-headers"]
    refused = await client.ask("POST", GET_MODEL, frame(asked()), {"origin": "http://a.b", "content-type": BINARY})
    assert refused.status == 403


async def test_a_message_for_which_there_is_no_room_is_refused_as_over_grpc() -> None:
    table: Any = {"GetModel": lambda call, request: call.rpc.response_type()}
    async with http_client(table, max_connection_buffer_bytes=1 << 20) as client:
        code, text = await refusal(client, frame(bytes(2 << 20)))
    assert code == "8"
    assert text.startswith("The requests and answers that wait on this connection have more than 1048576 bytes")
