"""HTTP/1.1 on one connection: requests in turn, answers whole and in chunks, and what each misuse is told."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest

from clarifai_emulator.api.transport import http_server
from clarifai_emulator.api.transport.http_exchange import Exchange
from clarifai_emulator.api.transport.http_server import HttpConnection
from clarifai_emulator.errors import CallerError
from unbounded_buffers import all_unbounded

MAX = 1000


class Scene:
    """A listener whose handler says what it was asked, and a client that speaks bytes."""

    port: int

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []
        self.odd: list[tuple[str, str]] = []
        self.connections: set[HttpConnection] = set()
        self.cancelled = asyncio.Event()
        self._clients: list[asyncio.StreamWriter] = []

    async def serve(self, exchange: Exchange) -> None:
        self.seen.append((exchange.method, exchange.path))
        if exchange.path == "/chunks":
            await exchange.begin(200, "text/plain")
            for word in (b"one", b"two"):
                await exchange.write(word)
        elif exchange.path == "/lines":
            async for chunk in exchange.chunks():
                if not exchange.started:
                    await exchange.begin(200, "text/plain")
                await exchange.write(b"<" + chunk + b">")
        elif exchange.path == "/slow":
            try:
                await asyncio.sleep(30)
            finally:
                self.cancelled.set()
        elif exchange.path == "/quick":
            await self._without_pause(exchange)
        elif exchange.path == "/bug":
            raise RuntimeError("a bug")
        elif exchange.path == "/bug-later":
            await exchange.begin(200, "text/plain")
            await exchange.write(b"half")
            raise RuntimeError("a bug")
        else:
            await self._echo(exchange)

    async def _without_pause(self, exchange: Exchange) -> None:
        """Write chunks that wait for nothing, for 10 s at most."""
        await exchange.begin(200, "text/event-stream")
        ends = time.monotonic() + 10
        try:
            while time.monotonic() < ends:
                await exchange.write(b"data: x\n\n")
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    async def _echo(self, exchange: Exchange) -> None:
        try:
            body = await exchange.body()
        except CallerError as error:
            await exchange.answer(413, error.message.encode(), "text/plain")
        else:
            await exchange.answer(200, body or b"nothing", "text/plain", {"x-query": exchange.query_string})

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._clients.append(writer)
        return reader, writer

    async def connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection that the server has taken: its first timer runs, whatever patience it has later."""
        streams = await self.connect()
        while not self.connections:
            await asyncio.sleep(0.001)
        return streams

    async def say(self, *parts: bytes) -> bytes:
        """Say this, part by part, and read to the end of the connection."""
        reader, writer = await self.connect()
        for part in parts:
            writer.write(part)
            await asyncio.sleep(0.002)
        return await asyncio.wait_for(reader.read(), 5)

    async def close(self) -> None:
        for writer in self._clients:
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    scene = Scene()
    server = await asyncio.get_running_loop().create_server(
        lambda: HttpConnection(
            scene.serve,
            max_bytes=MAX,
            connections=scene.connections,
            on_odd=lambda kind, what: scene.odd.append((kind, what)),
            buffers=all_unbounded(),
        ),
        "127.0.0.1",
        0,
    )
    scene.port = server.sockets[0].getsockname()[1]
    yield scene
    await asyncio.gather(*(connection.close() for connection in tuple(scene.connections)))
    await scene.close()
    server.close()
    await server.wait_closed()


def request(path: str = "/x", body: bytes = b"", *headers: str, method: str = "POST") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "host: x", *headers]
    if body and not any(line.startswith(("content-length", "transfer-encoding")) for line in headers):
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def last(path: str = "/x", body: bytes = b"", *headers: str, method: str = "POST") -> bytes:
    """Return a request after which the server closes the connection."""
    return request(path, body, "connection: close", *headers, method=method)


async def to_the_end(reader: asyncio.StreamReader) -> bytes:
    """Read everything until the connection ends, in whatever way."""
    answer = b""
    with suppress(ConnectionError):
        while piece := await asyncio.wait_for(reader.read(100), 5):
            answer += piece
    return answer


def status_of(answer: bytes) -> tuple[int, Any]:
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)["status"]


# Requests and answers


async def test_a_request_is_answered_with_what_the_handler_says(scene: Scene) -> None:
    answer = await scene.say(last("/x?a=1&b=2", b"hello"))
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "HTTP/1.1 200 OK"
    assert {"content-type: text/plain", "content-length: 5", "x-query: a=1&b=2"} <= {line.lower() for line in lines}
    assert body == b"hello"
    assert scene.seen == [("POST", "/x")]


async def test_a_connection_takes_one_request_after_the_other_also_when_they_come_at_once(scene: Scene) -> None:
    answer = await scene.say(request("/a", b"first") + request("/b", b"second") + last("/c", b"third"))
    assert [part.rpartition(b"\r\n\r\n")[2] for part in answer.split(b"HTTP/1.1 200 ")[1:]] == [
        b"first",
        b"second",
        b"third",
    ]
    assert scene.seen == [("POST", "/a"), ("POST", "/b"), ("POST", "/c")]


async def test_a_body_may_come_in_chunks(scene: Scene) -> None:
    head = last("/x", b"", "transfer-encoding: chunked")
    answer = await scene.say(head, b"3\r\nabc\r\n", b"2\r\nde\r\n0\r\n\r\n")
    assert answer.endswith(b"\r\n\r\nabcde")


async def test_an_answer_may_go_out_in_chunks(scene: Scene) -> None:
    answer = await scene.say(last("/chunks", method="GET"))
    assert b"transfer-encoding: chunked" in answer.lower()
    assert answer.endswith(b"\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")


async def test_to_a_client_of_http_1_0_chunks_end_with_the_connection(scene: Scene) -> None:
    answer = await scene.say(b"GET /chunks HTTP/1.0\r\n\r\n")
    assert answer.endswith(b"\r\n\r\nonetwo")


async def test_an_answer_can_begin_before_the_body_is_there(scene: Scene) -> None:
    reader, writer = await scene.connect()
    writer.write(request("/lines", b"", "transfer-encoding: chunked") + b"1\r\na\r\n")
    assert b"<a>" in await asyncio.wait_for(reader.readuntil(b">"), 5)
    writer.write(b"1\r\nb\r\n")
    assert b"<b>" in await asyncio.wait_for(reader.readuntil(b">"), 5)
    writer.write(b"0\r\n\r\n")
    assert (await asyncio.wait_for(reader.readuntil(b"0\r\n\r\n"), 5)).endswith(b"0\r\n\r\n")


async def test_head_is_answered_without_a_body(scene: Scene) -> None:
    answer = await scene.say(last(method="HEAD"))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"\r\n\r\n")


async def test_a_client_that_asks_first_is_told_to_go_on(scene: Scene) -> None:
    reader, writer = await scene.connect()
    writer.write(last("/x", b"", "content-length: 3", "expect: 100-continue"))
    assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).startswith(b"HTTP/1.1 100 ")
    writer.write(b"abc")
    assert (await asyncio.wait_for(reader.read(), 5)).endswith(b"abc")


# Misuse


@pytest.mark.parametrize(
    ("said", "says"),
    [
        (b"GET /x\r\nhost: x\r\n\r\n", "illegal request line"),
        (b"GET /x HTTP/1.1\r\n\r\n", "Missing mandatory Host: header"),
        (b"GET /x HTTP/1.1\r\nhost: x\r\nno colon\r\n\r\n", "illegal header line"),
        (b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: many\r\n\r\n", "bad Content-Length"),
        (
            b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
            "conflicting Content-Length headers",
        ),
    ],
)
async def test_what_is_no_proper_http_is_answered_400_with_the_reason(scene: Scene, said: bytes, says: str) -> None:
    code, status = status_of(await scene.say(said))
    assert (code, status["code"]) == (400, 11100)
    assert status["details"] == f"The request is no proper HTTP/1.1: {says}."
    assert scene.odd == [("http", f"no proper HTTP/1.1: {says}")]
    assert scene.seen == []


async def test_chunked_garbage_is_answered_400(scene: Scene) -> None:
    code, status = status_of(await scene.say(request("/x", b"", "transfer-encoding: chunked"), b"zz\r\nabc\r\n"))
    assert code == 400
    assert status["details"] == "The request is no proper HTTP/1.1: illegal chunk header."


async def test_a_body_that_is_cut_off_is_answered_400_to_who_still_listens(scene: Scene) -> None:
    reader, writer = await scene.connect()
    writer.write(request("/x", b"", "content-length: 50") + b"half")
    writer.write_eof()
    code, status = status_of(await to_the_end(reader))
    assert code == 400
    assert status["details"] == (
        "The request is no proper HTTP/1.1: peer closed connection without sending complete message body "
        "(received 4 bytes, expected 50)."
    )


async def test_a_target_may_name_the_host_too(scene: Scene) -> None:
    """Clients name the host like this to their proxy."""
    await scene.say(last("http://127.0.0.1:7878/x?a=1"))
    await scene.say(last("http://127.0.0.1:7878"))
    assert scene.seen == [("POST", "/x"), ("POST", "/")]


async def test_a_head_without_end_is_answered_431(scene: Scene) -> None:
    code, status = status_of(await scene.say(b"GET /x HTTP/1.1\r\na: " + b"b" * 70_000))
    assert code == 431
    assert status["details"] == "The request is no proper HTTP/1.1: Receive buffer too long."


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_that_is_too_large_is_refused_and_the_client_hears_it(scene: Scene, announced: bool) -> None:
    size = 3_000_000
    if announced:
        answer = await scene.say(request("/x", b"x" * size))
        said = f"{size} bytes"
    else:
        head = request("/x", b"", "transfer-encoding: chunked")
        answer = await scene.say(head + b"%x\r\n" % size + b"x" * size + b"\r\n0\r\n\r\n")
        said = "more bytes"
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in head.lower()
    assert body.decode() == (
        f"The body of the request has {said}; it may have {MAX} at most. "
        "Send large data as a URL, or over gRPC, which needs no base64."
    )


@pytest.mark.parametrize(
    ("head", "part"),
    [
        (b"GET /x HTTP/1.1\r\nhost: x\r\na: ", "head was not complete"),
        (b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 999\r\n\r\n", "body brought fewer than 65536 bytes"),
    ],
)
async def test_a_client_that_sends_too_slowly_is_answered_408(
    scene: Scene, head: bytes, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = await scene.connected()
    monkeypatch.setattr(http_server, "_PATIENCE_SECONDS", 0.05)
    writer.write(head)

    async def trickle() -> None:
        while True:  # it never stops sending, and is let go all the same
            writer.write(b"a")
            await asyncio.sleep(0.005)

    trickling = asyncio.create_task(trickle())
    code, status = status_of(await asyncio.wait_for(reader.read(), 5))
    trickling.cancel()
    assert (code, status["code"]) == (408, 40032)
    assert status["details"] == f"The request came too slowly: its {part} within 0.05 s."
    assert scene.odd == [("silence", "an HTTP request that was begun did not come to its end in time")]


async def test_a_body_that_is_read_as_it_comes_may_take_its_time(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = await scene.connected()
    monkeypatch.setattr(http_server, "_PATIENCE_SECONDS", 0.02)
    writer.write(request("/lines", b"", "transfer-encoding: chunked") + b"1\r\na\r\n")
    await asyncio.wait_for(reader.readuntil(b"<a>"), 5)
    await asyncio.sleep(0.06)
    writer.write(b"1\r\nb\r\n0\r\n\r\n")
    assert b"<b>" in await asyncio.wait_for(reader.readuntil(b"0\r\n\r\n"), 5)


async def test_a_connection_that_nothing_is_asked_on_is_closed_without_a_word(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "_IDLE_SECONDS", 0.02)
    assert (await scene.say(request("/x", b"a"))).endswith(b"\r\n\r\na")
    assert scene.odd == []


async def test_a_client_that_leaves_ends_what_was_being_done_for_it(scene: Scene) -> None:
    _, writer = await scene.connect()
    writer.write(request("/slow"))
    await asyncio.sleep(0.02)
    writer.close()
    await asyncio.wait_for(scene.cancelled.wait(), 5)


async def test_a_client_that_leaves_a_quick_stream_ends_it(scene: Scene) -> None:
    began = time.monotonic()
    await asyncio.to_thread(_read_a_while, scene.port)
    await asyncio.wait_for(scene.cancelled.wait(), 5)
    assert time.monotonic() - began < 5, "the stream kept the loop"


def _read_a_while(port: int) -> None:
    """Read a quick stream as fast as it comes, so that it never waits for its client; then leave it."""
    ends = time.monotonic() + 0.2
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(request("/quick"))
        while time.monotonic() < ends:
            assert client.recv(1 << 20)


async def test_a_quick_stream_leaves_others_their_turn(scene: Scene) -> None:
    reader, writer = await scene.connect()
    began = time.monotonic()
    writer.write(request("/quick"))
    assert b"200 OK" in await reader.read(1000)
    reading = asyncio.create_task(reader.read())
    assert (await scene.say(last("/x", b"a"))).endswith(b"a")
    assert time.monotonic() - began < 5, "the stream kept the loop"
    reading.cancel()
    writer.close()
    await asyncio.wait_for(scene.cancelled.wait(), 5)


async def test_a_bug_is_answered_500_and_logged(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    code, status = status_of(await scene.say(last("/bug")))
    assert (code, status["code"]) == (500, 99009)
    assert status["details"] == "The emulator failed (RuntimeError); its log has the trace."
    assert "POST /bug failed inside the emulator" in caplog.text


async def test_an_answer_that_breaks_off_does_not_look_complete(scene: Scene) -> None:
    reader, writer = await scene.connect()
    writer.write(request("/bug-later"))
    answer = await to_the_end(reader)
    assert b"half" in answer
    assert not answer.endswith(b"0\r\n\r\n")


async def test_closing_ends_what_is_in_flight(scene: Scene) -> None:
    reader, writer = await scene.connect()
    writer.write(request("/slow"))
    await asyncio.sleep(0.02)
    await asyncio.gather(*(connection.close() for connection in tuple(scene.connections)))
    assert scene.cancelled.is_set()
    assert await to_the_end(reader) == b""
