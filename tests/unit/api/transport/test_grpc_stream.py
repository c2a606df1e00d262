"""A call of gRPC keeps no more of what its client sends than somebody reads, and says what is wrong with it."""

from __future__ import annotations

import gzip
import zlib

import pytest

from clarifai_emulator.api.transport.grpc_stream import GrpcStream, Headers
from clarifai_emulator.api.transport.peer import NO_PEER
from clarifai_emulator.api.transport.request_buffers import Buffers
from clarifai_emulator.errors import TransportError

MIB = 1024 * 1024


class Client:
    """Sends on one call, and notes how it ended."""

    def __init__(self, most: int = 1 << 30, *, max_bytes: int = 100 * MIB, encoding: str = "gzip") -> None:
        self.buffers = Buffers(most, most)
        self.ends: list[dict[str, str]] = []
        self.given_up = ""
        self.stream = GrpcStream(
            self,
            1,
            {"grpc-encoding": encoding} if encoding else {},
            peer=NO_PEER,
            max_bytes=max_bytes,
            buffers=self.buffers.connection(),
        )

    def say(self, message: bytes, *, flag: int = 0) -> None:
        data = bytes([flag]) + len(message).to_bytes(4, "big") + message
        self.stream.receive(data, len(data))

    def send_headers(self, stream_id: int, headers: Headers, *, end: bool) -> None:
        self.ends += [dict(headers)] if end else []

    async def send_data(self, stream_id: int, *pieces: bytes) -> None: ...

    def flush(self) -> None: ...

    def cork(self) -> None: ...

    def acknowledge(self, stream_id: int, size: int) -> None: ...

    def reset(self, stream_id: int) -> None: ...

    def give_up(self, stream_id: int, reason: str) -> None:
        self.given_up = reason


async def test_a_compressed_message_is_unpacked_when_somebody_reads_it_and_not_before() -> None:
    client = Client()
    bomb = gzip.compress(bytes(50 * MIB))
    for _ in range(8):
        client.say(bomb, flag=1)
    assert client.buffers.size < MIB
    assert await client.stream.read() == bytes(50 * MIB)
    assert 50 * MIB < client.buffers.size < 52 * MIB
    assert await client.stream.read() == bytes(50 * MIB)
    assert client.buffers.size < 52 * MIB


async def test_a_message_that_unpacks_to_more_than_there_is_room_for_is_refused() -> None:
    client = Client(4 * MIB)
    client.say(gzip.compress(bytes(50 * MIB)), flag=1)
    with pytest.raises(TransportError, match="more than 4194304 bytes together") as raised:
        await client.stream.read()
    assert raised.value.name == "RESOURCE_EXHAUSTED"
    assert client.buffers.size == 0


@pytest.mark.parametrize(
    ("packed", "what"),
    [
        (gzip.compress(b"data")[:-6], "it breaks off"),
        (gzip.compress(b"data") * 2, "something follows its end"),
        (gzip.compress(b"data") + b"more", "something follows its end"),
        (gzip.compress(b"data") + bytes(200_000), "something follows its end"),
        (b"", "it breaks off"),
        (gzip.compress(b"data")[:-8] + bytes(8), "Error -3 while decompressing data: incorrect data check"),
    ],
    ids=["cut", "twice", "and more", "and much more", "nothing", "wrong sum"],
)
async def test_what_is_not_one_whole_packed_message_is_refused_with_the_reason(packed: bytes, what: str) -> None:
    client = Client()
    client.say(packed, flag=1)
    with pytest.raises(TransportError) as raised:
        await client.stream.read()
    assert raised.value.name == "INTERNAL"
    assert raised.value.message == f"The request is said to be gzip and is not: {what}."


async def test_a_compressed_message_of_a_request_that_names_no_compression_is_refused() -> None:
    client = Client(encoding="")
    client.say(zlib.compress(b"data"), flag=1)
    with pytest.raises(TransportError) as raised:
        await client.stream.read()
    assert (raised.value.name, raised.value.message) == (
        "INTERNAL",
        "A message is marked as compressed, and grpc-encoding does not say how: gzip or deflate.",
    )


def test_half_a_message_for_which_there_is_no_room_ends_its_call() -> None:
    client = Client(4 * MIB)
    client.stream.receive(b"\0" + (50 * MIB).to_bytes(4, "big"), 5)
    for _ in range(5):
        client.stream.receive(bytes(MIB), MIB)
    assert client.given_up.startswith("The requests and answers that wait on this connection")
    assert client.ends[0]["grpc-status"] == "8"
    assert client.ends[0]["grpc-message"].startswith("The requests and answers that wait on this connection")
    assert client.buffers.size == 0


async def test_of_many_small_messages_few_are_taken_apart_before_somebody_reads_them() -> None:
    client = Client()
    client.stream.receive(b"\0\0\0\0\1x" * 40_000, 240_000)
    assert client.buffers.size < 8 * 1024 + 250_000
    client.stream.receive_end()
    read = 0
    while await client.stream.read() is not None:
        read += 1
    assert read == 40_000


async def test_who_wants_one_message_keeps_no_other() -> None:
    client = Client()
    client.say(b"first")
    assert await client.stream.read_only() == b"first"
    for _ in range(20):
        client.say(bytes(MIB))
    assert client.buffers.size < 16 * 1024


async def test_who_wants_one_message_keeps_no_half_of_another() -> None:
    client = Client()
    client.say(b"first")
    client.stream.receive(b"\0" + (50 * MIB).to_bytes(4, "big") + bytes(MIB), MIB)
    assert await client.stream.read_only() == b"first"
    for _ in range(20):
        client.stream.receive(bytes(MIB), MIB)
    assert client.buffers.size < 2 * MIB
    client.stream.release()
    assert client.buffers.size == 0


async def test_a_message_that_was_read_counts_until_the_next_is_asked_for() -> None:
    client = Client()
    client.say(bytes(MIB))
    client.say(b"x")
    await client.stream.read()
    assert client.buffers.size > MIB
    await client.stream.read()
    assert client.buffers.size < 16 * 1024
    client.stream.release()
    assert client.buffers.size == 0
