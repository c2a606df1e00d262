"""The messages of an upload: a long part's data is there as it comes, however the bytes are cut on their way."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from typing import Any

import pytest
from clarifai_grpc.grpc.api.service_pb2 import PostModelVersionsUploadRequest as Request

from clarifai_emulator.api.transport.grpc_stream import GrpcStream, Headers
from clarifai_emulator.api.transport.peer import NO_PEER
from clarifai_emulator.api.transport.upload_parts import LongPart, upload_messages
from clarifai_emulator.errors import TransportError
from unbounded_buffers import unbounded

MEBIBYTE = 1024 * 1024
DATA = bytes(range(256)) * (3 * MEBIBYTE // 256)


class Wire:
    """Counts what the client may send again."""

    def __init__(self) -> None:
        self.acknowledged = 0

    def acknowledge(self, stream_id: int, size: int) -> None:
        self.acknowledged += size

    def send_headers(self, stream_id: int, headers: Headers, *, end: bool) -> None: ...

    async def send_data(self, stream_id: int, *pieces: bytes) -> None: ...

    def flush(self) -> None: ...

    def cork(self) -> None: ...

    def reset(self, stream_id: int) -> None: ...

    def give_up(self, stream_id: int, reason: str) -> None: ...


class Sender:
    """A stream, and the client's half of it."""

    def __init__(self) -> None:
        self.wire = Wire()
        self.stream = GrpcStream(self.wire, 1, {}, peer=NO_PEER, max_bytes=32 * MEBIBYTE, buffers=unbounded())
        self.messages = upload_messages(self.stream, Request.FromString)

    def send(self, data: bytes, cut: int = 64 * 1024) -> None:
        for start in range(0, len(data), cut):
            piece = data[start : start + cut]
            self.stream.receive(piece, len(piece))


def framed(message: bytes) -> bytes:
    return struct.pack(">BI", 0, len(message)) + message


def part(number: int = 1, data: bytes = DATA) -> bytes:
    return Request(content_part={"part_number": number, "range_start": 2**40, "data": data}).SerializeToString()


async def all_of(part: LongPart) -> bytes:
    pieces: list[bytes] = []
    while more := await part.read():
        pieces += more
    return b"".join(pieces)


async def read(messages: AsyncIterator[Any]) -> list[tuple[int, bytes]]:
    """Return part number and data of every message."""
    found: list[tuple[int, bytes]] = []
    async for message in messages:
        if isinstance(message, LongPart):
            assert not message.request.content_part.data
            found.append((message.request.content_part.part_number, await all_of(message)))
            assert len(found[-1][1]) == message.size
        else:
            found.append((message.content_part.part_number, message.content_part.data))
    return found


@pytest.mark.parametrize("cut", [7, 64 * 1024, 5 * MEBIBYTE])
async def test_every_part_is_read_as_it_was_sent(cut: int) -> None:
    sender, data = Sender(), DATA[: 1100 * 1024] if cut == 7 else DATA
    sent = framed(part(1, data)) + framed(part(2, b"short")) + framed(part(3, data)) + framed(part(4, b""))
    reading = asyncio.create_task(read(sender.messages))
    await asyncio.sleep(0)
    sender.send(sent, cut)
    sender.stream.receive_end()
    assert await reading == [(1, data), (2, b"short"), (3, data), (4, b"")]


async def test_a_long_part_is_there_before_all_of_it_has_come() -> None:
    sender = Sender()
    reading = asyncio.ensure_future(anext(sender.messages))
    await asyncio.sleep(0)
    sender.send(framed(part())[:1000])
    begun = await reading
    assert isinstance(begun, LongPart)
    assert (begun.request.content_part.range_start, begun.size) == (2**40, len(DATA))
    assert b"".join(await begun.read()) == DATA[: 1000 - len(framed(part())) + len(DATA)]


async def test_a_client_that_is_faster_than_the_disk_waits() -> None:
    sender = Sender()
    reading = asyncio.ensure_future(anext(sender.messages))
    await asyncio.sleep(0)
    sent = framed(part(1, bytes(30 * MEBIBYTE)))
    sender.send(sent[:MEBIBYTE], MEBIBYTE)
    begun = await reading
    sender.send(sent[MEBIBYTE : 25 * MEBIBYTE], MEBIBYTE)
    assert 16 * MEBIBYTE <= sender.wire.acknowledged <= 18 * MEBIBYTE
    assert len(b"".join([*await begun.read(), *await begun.read()])) > 24 * MEBIBYTE
    assert sender.wire.acknowledged == 25 * MEBIBYTE


async def test_a_message_in_another_order_is_read_whole() -> None:
    data, number = part(0), part(5, b"")
    inner = Request.FromString(data).content_part.SerializeToString()
    other = Request.FromString(number).content_part.SerializeToString()
    # Data before the number: what no serializer writes, and protobuf allows.
    body = inner + other
    message = b"\x12" + _varint(len(body)) + body
    sender = Sender()
    reading = asyncio.create_task(read(sender.messages))
    await asyncio.sleep(0)
    sender.send(framed(message))
    sender.stream.receive_end()
    assert await reading == [(5, DATA)]


async def test_a_long_message_that_is_no_part_is_read_whole() -> None:
    config = Request()
    config.upload_config.model_id = "m" * 2 * MEBIBYTE
    sender = Sender()
    reading = asyncio.ensure_future(anext(sender.messages))
    await asyncio.sleep(0)
    sender.send(framed(config.SerializeToString()))
    assert len((await reading).upload_config.model_id) == 2 * MEBIBYTE


async def test_a_request_that_ends_in_the_middle_of_a_part() -> None:
    sender = Sender()
    reading = asyncio.create_task(read(sender.messages))
    await asyncio.sleep(0)
    sender.send(framed(part())[:-1])
    sender.stream.receive_end()
    with pytest.raises(TransportError, match="in the middle of a message"):
        await reading


async def test_a_part_that_is_too_large_is_refused_before_it_comes() -> None:
    sender = Sender()
    reading = asyncio.ensure_future(anext(sender.messages))
    await asyncio.sleep(0)
    sender.send(framed(part(1, bytes(33 * MEBIBYTE)))[:1000])
    with pytest.raises(TransportError, match="a message may have 33554432 at most"):
        await reading


def _varint(value: int) -> bytes:
    digits = bytearray()
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*digits, value])
