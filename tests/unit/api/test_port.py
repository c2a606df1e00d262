"""The one port: what the first bytes of a connection decide, and that bytes arrive as they were sent."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from clarifai_emulator.api import port as port_module
from clarifai_emulator.api.port import Port

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
CLEAR_TEXT = b"This is the Clarifai emulator: it speaks gRPC (HTTP/2) and HTTP/1.1, in clear text.\n"


class Backend:
    """Stands for the gRPC server. It keeps what it reads and can be told to stop reading."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.connections: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self.may_read = asyncio.Event()
        self.may_read.set()
        self.arrived = asyncio.Condition()
        self.ended = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.append((reader, writer))
        while True:
            await self.may_read.wait()
            data = await reader.read(65536)
            async with self.arrived:
                self.received += data
                self.arrived.notify_all()
            if not data:
                break
        self.ended.set()

    async def until_received(self, size: int) -> bytes:
        async with self.arrived:
            await asyncio.wait_for(self.arrived.wait_for(lambda: len(self.received) >= size), 5)
        return bytes(self.received)


class Scene:
    def __init__(self, backend: Backend, port: int, odd: list[tuple[str, str]]) -> None:
        self.backend = backend
        self.port = port
        self.odd = odd
        self._clients: list[asyncio.StreamWriter] = []

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._clients.append(writer)
        return reader, writer

    async def say(self, *parts: bytes) -> bytes:
        """Say this, part by part, and read the answer to its end."""
        reader, writer = await self.connect()
        for part in parts:
            writer.write(part)
            await asyncio.sleep(0.002)
        return await asyncio.wait_for(reader.read(), 5)

    async def close(self) -> None:
        for writer in [*self._clients, *(writer for _, writer in self.backend.connections)]:
            writer.close()
        for writer in self._clients:
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    backend, odd = Backend(), list[tuple[str, str]]()
    server = await asyncio.start_unix_server(backend.serve, tmp_path / "grpc.sock", limit=65536)
    front = Port(backend=str(tmp_path / "grpc.sock"), on_odd=lambda kind, what: odd.append((kind, what)))
    scene = Scene(backend, await front.listen("127.0.0.1", 0), odd)
    yield scene
    await front.close()
    await scene.close()
    backend.may_read.set()
    server.close()
    await asyncio.sleep(0.005)


# gRPC


async def test_a_grpc_connection_goes_to_the_grpc_server_byte_for_byte_both_ways(scene: Scene) -> None:
    reader, writer = await scene.connect()
    writer.write(PREFACE + b"frames")
    assert await scene.backend.until_received(len(PREFACE) + 6) == PREFACE + b"frames"
    scene.backend.connections[0][1].write(b"settings")
    assert await reader.readexactly(8) == b"settings"
    writer.write(b"more")
    assert (await scene.backend.until_received(len(PREFACE) + 10)).endswith(b"framesmore")
    assert scene.odd == []


@pytest.mark.parametrize("size", [1, 2, 3, 5])
async def test_first_bytes_that_come_in_pieces_are_put_together(scene: Scene, size: int) -> None:
    _, writer = await scene.connect()
    sent = PREFACE + b"frames"
    for start in range(0, len(sent), size):
        writer.write(sent[start : start + size])
        await asyncio.sleep(0.001)
    assert await scene.backend.until_received(len(sent)) == sent
    assert len(scene.backend.connections) == 1


async def test_what_is_sent_while_the_grpc_server_is_being_reached_is_not_lost_or_reordered(scene: Scene) -> None:
    _, writer = await scene.connect()
    sent = PREFACE + bytes(range(256)) * 2000
    writer.write(sent[:30])
    writer.write(sent[30:])
    assert await scene.backend.until_received(len(sent)) == sent


async def test_a_client_that_goes_away_ends_the_connection_to_the_grpc_server(scene: Scene) -> None:
    _, writer = await scene.connect()
    writer.write(PREFACE)
    await scene.backend.until_received(len(PREFACE))
    writer.close()
    await asyncio.wait_for(scene.backend.ended.wait(), 5)


async def test_the_end_of_what_a_client_sends_is_passed_on_and_it_still_hears_the_answer(scene: Scene) -> None:
    reader, writer = await scene.connect()
    writer.write(PREFACE)
    await scene.backend.until_received(len(PREFACE))
    writer.write_eof()
    await asyncio.wait_for(scene.backend.ended.wait(), 5)
    back = scene.backend.connections[0][1]
    back.write(b"last words")
    back.close()
    assert await asyncio.wait_for(reader.read(), 5) == b"last words"


async def test_a_grpc_server_that_ends_a_connection_ends_the_clients(scene: Scene) -> None:
    reader, writer = await scene.connect()
    writer.write(PREFACE)
    await scene.backend.until_received(len(PREFACE))
    scene.backend.connections[0][1].close()
    assert await asyncio.wait_for(reader.read(), 5) == b""


async def test_without_a_grpc_server_the_client_is_let_go(tmp_path: Path) -> None:
    front = Port(backend=str(tmp_path / "nothing.sock"), on_odd=lambda kind, what: None)
    reader, writer = await asyncio.open_connection("127.0.0.1", await front.listen("127.0.0.1", 0))
    writer.write(PREFACE)
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()
    await front.close()


# Back-pressure: what is in flight must not pile up in this process.


async def test_a_server_that_does_not_read_holds_the_client_back(scene: Scene) -> None:
    _, writer = await scene.connect()
    writer.write(PREFACE)
    await scene.backend.until_received(len(PREFACE))
    scene.backend.may_read.clear()
    sent = b"x" * (32 << 20)
    writer.write(sent)
    sending = asyncio.ensure_future(writer.drain())
    await asyncio.sleep(0.05)
    assert not sending.done()
    assert _held(scene) < 1 << 20
    scene.backend.may_read.set()
    await asyncio.wait_for(sending, 5)
    assert len(await scene.backend.until_received(len(PREFACE) + len(sent))) == len(PREFACE) + len(sent)


async def test_a_client_that_does_not_read_holds_the_server_back(scene: Scene) -> None:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", scene.port))
    await loop.sock_sendall(client, PREFACE)
    await scene.backend.until_received(len(PREFACE))
    back = scene.backend.connections[0][1]
    size = 32 << 20
    back.write(b"y" * size)
    sending = asyncio.ensure_future(back.drain())
    await asyncio.sleep(0.05)
    assert not sending.done()
    assert _held(scene) < 1 << 20
    received = 0
    while received < size:
        received += len(await asyncio.wait_for(loop.sock_recv(client, 1 << 20), 5))
    await asyncio.wait_for(sending, 5)
    assert received == size
    client.close()


def _held(scene: Scene) -> int:
    """Bytes that wait in this process: in the write buffers of the port's transports."""
    halves = [each for each in gc.get_objects() if isinstance(each, port_module.Front | port_module.Back)]
    transports = [half._transport for half in halves if half._transport is not None]
    return sum(transport.get_write_buffer_size() for transport in transports)


# Everything else


async def test_an_http_request_is_answered_with_what_speaks_here(scene: Scene) -> None:
    answer = await scene.say(b"GET /v2/users/me/organizations HTTP/1.1\r\nhost: x\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "HTTP/1.1 501 Not Implemented"
    assert f"content-length: {len(body)}" in lines
    assert json.loads(body)["status"] == {
        "code": 10040,
        "description": "Not implemented",
        "details": "The emulator has no REST endpoint for /v2/users/me/organizations; it answers gRPC at this "
        "address. The Clarifai SDK uses gRPC by itself: set CLARIFAI_API_BASE to this base URL.",
    }
    assert scene.odd == [("http", "/v2/users/me/organizations")]


@pytest.mark.parametrize(
    "parts",
    [
        (b"P", b"OST /v2/x HTTP/1.1\r\n\r\n"),
        (b"PR", b"OPFIND /v2/x HTTP/1.1\r\n\r\n"),
        (b"PAT", b"CH", b" /v2/x HTTP/1.1\r\n", b"a: b\r\n\r\n"),
        (b"GET /v2/x HTTP/1.1\n", b"\n"),
    ],
)
async def test_a_request_that_begins_like_http2_or_comes_in_pieces_is_http_all_the_same(
    scene: Scene, parts: tuple[bytes, ...]
) -> None:
    assert (await scene.say(*parts)).startswith(b"HTTP/1.1 501 ")
    assert scene.odd == [("http", "/v2/x")]


async def test_an_endless_http_head_is_answered_after_4096_bytes(scene: Scene) -> None:
    assert (await scene.say(b"GET /v2/x HTTP/1.1\r\na: " + b"b" * 4096)).startswith(b"HTTP/1.1 501 ")


async def test_a_client_that_tries_tls_is_told_the_right_base_url(scene: Scene) -> None:
    assert await scene.say(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03") == CLEAR_TEXT
    assert scene.odd == [("tls", "a client tried TLS: use a base URL that begins with http://")]


@pytest.mark.parametrize("garbage", [b"hello\n", b"\x00\x01", b"SSH-2.0-OpenSSH_9.6\r\n", b"QUITQUITQUITQUIT"])
async def test_anything_else_is_told_what_speaks_here(scene: Scene, garbage: bytes) -> None:
    assert await scene.say(garbage) == CLEAR_TEXT
    assert scene.odd == [("garbage", repr(garbage))]


async def test_a_client_that_stops_in_the_middle_of_its_first_word_is_told_too(scene: Scene) -> None:
    reader, writer = await scene.connect()
    writer.write(b"PR")
    writer.write_eof()
    assert await asyncio.wait_for(reader.read(), 5) == CLEAR_TEXT
    assert scene.odd == [("garbage", "b'PR'")]


async def test_a_client_that_connects_and_leaves_is_nothing_odd(scene: Scene) -> None:
    reader, writer = await scene.connect()
    writer.write_eof()
    assert await asyncio.wait_for(reader.read(), 5) == b""
    assert scene.odd == []


@pytest.mark.parametrize("said", [b"", b"PRI", b"GET /v2/x HTTP/1.1\r\n"])
async def test_a_client_that_says_nothing_to_act_on_is_let_go(
    scene: Scene, said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(port_module, "_SILENCE_SECONDS", 0.02)
    reader, writer = await scene.connect()
    writer.write(said)
    assert await asyncio.wait_for(reader.read(), 5) == b""
    assert scene.odd == [("silence", "nothing to act on within 0.02 s")]


async def test_a_grpc_client_may_be_silent_for_long(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port_module, "_SILENCE_SECONDS", 0.01)
    reader, writer = await scene.connect()
    writer.write(PREFACE)
    await scene.backend.until_received(len(PREFACE))
    await asyncio.sleep(0.02)
    scene.backend.connections[0][1].write(b"still here")
    assert await reader.readexactly(10) == b"still here"
    assert scene.odd == []


# The listener


async def test_a_port_in_use_is_an_error_of_listen(scene: Scene) -> None:
    second = Port(backend="", on_odd=lambda kind, what: None)
    with pytest.raises(OSError, match="in use"):
        await second.listen("127.0.0.1", scene.port)
    await second.close()


async def test_closing_ends_every_connection_and_frees_the_port(tmp_path: Path) -> None:
    front = Port(backend=str(tmp_path / "nothing.sock"), on_odd=lambda kind, what: None)
    number = await front.listen("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", number)
    writer.write(b"PRI")
    await asyncio.sleep(0.005)
    await front.close()
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", number)
