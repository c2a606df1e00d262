"""Serves gRPC over HTTP/2: flow control, compression, deadlines, what breaks off and what is too large."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import random
import socket
import struct
import time
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest

from clarifai_emulator.api.transport.grpc_stream import GrpcStream, LongMessage
from clarifai_emulator.api.transport.http2_frames import PREFACE
from clarifai_emulator.api.transport.peer import NO_PEER
from clarifai_emulator.api.transport.port import Port
from clarifai_emulator.errors import TransportError
from grpc_port import grpc_port
from unbounded_buffers import all_unbounded, unbounded

MIB = 1024 * 1024
Handler = Callable[[GrpcStream], Awaitable[None]]


@asynccontextmanager
async def serving(handler: Handler, *, max_bytes: int = 32 * MIB) -> AsyncGenerator[grpc.aio.Channel]:
    """Yield a client of a server on which ``handler`` answers every method."""
    unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    async with (
        grpc_port(lambda path: handler, max_bytes=max_bytes) as address,
        grpc.aio.insecure_channel(address, options=unlimited) as channel,
    ):
        yield channel


async def echo(stream: GrpcStream) -> None:
    while (message := await stream.read()) is not None:
        await stream.write(message)


def unary(channel: grpc.aio.Channel, message: bytes, **how: Any) -> Any:
    return channel.unary_unary("/a.B/C")(message, **how)


async def refusal(call: Any) -> tuple[grpc.StatusCode, str | None]:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    return raised.value.code(), raised.value.details()


@pytest.mark.parametrize("size", [0, 1, 16 * 1024, 65_535, 65_536, 5 * MIB])
async def test_a_message_of_any_size_goes_in_and_comes_out(size: int) -> None:
    async with serving(echo) as channel:
        message = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
        assert await unary(channel, message) == message


async def test_many_messages_of_a_stream_keep_their_order() -> None:
    async with serving(echo) as channel:
        call = channel.stream_stream("/a.B/C")(str(number).encode() for number in range(2_000))
        assert [int(message) async for message in call] == list(range(2_000))


async def test_large_answers_of_streams_side_by_side_do_not_hold_each_other_up() -> None:
    async def chunks(stream: GrpcStream) -> None:
        await stream.read()
        for number in range(8):
            await stream.write(bytes([number]) * MIB)

    async with serving(chunks) as channel:
        stuck = channel.unary_stream("/a.B/C")(b"")
        first = await anext(aiter(stuck))  # and no more: its window fills up
        for _ in range(3):
            call = channel.unary_stream("/a.B/C")(b"")
            assert [message[0] async for message in call] == list(range(8))
        assert [first[0]] + [message[0] async for message in stuck] == list(range(8))


async def test_a_client_that_does_not_read_holds_the_handler_back() -> None:
    written = 0

    async def endless(stream: GrpcStream) -> None:
        nonlocal written
        while True:
            await stream.write(b"x" * MIB)
            written += 1

    async with serving(endless) as channel:
        call = channel.unary_stream("/a.B/C")(b"")
        await call.read()
        await asyncio.sleep(0.2)
        before = written
        await asyncio.sleep(0.2)
        assert written == before < 32
        call.cancel()


async def test_a_handler_that_does_not_read_holds_the_client_back() -> None:
    go_on = asyncio.Event()
    sent = 0

    async def sleepy(stream: GrpcStream) -> None:
        await go_on.wait()
        await echo(stream)

    async def messages() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(100):
            sent += 1
            yield b"x" * MIB

    async with serving(sleepy) as channel:
        call = channel.stream_stream("/a.B/C")(messages())
        await asyncio.sleep(0.3)
        assert sent < 60
        go_on.set()
        assert len([message async for message in call]) == 100


async def test_large_messages_that_wait_for_a_handler_are_few() -> None:
    """An upload comes in messages of 127 MiB: sixteen of them would not fit into the memory."""
    sent, may_read = 0, asyncio.Event()

    async def slow(stream: GrpcStream) -> None:
        await may_read.wait()
        total = 0
        while (message := await stream.read()) is not None:
            total += len(message)
        await stream.write(str(total).encode())

    async def messages() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(12):
            yield bytes(20 * MIB)
            sent += 1

    async with serving(slow) as channel:
        call = channel.stream_unary("/svc/m")(messages())
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.5)
        assert sent <= 3, "one waits, one is on its way, one is in the client"
        may_read.set()
        assert await call == str(12 * 20 * MIB).encode()


async def test_metadata_goes_both_ways() -> None:
    async def handler(stream: GrpcStream) -> None:
        await stream.read()
        stream.begin({"first": stream.metadata["asked"]})
        stream.trailers["last"] = "naïve"
        await stream.write(b"")

    async with serving(handler) as channel:
        call = unary(channel, b"", metadata=[("asked", "this")])
        await call
        assert dict(await call.initial_metadata())["first"] == "this"
        assert dict(await call.trailing_metadata())["last"] == "na%C3%AFve"


async def test_a_refusal_keeps_its_code_and_every_character_of_its_message() -> None:
    async def refuse(stream: GrpcStream) -> None:
        raise TransportError("PERMISSION_DENIED", "100 % nø\nway")

    async with serving(refuse) as channel:
        assert await refusal(unary(channel, b"")) == (grpc.StatusCode.PERMISSION_DENIED, "100 % nø\nway")


async def test_a_handler_that_breaks_is_a_status_and_the_connection_stays() -> None:
    async def broken(stream: GrpcStream) -> None:
        if await stream.read() == b"break":
            raise ValueError("secret inside")
        await stream.write(b"fine")

    async with serving(broken) as channel:
        code, details = await refusal(unary(channel, b"break"))
        assert (code, details) == (
            grpc.StatusCode.UNKNOWN,
            "The emulator failed (ValueError); its log has the trace.",
        )
        assert await unary(channel, b"go") == b"fine"


async def test_a_handler_that_is_given_up_says_so() -> None:
    async def cancelled(_stream: GrpcStream) -> None:
        raise asyncio.CancelledError

    async with serving(cancelled) as channel:
        code, details = await refusal(unary(channel, b""))
        assert (code, details) == (grpc.StatusCode.CANCELLED, "The emulator gave this request up.")


async def test_a_request_that_is_too_large_is_refused_with_both_sizes_and_the_connection_stays() -> None:
    async with serving(echo, max_bytes=1000) as channel:
        assert await refusal(unary(channel, b"x" * 3 * MIB)) == (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "The request has 3145728 bytes; a message may have 1000 at most.",
        )
        assert await unary(channel, b"x" * 1000) == b"x" * 1000


async def test_an_answer_that_is_too_large_is_refused_with_both_sizes() -> None:
    async def large(stream: GrpcStream) -> None:
        await stream.write(b"x" * 1001)

    async with serving(large, max_bytes=1000) as channel:
        assert await refusal(unary(channel, b"")) == (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "The answer has 1001 bytes; a message may have 1000 at most.",
        )


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
async def test_a_compressed_request_is_unpacked(compression: grpc.Compression) -> None:
    async with serving(echo) as channel:
        assert await unary(channel, b"again " * 5_000, compression=compression) == b"again " * 5_000


async def test_a_request_that_unpacks_to_too_much_is_refused_before_it_has() -> None:
    async with serving(echo, max_bytes=1 * MIB) as channel:
        code, details = await refusal(unary(channel, b"\0" * 20 * MIB, compression=grpc.Compression.Gzip))
        assert (code, details) == (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "The request unpacks to more than 1048576 bytes.",
        )


def test_what_cannot_be_unpacked_says_why() -> None:
    for encoding, data, message in (
        ("gzip", b"no gzip", "The request is said to be gzip and is not: Error -3 while decompressing data"),
        ("zstd", b"", "The request is compressed with 'zstd'; the emulator takes identity, deflate and gzip."),
    ):
        stream = GrpcStream(
            Silence(), 1, {"grpc-encoding": encoding}, peer=NO_PEER, max_bytes=100, buffers=unbounded()
        )
        frame = b"\1" + len(data).to_bytes(4, "big") + data
        stream.receive(frame, len(frame))
        with pytest.raises(TransportError) as raised:
            asyncio.run(stream.read())  # pyright: ignore[reportArgumentType]
        assert raised.value.message.startswith(message)


@pytest.mark.parametrize("piece", [1, 3, 7, 100])
def test_messages_are_found_whatever_pieces_they_come_in(piece: int) -> None:
    stream = GrpcStream(Silence(), 1, {"grpc-encoding": "gzip"}, peer=NO_PEER, max_bytes=100, buffers=unbounded())
    packed = gzip.compress(b"packed")
    data = b"\0\0\0\0\5first" + b"\0\0\0\0\0" + b"\1" + len(packed).to_bytes(4, "big") + packed
    for start in range(0, len(data), piece):
        stream.receive(data[start : start + piece], piece)
    stream.receive_end()

    async def read_all() -> list[bytes | None]:
        return [await stream.read() for _ in range(4)]

    assert asyncio.run(read_all()) == [b"first", b"", b"packed", None]


@pytest.mark.parametrize("piece", [1_000, 65_541, 100_000, 300_000])
def test_large_messages_are_found_whatever_pieces_they_come_in(piece: int) -> None:
    stream = GrpcStream(Silence(), 1, {"grpc-encoding": "gzip"}, peer=NO_PEER, max_bytes=MIB, buffers=unbounded())
    first, packed = random.Random(1).randbytes(200_000), gzip.compress(random.Random(2).randbytes(100_000))
    data = b"\0" + len(first).to_bytes(4, "big") + first + b"\1" + len(packed).to_bytes(4, "big") + packed
    data += b"\0\0\0\0\4last"
    for start in range(0, len(data), piece):
        stream.receive(data[start : start + piece], piece)
    stream.receive_end()

    async def read_all() -> list[bytes | None]:
        return [await stream.read() for _ in range(4)]

    assert asyncio.run(read_all()) == [first, gzip.decompress(packed), b"last", None]


def test_who_asks_for_pieces_gets_those_of_a_message_that_has_begun_to_come() -> None:
    stream = GrpcStream(Silence(), 1, {}, peer=NO_PEER, max_bytes=4 * MIB, buffers=unbounded())
    whole = bytes(range(256)) * (2 * MIB // 256)
    stream.receive(b"\0" + len(whole).to_bytes(4, "big") + whole[:100_000], 0)

    async def read() -> bytes:
        begun = await stream.read_begun()
        assert isinstance(begun, LongMessage)
        stream.receive(whole[100_000:] + b"\0\0\0\0\4last", 0)
        read = b""
        while pieces := await begun.read():
            read += b"".join(pieces)
        assert await stream.read_begun() == b"last"
        return read

    assert asyncio.run(read()) == whole


@pytest.mark.parametrize("begun", [b"\0\0\0\0\5fir", b"\0\0\1\0\0fir"])
def test_a_request_that_ends_in_the_middle_is_an_error_not_an_end(begun: bytes) -> None:
    stream = GrpcStream(Silence(), 1, {}, peer=NO_PEER, max_bytes=MIB, buffers=unbounded())
    stream.receive(begun, 8)
    stream.receive_end()
    with pytest.raises(TransportError, match=r"The request ended in the middle of a message\."):
        asyncio.run(stream.read())  # pyright: ignore[reportArgumentType]


def test_deflate_is_zlib_as_grpc_has_it() -> None:
    stream = GrpcStream(
        Silence(), 1, {"grpc-encoding": "deflate"}, peer=NO_PEER, max_bytes=100, buffers=unbounded()
    )
    packed = zlib.compress(b"packed")
    stream.receive(b"\1" + len(packed).to_bytes(4, "big") + packed, 0)
    assert asyncio.run(stream.read()) == b"packed"  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("timeout", "seconds"),
    [
        ("5S", 5.0),
        ("100m", 0.1),
        ("2M", 120.0),
        ("1H", 3600.0),
        ("7u", 7e-6),
        ("9n", 9e-9),
        ("5", None),
        ("", None),
    ],
)
def test_a_deadline_is_read_in_all_its_units(timeout: str, seconds: float | None) -> None:
    stream = GrpcStream(Silence(), 1, {"grpc-timeout": timeout}, peer=NO_PEER, max_bytes=100, buffers=unbounded())
    assert stream.seconds_left == pytest.approx(seconds)


async def test_a_deadline_cancels_the_handler() -> None:
    outcome: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async with serving(waits_for_ever(outcome)) as channel:
        code, _ = await refusal(unary(channel, b"", timeout=0.1))
        assert code is grpc.StatusCode.DEADLINE_EXCEEDED
        assert await asyncio.wait_for(outcome, 2) == "cancelled"


async def test_a_client_that_gives_up_cancels_the_handler() -> None:
    outcome: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    async with serving(waits_for_ever(outcome)) as channel:
        call = channel.unary_stream("/a.B/C")(b"")
        await call.read()
        call.cancel()
        assert await asyncio.wait_for(outcome, 2) == "cancelled"


async def test_a_connection_that_is_lost_cancels_its_handlers() -> None:
    outcome: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    async with serving(waits_for_ever(outcome)) as channel:
        call = channel.unary_stream("/a.B/C")(b"")
        await call.read()
        await channel.close()
        assert await asyncio.wait_for(outcome, 2) == "cancelled"


async def test_a_server_that_closes_ends_calls_with_a_status() -> None:
    outcome: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    async with grpc_port(lambda path: waits_for_ever(outcome)) as address:
        channel = grpc.aio.insecure_channel(address)
        call = channel.unary_stream("/a.B/C")(b"")
        await call.read()
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call.read()
    assert raised.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
    assert outcome.result() == "cancelled"
    await channel.close()


async def test_a_thousand_streams_live_on_one_connection() -> None:
    go_on = asyncio.Event()

    async def late(stream: GrpcStream) -> None:
        message = await stream.read() or b""
        await go_on.wait()
        await stream.write(message)

    async with serving(late) as channel:
        await unary_started(channel)
        calls = [unary(channel, str(number).encode()) for number in range(1_000)]
        await asyncio.sleep(0.5)
        go_on.set()
        assert [int(await call) for call in calls] == list(range(1_000))


async def unary_started(channel: grpc.aio.Channel) -> None:
    """Wait until the server's settings have arrived, among them how many streams a connection may have."""
    await channel.channel_ready()


async def test_what_is_not_grpc_is_told_by_its_http_status() -> None:
    async with grpc_port(lambda path: echo) as address:
        host, _, port = address.partition(":")
        process = await asyncio.create_subprocess_exec(
            "curl",
            *("-s", "-o", "/dev/null", "-w", "%{http_code}", "--http2-prior-knowledge", f"http://{host}:{port}/x"),
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()
        assert output == b"415"


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream_id) + payload


def waits_for_ever(outcome: asyncio.Future[str]) -> Handler:
    async def handler(stream: GrpcStream) -> None:
        await stream.write(b"begun")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            outcome.set_result("cancelled")
            raise

    return handler


class Silence:
    """The wire of a stream that says nothing."""

    def send_headers(self, stream_id: int, headers: Any, *, end: bool) -> None: ...

    async def send_data(self, stream_id: int, *pieces: bytes) -> None: ...

    def flush(self) -> None: ...

    def cork(self) -> None: ...

    def acknowledge(self, stream_id: int, size: int) -> None: ...

    def reset(self, stream_id: int) -> None: ...

    def give_up(self, stream_id: int, reason: str) -> None: ...


async def flood(said: bytes, *, times: int) -> list[str]:
    """Say something again and again on a connection of which nothing is read; return what the server thinks of it,
    once it has ended the connection."""
    odd: list[str] = []

    port = Port(
        lambda path: echo,
        max_bytes=MIB,
        on_odd=lambda kind, what: odd.append(f"{kind}: {what}"),
        buffers=all_unbounded(),
    )
    number = await port.listen("127.0.0.1", 0)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(20)

    def talk() -> None:
        with contextlib.suppress(ConnectionError):
            client.sendall(PREFACE + frame(4, 0, 0))
            for _ in range(times):
                client.sendall(said)

    try:
        client.connect(("127.0.0.1", number))
        await asyncio.to_thread(talk)
        for _ in range(500):
            if odd:
                break
            await asyncio.sleep(0.01)
    finally:
        client.close()
        await port.close()
    return odd


async def test_a_client_that_asks_for_answers_and_reads_none_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clarifai_emulator.api.transport.http2_pace._MOST", 1e9)  # as if its requests were answered
    told = await flood(frame(6, 0, 0, bytes(8)) * 1_000, times=2_000)
    assert told[:1] == ["http2: no proper HTTP/2: more and more to answer, and no answer is read"]


@pytest.mark.parametrize(
    "said",
    [frame(6, 0, 0, bytes(8)), frame(4, 0, 0), frame(2, 0, 1, b"\0\0\0\0\1"), frame(8, 0, 0, b"\0\0\0\1")],
    ids=["PING", "SETTINGS", "PRIORITY", "WINDOW_UPDATE"],
)
async def test_a_client_that_floods_with_frames_that_ask_for_nothing_is_shut_out(said: bytes) -> None:
    told = await flood(said * 100, times=200)
    assert told == ["http2: no proper HTTP/2: more frames that ask for nothing than requests need"]


async def test_a_client_that_is_shut_out_is_told_and_is_not_back_at_once() -> None:
    port = Port(lambda path: echo, max_bytes=MIB, on_odd=lambda kind, what: None, buffers=all_unbounded())
    number = await port.listen("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", number)
    began = time.monotonic()
    writer.write(PREFACE + frame(4, 0, 0) + frame(6, 0, 0, bytes(8)) * 3_000)
    said = b""
    with contextlib.suppress(ConnectionError):
        while piece := await reader.read(65_536):
            said += piece
    assert said.endswith(struct.pack(">II", 0, 0xB)), "GOAWAY, ENHANCE_YOUR_CALM"
    assert time.monotonic() - began > 0.5
    writer.close()
    await port.close()


async def test_ten_thousand_streams_are_as_quick_as_one() -> None:
    """A stream costs the same however many are open beside it."""
    go_on = asyncio.Event()

    async def handler(stream: GrpcStream) -> None:
        if await stream.read() == b"wait":
            await go_on.wait()
        await stream.write(b"")

    async with serving(handler) as channel:
        await unary_started(channel)

        async def hundred() -> float:
            began = time.perf_counter()
            for _ in range(100):
                await unary(channel, b"")
            return time.perf_counter() - began

        alone = min([await hundred() for _ in range(3)])
        waiting = [asyncio.ensure_future(unary(channel, b"wait")) for _ in range(9_000)]
        await asyncio.sleep(2)
        beside = min([await hundred() for _ in range(3)])
        go_on.set()
        await asyncio.gather(*waiting)
    assert beside < 5 * alone + 0.2
