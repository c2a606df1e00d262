"""A connection of HTTP/1.1 keeps nothing that nobody wants, and lets others have their turn."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from clarifai_emulator.api.transport.http_exchange import Exchange
from clarifai_emulator.api.transport.http_server import HttpConnection
from clarifai_emulator.api.transport.request_buffers import Buffers
from unit.api.transport.still_transport import StillTransport, turns

MIB = 1024 * 1024
CHUNKED = b"POST /x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"


class Served:
    """A connection whose handler reads the body as a test wants it, and notes what it has read."""

    def __init__(self, *, reads: bool = True) -> None:
        self.buffers = Buffers(64 * MIB, 64 * MIB)
        self.transport = StillTransport()
        self.read = b""
        self.exchanges: list[Exchange] = []
        self._reads = reads
        self.may_end = asyncio.Event()
        self.connection = HttpConnection(
            self._serve, max_bytes=8 * MIB, connections=set(), on_odd=lambda kind, what: None, buffers=self.buffers
        )
        self.connection.connection_made(self.transport)

    async def _serve(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)
        if self._reads:
            self.read = await exchange.body()
        await self.may_end.wait()
        await exchange.answer(200, b"done", "text/plain")


async def test_a_body_in_tiny_chunks_is_taken_apart_a_little_in_each_turn() -> None:
    served = Served()
    served.connection.data_received(CHUNKED + b"1\r\nx\r\n" * 5_000 + b"0\r\n\r\n")
    await turns(5)
    assert served.transport.is_paused, "more would come meanwhile"
    assert served.read == b""
    while not served.read:
        await turns(1)
    assert served.read == b"x" * 5_000
    assert not served.transport.is_paused
    await served.connection.close()


async def test_requests_that_came_together_have_their_turns_too() -> None:
    served = Served()
    served.may_end.set()
    served.connection.data_received(b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\na" * 20)
    await turns(2_000)
    assert served.transport.said.count(b"HTTP/1.1 200 OK") == 20
    await served.connection.close()


async def test_a_body_that_breaks_off_is_forgotten_with_its_connection() -> None:
    served = Served()
    served.connection.data_received(b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 8000000\r\n\r\n")
    for _ in range(40):
        served.connection.data_received(bytes(100_000))
    await turns(2)
    assert served.buffers.size > 4_000_000
    served.connection.connection_lost(None)
    assert served.buffers.size == 0
    assert served.exchanges[0]._pieces.size == 0
    await turns(2)


async def test_of_a_body_that_nobody_reads_most_stays_with_the_client() -> None:
    served = Served(reads=False)
    served.connection.data_received(b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 8000000\r\n\r\n")
    await turns(2)
    for _ in range(12):
        if not served.transport.is_paused:
            served.connection.data_received(bytes(256 * 1024))
    assert served.transport.is_paused
    assert served.buffers.size < 2 * MIB
    served.may_end.set()
    await turns(5)
    assert served.transport.said.endswith(b"done")
    await served.connection.close()


async def test_an_answer_that_nobody_reads_is_given_up_where_there_is_no_room() -> None:
    served = Served()
    served.buffers = Buffers(MIB, MIB)
    connection = HttpConnection(
        served._serve, max_bytes=8 * MIB, connections=set(), on_odd=lambda kind, what: None, buffers=served.buffers
    )
    transport = StillTransport()
    connection.connection_made(transport)
    connection.pause_writing()
    served.may_end.set()
    connection.data_received(b"GET /x HTTP/1.1\r\nhost: x\r\n\r\n")
    await turns(5)
    other = served.buffers.connection().request(lambda reason: None)
    other.hold(MIB - 10_000)
    assert transport.has_ended
    connection.connection_lost(None)
    with suppress(asyncio.CancelledError):
        await turns(3)
