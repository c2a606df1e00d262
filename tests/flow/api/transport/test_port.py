"""The one port: what the first bytes of a connection decide, and that bytes arrive as they were sent."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator

import grpc.aio
import pytest

from clarifai_emulator.api.transport import port as port_module
from clarifai_emulator.api.transport.grpc_stream import GrpcStream
from clarifai_emulator.api.transport.port import Port
from unbounded_buffers import all_unbounded

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\0\0\0\4\0\0\0\0\0"  # an empty frame of settings
SETTINGS_ACK = b"\0\0\0\4\1\0\0\0\0"
GOAWAY = b"\0\0\x08\7\0\0\0\0\0"
CLEAR_TEXT = b"This is the Clarifai emulator: it speaks gRPC (HTTP/2) and HTTP/1.1, in clear text.\n"


class Scene:
    def __init__(self, port: int, odd: list[tuple[str, str]]) -> None:
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
        for writer in self._clients:
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def greet(stream: GrpcStream) -> None:
    """Answers every method."""
    await stream.write(b"hello " + (await stream.read() or b""))


def listener(odd: list[tuple[str, str]]) -> Port:
    return Port(
        lambda path: greet,
        max_bytes=1024,
        on_odd=lambda kind, what: odd.append((kind, what)),
        buffers=all_unbounded(),
    )


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    odd: list[tuple[str, str]] = []
    port = listener(odd)
    scene = Scene(await port.listen("127.0.0.1", 0), odd)
    yield scene
    await port.close()
    await scene.close()
    await asyncio.sleep(0.005)


# gRPC


async def test_a_grpc_client_is_answered(scene: Scene) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{scene.port}") as channel:
        assert await channel.unary_unary("/any.Service/Method")(b"you") == b"hello you"
    assert scene.odd == []


@pytest.mark.parametrize("size", [1, 2, 3, 5])
async def test_first_bytes_that_come_in_pieces_are_put_together(scene: Scene, size: int) -> None:
    reader, writer = await scene.connect()
    sent = PREFACE + SETTINGS
    for start in range(0, len(sent), size):
        writer.write(sent[start : start + size])
        await asyncio.sleep(0.001)
    answer = await asyncio.wait_for(reader.readuntil(SETTINGS_ACK), 5)
    assert answer[3] == SETTINGS[3]  # its own settings come first
    assert scene.odd == []


async def test_frames_that_make_no_sense_end_the_connection_with_a_goodbye(scene: Scene) -> None:
    data_of_no_stream = b"\0\0\0\0\0\0\0\0\0"
    answer = await scene.say(PREFACE + SETTINGS + data_of_no_stream)
    assert GOAWAY in answer
    ((kind, what),) = scene.odd
    assert kind == "http2"
    assert what.startswith("no proper HTTP/2: ")


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
    await asyncio.sleep(0.05)
    writer.write(SETTINGS)
    await asyncio.wait_for(reader.readuntil(SETTINGS_ACK), 5)
    assert scene.odd == []


# The listener


async def test_a_port_in_use_is_an_error_of_listen(scene: Scene) -> None:
    second = listener([])
    with pytest.raises(OSError, match="in use"):
        await second.listen("127.0.0.1", scene.port)
    await second.close()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux binds to an address that is not there")
async def test_an_address_that_this_machine_gets_later_can_be_listened_at(scene: Scene) -> None:
    port = listener([])
    with pytest.raises(OSError, match="assign requested address"):
        await port.listen("192.0.2.1", 0)
    assert await port.listen("192.0.2.1", 0, early=True) > 0
    await port.close()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux binds to an address that is not there")
@pytest.mark.parametrize("early", [False, True])
async def test_what_is_written_is_sent_at_once(early: bool) -> None:
    port = listener([])
    _, writer = await asyncio.open_connection("127.0.0.1", await port.listen("127.0.0.1", 0, early=early))
    while not port.newcomers:
        await asyncio.sleep(0.001)
    (newcomer,) = port.newcomers
    assert newcomer._transport is not None  # pyright: ignore[reportPrivateUsage]
    accepted = newcomer._transport.get_extra_info("socket")  # pyright: ignore[reportPrivateUsage]
    assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    writer.close()
    await port.close()


@pytest.mark.parametrize("said", [b"PRI", PREFACE + SETTINGS])
async def test_closing_ends_every_connection_and_frees_the_port(said: bytes) -> None:
    port = listener([])
    number = await port.listen("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", number)
    writer.write(said)
    await asyncio.sleep(0.005)
    await port.close()
    await asyncio.wait_for(reader.read(), 5)
    assert reader.at_eof()
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", number)


async def test_where_all_places_are_taken_who_asks_for_nothing_makes_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("clarifai_emulator.api.transport.port.most_connections", lambda: 3)
    odd: list[tuple[str, str]] = []
    port = listener(odd)
    number = await port.listen("127.0.0.1", 0)
    silent = [await asyncio.open_connection("127.0.0.1", number) for _ in range(3)]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{number}") as channel:
        assert await channel.unary_unary("/a.B/C")(b"") == b"hello "
        more = [await asyncio.open_connection("127.0.0.1", number) for _ in range(50)]
        assert await asyncio.wait_for(silent[0][0].read(), 5) == b""  # the first that was there
        assert await asyncio.wait_for(more[0][0].read(), 5) == b""
        assert len(port.newcomers) <= 3
        assert await channel.unary_unary("/a.B/C")(b"", wait_for_ready=True) == b"hello "
    assert odd == [
        (
            "crowd",
            "3 connections are open, all that the limit of open files (ulimit -n) allows; those that ask for "
            "nothing make room for others",
        )
    ]
    for _, writer in (*silent, *more):
        writer.close()
    await port.close()
