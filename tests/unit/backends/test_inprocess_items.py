"""A channel to a thread of this process: what the event loop puts in comes out in the thread, and the other way."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from clarifai_grpc.grpc.api.service_pb2 import MultiOutputResponse, PostModelOutputsRequest

from clarifai_emulator.backends.inprocess_items import ThreadChannel
from clarifai_emulator.clock import SystemClock
from clarifai_emulator.dispatch.work import STREAMING_STREAMING, Work
from clarifai_emulator.events import EventBus
from clarifai_emulator.inside.lean_main import DONE, LAST, OUTPUT


class Told:
    """Keeps what a channel tells the emulator's half of its replica."""

    def __init__(self) -> None:
        self.outputs: list[tuple[int, str, int]] = []
        self.ended: list[int] = []

    def output(self, number: int, response: Any, size: int, *, is_last: bool = False) -> None:
        self.outputs.append((number, response.status.description, size))

    def done(self, number: int) -> None:
        self.ended.append(number)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def channel(told: Told) -> ThreadChannel:
    return ThreadChannel(told, asyncio.get_running_loop())  # pyright: ignore[reportArgumentType]


def work_of(text: str) -> Work:
    request = PostModelOutputsRequest(model_id=text)
    return Work(request, method_type=STREAMING_STREAMING, events=EventBus(SystemClock()), request_id="request")


def response(text: str) -> Any:
    made = MultiOutputResponse()
    made.status.description = text
    return made


def next_item(channel: ThreadChannel) -> tuple[int, Any]:
    found = channel.next_item()
    assert found is not None
    return found


def running(number: int) -> Any:
    return SimpleNamespace(number=number, ended=False)


async def test_an_item_is_the_model_s_own_copy_of_its_request(channel: ThreadChannel) -> None:
    work = work_of("hello")
    channel.give(1, work)
    number, item = next_item(channel)
    assert (number, item.id, item.description) == (1, work.id, "request")
    item.post_model_outputs_request.model_id = "changed"
    assert work.request.model_id == "hello"


async def test_outputs_are_told_in_the_event_loop_in_their_order(channel: ThreadChannel, told: Told) -> None:
    for kind, text in ((OUTPUT, "a"), (OUTPUT, "b"), (LAST, "c")):
        _, packed = channel.pack(response(text))
        channel.answer(1, kind, packed)
    channel.answer(2, DONE, None)
    assert told.outputs == []
    await asyncio.sleep(0)
    assert told.outputs == [(1, text, response(text).ByteSize()) for text in "abc"]
    assert told.ended == [1, 2]


async def test_a_client_s_messages_come_until_there_are_no_more(channel: ThreadChannel) -> None:
    work = work_of("first")
    channel.give(1, work)
    channel.next_item()
    for text in ("second", "third"):
        await channel.more(1, work, PostModelOutputsRequest(model_id=text))
    channel.end(1)
    found = [each.post_model_outputs_request.model_id for each in channel.further(running(1))]
    assert found == ["second", "third"]


async def test_what_is_left_of_an_item_does_not_reach_the_next_one(channel: ThreadChannel) -> None:
    work, ended = work_of("first"), running(1)
    channel.give(1, work)
    channel.next_item()
    await channel.more(1, work, PostModelOutputsRequest(model_id="left"))
    channel.end(1)
    channel.give(2, work_of("next"))
    ended.ended = True
    assert list(channel.further(ended)) == [], "a thread that still reads gets nothing"
    number, item = next_item(channel)
    assert (number, item.post_model_outputs_request.model_id) == (2, "next")


async def test_a_client_that_sends_faster_than_its_model_reads_waits(channel: ThreadChannel) -> None:
    work = work_of("first")
    channel.give(1, work)
    channel.next_item()

    async def send() -> None:
        for _ in range(100):
            await channel.more(1, work, work.request)
        channel.end(1)

    sending = asyncio.create_task(send())
    for _ in range(200):
        await asyncio.sleep(0)
    assert not sending.done()
    messages = channel.further(running(1))
    for _ in range(60):
        next(messages)
    await asyncio.wait_for(sending, 10)
    assert len(list(messages)) == 40


async def test_a_channel_that_is_closed_ends_its_thread_also_while_it_reads(channel: ThreadChannel) -> None:
    channel.hold()
    channel.close()
    assert list(channel.further(running(1))) == []
    assert channel.next_item() is None
    channel.answer(1, LAST, (2, response("to nobody")))
