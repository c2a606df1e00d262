"""A connection of HTTP/2 does for one stream what concerns that one, however many wait beside it."""

from __future__ import annotations

import asyncio
import gc
import struct
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hpack import Encoder

from clarifai_emulator.api.transport.grpc_stream import GrpcStream
from clarifai_emulator.api.transport.http2 import Connection
from clarifai_emulator.api.transport.http2_frames import PREFACE
from clarifai_emulator.api.transport.http2_session import Session
from clarifai_emulator.api.transport.request_buffers import Buffers
from unit.api.transport.still_transport import StillTransport, turns

DATA, HEADERS, SETTINGS, GOAWAY, WINDOW = 0, 1, 4, 7, 8
END_STREAM, END_HEADERS = 0x1, 0x4
CALL = [(":method", "POST"), (":path", "/a.B/C"), (":authority", "x"), ("content-type", "application/grpc")]


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream_id) + payload


def window(stream_id: int, more: int) -> bytes:
    return frame(WINDOW, 0, stream_id, struct.pack(">I", more))


class Client:
    """A client that asks on many streams."""

    def __init__(
        self, handler: Callable[[GrpcStream], Awaitable[None]], hello: bytes = PREFACE + frame(SETTINGS, 0, 0)
    ) -> None:
        self.transport = StillTransport()
        self.odd: list[tuple[str, str]] = []
        self.connection = Connection(
            lambda path: handler,
            max_bytes=1 << 20,
            connections=set(),
            on_odd=lambda kind, what: self.odd.append((kind, what)),
            buffers=Buffers(1 << 40, 1 << 40),
        )
        self.connection.connection_made(self.transport)
        self.say(hello)

    def say(self, data: bytes) -> None:
        self.connection.data_received(data)

    async def ask(self, number: int) -> None:
        """Ask on so many streams, and let the handlers begin."""
        for each in range(number):
            stream_id = 2 * each + 1
            self.say(frame(HEADERS, END_HEADERS | END_STREAM, stream_id, Encoder().encode(CALL)))
            await turns(1)
        await turns(3)

    def data(self) -> dict[int, int]:
        """Return how many bytes of data have come, by stream."""
        found: dict[int, int] = {}
        said = self.transport.said
        while said:
            length, kind, stream_id = int.from_bytes(said[:3], "big"), said[3], int.from_bytes(said[5:9], "big")
            if kind == DATA:
                found[stream_id] = found.get(stream_id, 0) + length
            said = said[9 + length :]
        return found

    async def leave(self) -> None:
        self.connection.connection_lost(None)
        while self.connection._calls or self.connection._leaving:
            await turns(1)


async def answer_much(stream: GrpcStream) -> None:
    await stream.write(bytes(1_000))


async def wait_for_ever(stream: GrpcStream) -> None:
    await asyncio.Event().wait()


async def test_a_little_room_in_the_window_of_the_connection_wakes_one_stream(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = Client(answer_much)
    await client.ask(300)  # the first 65 answers fill the window
    looked = 0
    look = Session.window

    def counting(session: Session, stream_id: int) -> int:
        nonlocal looked
        looked += 1
        return look(session, stream_id)

    monkeypatch.setattr(Session, "window", counting)
    for _ in range(10):
        client.say(window(0, 1))
        await turns(3)
    assert looked < 100
    assert sum(client.data().values()) == 65_535 + 10
    client.say(window(0, 1 << 20))
    await turns(2_000)
    assert sum(client.data().values()) == 300 * 1_005
    await client.leave()


@pytest.mark.parametrize("said", [b"", b"PRI * HT", PREFACE, PREFACE + frame(SETTINGS, 0, 0)[:5]])
async def test_a_client_that_says_half_a_hello_and_no_more_is_let_go(said: bytes) -> None:
    client = Client(answer_much, hello=said)
    await asyncio.sleep(29)
    assert not client.transport.is_closing()
    await asyncio.sleep(2)
    assert client.transport.is_closing()
    assert client.odd == [("silence", "the rest of a hello or a frame of HTTP/2 not within 30 s")]


async def test_a_client_that_says_half_a_frame_and_no_more_is_let_go_unless_it_waits_for_an_answer() -> None:
    idle, waiting = Client(answer_much), Client(wait_for_ever)
    await idle.ask(1)
    await waiting.ask(1)
    for client in (idle, waiting):
        client.say(window(0, 1)[:5])
    await asyncio.sleep(70)
    assert (idle.transport.is_closing(), waiting.transport.is_closing()) == (True, False)
    await waiting.leave()


async def test_a_client_that_says_nothing_between_its_frames_or_is_slow_with_one_stays() -> None:
    idle, slow = Client(answer_much), Client(answer_much)
    for byte in frame(SETTINGS, 0, 0):
        slow.say(bytes([byte]))
        await asyncio.sleep(20)
    assert not slow.transport.is_closing()
    await asyncio.sleep(1_000)
    assert (idle.transport.is_closing(), slow.transport.is_closing()) == (False, False)


async def test_a_stream_without_room_of_its_own_holds_up_no_other() -> None:
    client = Client(answer_much)
    client.say(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 10)))
    await client.ask(100)
    assert sum(client.data().values()) == 100 * 10
    client.say(window(0, 1 << 20) + window(199, 5_000))
    await turns(5)
    assert client.data()[199] == 1_005
    assert client.data()[1] == 10
    client.say(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 5_000)))
    await turns(300)
    assert sum(client.data().values()) == 100 * 1_005
    await client.leave()


async def test_a_call_that_is_given_up_in_the_queue_for_the_window_passes_its_turn_on() -> None:
    client = Client(answer_much)
    await client.ask(70)
    client.say(frame(3, 0, 133, bytes(4)))  # the first that waits
    await turns(3)
    client.say(window(0, 1 << 20))
    await turns(300)
    data = client.data()
    assert [data[stream_id] for stream_id in (135, 137, 139)] == [1_005] * 3
    await client.leave()


async def test_the_calls_of_a_client_that_is_gone_are_given_up_some_in_each_turn() -> None:
    client = Client(wait_for_ever)
    await client.ask(1_000)
    client.connection.connection_lost(None)
    assert 900 < len(client.connection._calls) < 1_000
    await turns(30)
    assert not client.connection._calls
    await turns(3)
    assert not client.connection._leaving


async def test_a_client_that_says_goodbye_is_let_go_when_it_has_all_its_answers() -> None:
    may_answer = asyncio.Event()

    async def answer_later(stream: GrpcStream) -> None:
        await may_answer.wait()
        await stream.write(b"answer")

    client = Client(answer_later)
    await client.ask(2)
    client.say(frame(GOAWAY, 0, 0, bytes(8)))
    await turns(3)
    assert not client.transport.has_ended
    may_answer.set()
    await turns(5)
    assert client.transport.said.count(b"answer") == 2
    assert client.transport.has_ended


async def test_a_client_that_says_goodbye_and_waits_for_nothing_is_let_go_at_once() -> None:
    client = Client(answer_much)
    client.say(frame(GOAWAY, 0, 0, bytes(8)))
    assert client.transport.has_ended


async def test_a_stream_that_was_cancelled_while_it_waited_leaves_nothing_behind() -> None:
    client = Client(answer_much)
    client.say(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0)))
    await client.ask(20)
    waiting: Any = client.connection._short
    assert len(waiting) == 20
    for number in range(20):
        client.say(frame(3, 0, 2 * number + 1, bytes(4)))
    await turns(5)
    assert not waiting
    await client.leave()


async def test_a_call_that_is_cancelled_while_its_answer_waits_is_freed_without_the_garbage_collector() -> None:
    client = Client(answer_much)
    client.say(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0)))
    await client.ask(20)
    tasks = [weakref.ref(call.task) for call in client.connection._calls.values()]
    assert len(tasks) == 20
    gc.disable()
    try:
        for number in range(20):
            client.say(frame(3, 0, 2 * number + 1, bytes(4)))
        await turns(5)
        assert [task() for task in tasks] == [None] * 20
    finally:
        gc.enable()
    await client.leave()
