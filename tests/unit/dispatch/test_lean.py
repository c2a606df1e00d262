"""The lean runner's socket, seen from the emulator: a scripted runner at the other end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from clarifai_grpc.grpc.api.service_pb2 import MultiOutputResponse, PostModelOutputsRequest, RunnerItem
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.clock import SystemClock
from clarifai_emulator.dispatch.dispatcher import Dispatcher
from clarifai_emulator.dispatch.lane import LaneKey
from clarifai_emulator.dispatch.lean import (
    CANCEL,
    DONE,
    END,
    GO,
    HEADER,
    HOLD,
    ITEM,
    LAST,
    MORE,
    OUTPUT,
    READY,
    LeanConnection,
)
from clarifai_emulator.dispatch.work import (
    STREAMING_STREAMING,
    UNARY_STREAMING,
    UNARY_UNARY,
    Work,
)
from clarifai_emulator.errors import CallerError
from clarifai_emulator.events import EventBus

NODEPOOL = ("me", "cluster", "nodepool")


class Scene:
    """A lane with one lean replica, and the runner's end of its socket."""

    def __init__(self) -> None:
        clock = SystemClock()
        self.events = EventBus(clock)
        self.dispatcher = Dispatcher(events=self.events, clock=clock, queue_size=10)
        self.lane = self.dispatcher.lane(LaneKey("me", "deployment", "version"))
        self.link = self.dispatcher.add_runner((*NODEPOOL, "runner"), self.lane)

    async def connect(self) -> None:
        ours, theirs = socket.socketpair()
        connection = LeanConnection(self.dispatcher, self.link, "replica")
        await asyncio.get_running_loop().create_unix_connection(lambda: connection, sock=ours)
        self.reader, self.writer = await asyncio.open_unix_connection(sock=theirs)

    async def ready(self, threads: int = 2) -> None:
        await self.connect()
        self.say(READY, threads)
        while "replica" not in self.link.replicas:
            await asyncio.sleep(0)

    def say(self, kind: int, number: int, payload: bytes = b"") -> None:
        self.writer.write(HEADER.pack(len(payload), kind, number) + payload)

    async def hear(self) -> tuple[int, int, bytes]:
        length, kind, number = HEADER.unpack(await asyncio.wait_for(self.reader.readexactly(HEADER.size), 5))
        return kind, number, await self.reader.readexactly(length)

    def submit(self, method_type: int = UNARY_UNARY, more: AsyncIterator[Any] | None = None) -> Work:
        request = PostModelOutputsRequest(model_id="hello")
        work = Work(
            request,
            method_type=method_type,
            events=self.events,
            request_id="request-1",
            nodepools=(NODEPOOL,),
            more=more,
        )
        self.lane.submit(work)
        return work

    @property
    def idle(self) -> int:
        return len(self.link.replicas["replica"].idle)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    scene = Scene()
    yield scene
    if hasattr(scene, "writer"):
        scene.writer.close()


def answer(text: str) -> bytes:
    response = MultiOutputResponse()
    response.status.description = text
    return response.SerializeToString()


async def texts(work: Work) -> list[str]:
    return [output.status.description async for output in work.outputs()]


async def test_a_replica_is_ready_when_it_says_so_with_a_slot_per_thread(scene: Scene) -> None:
    await scene.connect()
    assert scene.link.replicas == {}
    scene.say(READY, 3)
    while not scene.events.last_seq:
        await asyncio.sleep(0)
    assert scene.idle == 3
    assert [event.kind for event in scene.events.recent("replica.")] == ["replica.ready"]


async def test_an_item_carries_the_request_its_type_and_its_ids(scene: Scene) -> None:
    await scene.ready()
    work = scene.submit()
    kind, _, payload = await scene.hear()
    item = RunnerItem.FromString(payload)
    assert kind == ITEM
    assert (item.id, item.description) == (work.id, "request-1")
    assert item.processing_info.runner_method_type == UNARY_UNARY
    assert item.post_model_outputs_request.model_id == "hello"


async def test_the_last_output_answers_and_frees_the_slot(scene: Scene) -> None:
    await scene.ready(threads=1)
    work = scene.submit()
    _, number, _ = await scene.hear()
    assert scene.idle == 0
    scene.say(LAST, number, answer("hi"))
    assert await texts(work) == ["hi"]
    assert scene.idle == 1
    assert scene.link.replicas["replica"].completed == 1


async def test_outputs_come_in_order_and_done_ends_them(scene: Scene) -> None:
    await scene.ready()
    work = scene.submit(UNARY_STREAMING)
    _, number, _ = await scene.hear()
    for text in "abc":
        scene.say(OUTPUT, number, answer(text))
    scene.say(DONE, number)
    assert await texts(work) == ["a", "b", "c"]


async def test_a_frame_may_come_byte_by_byte_and_frames_together(scene: Scene) -> None:
    await scene.ready()
    work = scene.submit(UNARY_STREAMING)
    _, number, _ = await scene.hear()
    data = b"".join(
        HEADER.pack(len(payload), kind, number) + payload
        for kind, payload in ((OUTPUT, answer("a")), (OUTPUT, answer("b")), (DONE, b""))
    )
    for position in range(len(data) - 30):
        scene.writer.write(data[position : position + 1])
        await scene.writer.drain()
    scene.writer.write(data[len(data) - 30 :])
    assert await texts(work) == ["a", "b"]


async def test_two_items_at_once_do_not_mix(scene: Scene) -> None:
    await scene.ready()
    first, second = scene.submit(), scene.submit()
    _, first_number, _ = await scene.hear()
    _, second_number, _ = await scene.hear()
    scene.say(LAST, second_number, answer("two"))
    scene.say(LAST, first_number, answer("one"))
    assert (await texts(first), await texts(second)) == (["one"], ["two"])


async def test_further_messages_of_a_client_follow_their_item_and_then_the_end(scene: Scene) -> None:
    await scene.ready()

    async def more() -> AsyncIterator[Any]:
        yield PostModelOutputsRequest(model_id="again")

    scene.submit(STREAMING_STREAMING, more())
    kinds = [await scene.hear() for _ in range(3)]
    assert [kind for kind, _, _ in kinds] == [ITEM, MORE, END]
    assert len({number for _, number, _ in kinds}) == 1
    assert RunnerItem.FromString(kinds[1][2]).post_model_outputs_request.model_id == "again"


async def test_a_client_that_goes_away_is_told_and_its_slot_stays_busy(scene: Scene) -> None:
    await scene.ready(threads=1)
    work = scene.submit(UNARY_STREAMING)
    _, number, _ = await scene.hear()
    work.cancel()
    assert await scene.hear() == (CANCEL, number, b"")
    scene.say(OUTPUT, number, answer("late"))
    await asyncio.sleep(0.01)
    assert (scene.idle, await texts(work)) == (0, [])
    scene.say(DONE, number)
    while not scene.idle:
        await asyncio.sleep(0)


async def test_a_socket_that_closes_fails_what_it_carried(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clarifai_emulator.dispatch.lane._BROKEN_SECONDS", 0.01)
    await scene.ready()
    work = scene.submit()
    await scene.hear()
    scene.writer.close()
    with pytest.raises(CallerError, match="its connection was closed") as raised:
        await texts(work)
    assert raised.value.code == StatusCode.RUNNER_PROCESSING_FAILED
    assert scene.idle == 0


async def test_the_item_of_a_client_far_behind_is_held_until_half_is_taken_and_no_other_is(scene: Scene) -> None:
    await scene.ready()
    slow, other = scene.submit(UNARY_STREAMING), scene.submit()
    (_, number, _), (_, other_number, _) = await scene.hear(), await scene.hear()
    for position in range(64):
        scene.say(OUTPUT, number, answer(str(position)))
    assert await scene.hear() == (HOLD, number, b"")
    scene.say(OUTPUT, number, answer("on its way"))
    scene.say(LAST, other_number, answer("meanwhile"))
    assert await texts(other) == ["meanwhile"]

    outputs = slow.outputs()
    got = [(await anext(outputs)).status.description for _ in range(34)]
    assert await scene.hear() == (GO, number, b"")
    scene.say(DONE, number)
    got += [output.status.description async for output in outputs]
    assert got == [*map(str, range(64)), "on its way"]


async def test_an_item_that_is_held_goes_on_when_its_client_goes_away(scene: Scene) -> None:
    await scene.ready()
    work = scene.submit(UNARY_STREAMING)
    _, number, _ = await scene.hear()
    for _ in range(64):
        scene.say(OUTPUT, number, answer("x"))
    assert await scene.hear() == (HOLD, number, b"")
    work.cancel()
    assert [(await scene.hear())[0] for _ in range(2)] == [CANCEL, GO]
