"""HTTP/2 from the first byte on: REST and the other sites on the streams of a connection, beside gRPC's."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc.aio
import httpx
import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, ResponseReceived, StreamEnded, StreamReset

from clarifai_emulator.api.transport import http2_exchange
from clarifai_emulator.api.transport.grpc_stream import GrpcStream
from clarifai_emulator.api.transport.http_exchange import Exchange, HttpProblem
from clarifai_emulator.api.transport.http_sites import HttpSites
from clarifai_emulator.api.transport.mounts import HttpMount
from clarifai_emulator.api.transport.port import Port
from clarifai_emulator.config import MEBIBYTE, EmulatorConfig
from unbounded_buffers import all_unbounded

Fields = Sequence[tuple[str, str]]


class Mirror:
    """Answers with what it was asked."""

    def __init__(self) -> None:
        self.cancelled = asyncio.Event()
        self.written = 0

    async def serve(self, exchange: Exchange) -> None:
        if exchange.path == "/refused":
            raise HttpProblem(418, 0, "Not here.")
        if exchange.path == "/bug":
            raise RuntimeError("a bug")
        if exchange.path == "/chunks":
            await self._chunks(exchange)
        elif exchange.path == "/lines":
            await exchange.begin(200, "text/plain")
            async for chunk in exchange.chunks():
                await exchange.write(chunk)
        elif exchange.path == "/early":
            await exchange.answer(200, b"enough", "text/plain")
        else:
            body = await exchange.body()
            told = {"method": exchange.method, "host": exchange.headers.get("host"), "query": exchange.query_string}
            await exchange.answer(200, json.dumps({**told, "size": len(body)}).encode(), "application/json")

    async def _chunks(self, exchange: Exchange) -> None:
        await exchange.begin(200, "text/plain")
        try:
            for _ in range(1_000):
                self.written += 1
                await exchange.write(b"x" * 100_000)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


@asynccontextmanager
async def serving(mirror: Mirror) -> AsyncGenerator[int]:
    async def echo(stream: GrpcStream) -> None:
        await stream.write(await stream.read() or b"")

    def odd(_kind: str, _what: str) -> None:
        pass

    config = EmulatorConfig(port=0, max_message_bytes=MEBIBYTE)
    site = HttpSites([HttpMount(lambda _: True, lambda: mirror)], config=config, on_odd=odd)
    port = Port(lambda path: echo, max_bytes=MEBIBYTE, on_odd=odd, buffers=all_unbounded(), http=site)
    try:
        yield await port.listen("127.0.0.1", 0)
    finally:
        await port.close()


@pytest.fixture
def mirror() -> Mirror:
    return Mirror()


@pytest.fixture
async def client(mirror: Mirror) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        serving(mirror) as port,
        httpx.AsyncClient(http1=False, http2=True, base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        yield client


class RawClient:
    """Says frames one by one, on a socket of its own, and tells what came back."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self.h2 = H2Connection(H2Configuration(header_encoding="utf-8", validate_outbound_headers=False))
        self.h2.initiate_connection()

    def ask(self, fields: Fields, body: bytes = b"", *, trailers: Fields = (), end: bool = True) -> int:
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, fields, end_stream=end and not body and not trailers)
        if body:
            self.h2.send_data(stream, body, end_stream=end and not trailers)
        if trailers:
            self.h2.send_headers(stream, trailers, end_stream=True)
        self.flush()
        return stream

    def flush(self) -> None:
        self._socket.sendall(self.h2.data_to_send())

    def events(self) -> Iterator[Any]:
        while data := self._socket.recv(65_536):
            yield from self.h2.receive_data(data)
            self.flush()

    def answer(self) -> tuple[str, bytes]:
        """Return the status and the body of the next answer; the reason for which there is none."""
        status, body = "", b""
        for event in self.events():
            if isinstance(event, ResponseReceived):
                status = {str(name): str(value) for name, value in event.headers}[":status"]
            elif isinstance(event, DataReceived):
                body += event.data
            elif isinstance(event, StreamEnded):
                return status, body
            elif isinstance(event, StreamReset | ConnectionTerminated):
                return type(event).__name__, body
        return "closed", body

    def close(self) -> None:
        self._socket.close()


@asynccontextmanager
async def raw(port: int) -> AsyncGenerator[RawClient]:
    client = RawClient(port)
    try:
        yield client
    finally:
        client.close()


POST: Fields = [(":method", "POST"), (":path", "/a?q=1"), (":scheme", "http"), (":authority", "localhost:7878")]


async def test_a_request_is_answered_as_over_http1(client: httpx.AsyncClient) -> None:
    answer = await client.post("/a?q=1", content=b"12345")
    assert answer.http_version == "HTTP/2"
    assert answer.json() == {"method": "POST", "host": client.base_url.netloc.decode(), "query": "q=1", "size": 5}
    assert answer.headers["content-length"] == str(len(answer.content))


@pytest.mark.parametrize("size", [0, 65_535, 65_536, 1_000_000])
async def test_bodies_of_any_size_and_packed_ones_are_taken(client: httpx.AsyncClient, size: int) -> None:
    assert (await client.post("/", content=b"x" * size)).json()["size"] == size
    packed = await client.post("/", content=gzip.compress(b"x" * size), headers={"content-encoding": "gzip"})
    assert packed.json()["size"] == size


async def test_many_requests_share_a_connection_with_calls_of_grpc(client: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(client.post(f"/{n}", content=b"x" * n * 1000) for n in range(50)))
    assert [answer.json()["size"] for answer in answers] == [n * 1000 for n in range(50)]
    async with grpc.aio.insecure_channel(client.base_url.netloc.decode()) as channel:
        assert await channel.unary_unary("/a.B/C")(b"over gRPC") == b"over gRPC"


async def test_refusals_and_bugs_leave_the_connection_to_others(client: httpx.AsyncClient) -> None:
    refused = await client.get("/refused")
    assert (refused.status_code, refused.json()["status"]["details"]) == (418, "Not here.")
    failed = await client.get("/bug")
    assert failed.status_code == 500
    assert failed.json()["status"]["details"] == "The emulator failed (RuntimeError); its log has the trace."
    assert (await client.get("/")).status_code == 200


async def test_head_has_no_body(client: httpx.AsyncClient) -> None:
    answer = await client.head("/")
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 0


async def test_another_name_of_this_machine_is_refused_as_over_http1(client: httpx.AsyncClient) -> None:
    answer = await client.get("/", headers={"host": "evil.example"})
    assert answer.status_code == 403
    assert answer.json()["status"]["details"].startswith("The host 'evil.example' is not this machine's loopback")


async def test_chunks_go_through_while_they_come(client: httpx.AsyncClient) -> None:
    async def lines() -> AsyncIterator[bytes]:
        for number in range(100):
            yield f"{number}\n".encode()

    answer = await client.post("/lines", content=lines())
    assert answer.text.split() == [str(number) for number in range(100)]


async def test_an_answer_may_come_before_the_body_has_ended(client: httpx.AsyncClient) -> None:
    answer = await client.post("/early", content=b"x" * 3_000_000)
    assert answer.content == b"enough"
    assert (await client.get("/")).status_code == 200


async def test_a_client_that_stops_reading_holds_the_answer_back_and_its_reset_ends_it(mirror: Mirror) -> None:
    async with serving(mirror) as port, raw(port) as client:
        stream = client.ask([(":method", "GET"), (":path", "/chunks"), (":scheme", "http")])
        await asyncio.sleep(0.2)
        assert mirror.written == 1  # 100,000 bytes are more than a client lets come that has acknowledged none
        client.h2.reset_stream(stream)
        client.flush()
        await asyncio.wait_for(mirror.cancelled.wait(), 5)


async def test_a_body_that_nobody_reads_is_given_up_after_a_while(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http2_exchange, "_LINGER_SECONDS", 0.05)
    async with serving(mirror) as port, raw(port) as client:
        client.ask([(":method", "POST"), (":path", "/early"), (":scheme", "http")], b"1", end=False)
        assert await asyncio.to_thread(client.answer) == ("200", b"enough")
        assert (await asyncio.to_thread(client.answer))[0] == "StreamReset"


async def test_trailers_of_a_request_end_it(mirror: Mirror) -> None:
    async with serving(mirror) as port, raw(port) as client:
        client.ask([*POST, ("te", "trailers")], b"12345", trailers=[("x-checksum", "abc")])
        status, body = await asyncio.to_thread(client.answer)
        assert (status, json.loads(body)["size"]) == ("200", 5)


async def test_a_request_without_method_or_path_is_refused(mirror: Mirror) -> None:
    async with serving(mirror) as port, raw(port) as client:
        for fields in ([(":path", "/")], [(":method", "GET")], [(":method", "CONNECT"), (":authority", "a:1")]):
            client.ask([*fields, (":scheme", "http")])
            status, body = await asyncio.to_thread(client.answer)
            assert status == "400"
            assert json.loads(body)["status"]["details"] == "An HTTP/2 request must have a :method and a :path."


async def test_a_body_of_another_length_than_it_says_ends_the_connection_with_a_goodbye(mirror: Mirror) -> None:
    async with serving(mirror) as port:
        async with raw(port) as client:
            client.ask([*POST, ("content-length", "9")], b"12345")
            assert (await asyncio.to_thread(client.answer))[0] == "ConnectionTerminated"
        async with raw(port) as client:
            client.ask(POST, b"12345")
            assert (await asyncio.to_thread(client.answer))[0] == "200"


async def test_a_body_that_does_not_come_is_refused_in_time(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http2_exchange, "_PATIENCE_SECONDS", 0.05)
    async with serving(mirror) as port, raw(port) as client:
        client.ask(POST, b"1", end=False)
        status, body = await asyncio.to_thread(client.answer)
        assert status == "408"
        assert json.loads(body)["status"]["details"] == (
            "The request came too slowly: its body brought fewer than 65536 bytes within 0.05 s."
        )
