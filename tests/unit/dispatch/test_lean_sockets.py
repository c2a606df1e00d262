"""The lean runner's sockets, seen from the emulator: a scripted runner at the other ends."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Model
from clarifai_grpc.grpc.api.service_pb2 import MultiOutputResponse, PostModelOutputsRequest, RunnerItem
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.clock import SystemClock
from clarifai_emulator.dispatch.dispatcher import Dispatcher
from clarifai_emulator.dispatch.lane import LaneKey
from clarifai_emulator.dispatch.lean import LeanReplica
from clarifai_emulator.dispatch.lean_sockets import LeanSockets
from clarifai_emulator.dispatch.work import (
    STREAMING_STREAMING,
    UNARY_STREAMING,
    UNARY_UNARY,
    Work,
)
from clarifai_emulator.errors import CallerError
from clarifai_emulator.events import EventBus
from clarifai_emulator.inside.lean_main import (
    CANCEL,
    CHANNEL,
    DONE,
    END,
    GENUINE,
    HEADER,
    ITEM,
    LAST,
    MORE,
    OUTPUT,
    READY,
)

NODEPOOL = ("me", "cluster", "nodepool")


class Scene:
    """A lane with one lean replica, and the runner's ends of its sockets."""

    def __init__(self) -> None:
        clock = SystemClock()
        self.events = EventBus(clock)
        self.dispatcher = Dispatcher(events=self.events, clock=clock, queue_size=10)
        self.lane = self.dispatcher.lane(LaneKey("me", "deployment", "version"))
        self.link = self.dispatcher.add_runner((*NODEPOOL, "runner"), self.lane)
        self.genuine: list[str] = []
        self.threads: list[Thread] = []

    def connect(self) -> None:
        ours, self.control = socket.socketpair()
        self.control.setblocking(False)
        self.lean = LeanReplica(
            self.dispatcher, self.link, "replica", LeanSockets(ours), on_genuine=self.genuine.append
        )

    async def ready(self, threads: int = 2) -> None:
        self.connect()
        self.control.send(HEADER.pack(0, READY, threads))
        while "replica" not in self.link.replicas:
            await asyncio.sleep(0)

    async def told(self) -> tuple[int, int, list[int]]:
        """Return what the main thread is told next: kind, number, and the sockets that came with it."""
        while True:
            with contextlib.suppress(BlockingIOError):
                data, fds, _, _ = socket.recv_fds(self.control, HEADER.size, 1)
                _, kind, number = HEADER.unpack(data)
                return kind, number, fds
            await asyncio.sleep(0)

    async def thread(self) -> Thread:
        """Return the runner's end of the next channel."""
        kind, _, fds = await self.told()
        assert kind == CHANNEL
        thread = Thread(socket.socket(fileno=fds[0]))
        self.threads.append(thread)
        return thread

    def submit(self, method_type: int = UNARY_UNARY, more: AsyncIterator[Any] | None = None, **given: Any) -> Work:
        request = PostModelOutputsRequest(model_id="hello")
        work = Work(
            request,
            method_type=method_type,
            events=self.events,
            request_id="request-1",
            nodepools=(NODEPOOL,),
            more=more,
            **given,
        )
        self.lane.submit(work)
        return work

    @property
    def idle(self) -> int:
        return len(self.link.replicas["replica"].idle)

    def close(self) -> None:
        for thread in self.threads:
            thread.sock.close()
        if hasattr(self, "lean"):
            self.lean.lost()
            self.control.close()


class Thread:
    """A scripted thread of the runner."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock

    def say(self, kind: int, number: int, payload: bytes = b"") -> None:
        self.sock.send(HEADER.pack(len(payload), kind, number) + payload)

    async def hear(self) -> tuple[int, int, bytes]:
        length, kind, number = HEADER.unpack(await self.read(HEADER.size))
        return kind, number, await self.read(length)

    async def read(self, size: int) -> bytes:
        loop, data = asyncio.get_running_loop(), b""
        while len(data) < size:
            data += await asyncio.wait_for(loop.sock_recv(self.sock, size - len(data)), 5)
        return data

    async def item(self) -> int:
        """Return the number of the next item."""
        kind, number, _ = await self.hear()
        assert kind == ITEM
        return number


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    scene = Scene()
    yield scene
    scene.close()


def answer(text: str) -> bytes:
    response = MultiOutputResponse()
    response.status.description = text
    return response.SerializeToString()


async def texts(work: Work) -> list[str]:
    return [output.status.description async for output in work.outputs()]


async def test_a_replica_is_ready_when_it_says_so_with_a_slot_per_thread(scene: Scene) -> None:
    scene.connect()
    assert scene.link.replicas == {}
    scene.control.send(HEADER.pack(0, READY, 3))
    while not scene.events.last_seq:
        await asyncio.sleep(0)
    assert scene.idle == 3
    assert [event.kind for event in scene.events.recent("replica.")] == ["replica.ready"]


async def test_a_replica_that_the_genuine_runner_serves_says_why(scene: Scene) -> None:
    scene.connect()
    reason = b"the SDK has no ModelRunner.runner_item_predict"
    message = HEADER.pack(len(reason), GENUINE, 0) + reason
    for position in range(len(message)):
        scene.control.send(message[position : position + 1])
        await asyncio.sleep(0)
    scene.control.close()
    while not scene.genuine:
        await asyncio.sleep(0)
    assert scene.genuine == [reason.decode()]
    assert scene.link.replicas == {}


async def test_an_item_carries_the_request_its_type_and_its_ids(scene: Scene) -> None:
    await scene.ready()
    work = scene.submit()
    kind, _, payload = await (await scene.thread()).hear()
    item = RunnerItem.FromString(payload)
    assert kind == ITEM
    assert (item.id, item.description) == (work.id, "request-1")
    assert item.processing_info.runner_method_type == UNARY_UNARY
    assert item.post_model_outputs_request.model_id == "hello"


@pytest.mark.parametrize("size", [0, 100, 200, 20_000, 100_000])
async def test_a_request_gets_the_model_that_it_does_not_name_as_work_completes_it(scene: Scene, size: int) -> None:
    model = Model(id="model", user_id="owner", notes="n" * size)
    model.model_version.output_info.params["temperature"] = 1.0
    request = PostModelOutputsRequest(model_id="hello")
    request.model.user_id = "client"
    request.model.model_version.output_info.params["temperature"] = 2.0
    request.inputs.add().data.text.raw = "x" * size
    await scene.ready()
    work = scene.submit(model=model)
    del work
    thread = await scene.thread()
    await thread.item()
    thread.say(LAST, 1, answer("once"))

    work = Work(request, method_type=UNARY_UNARY, events=scene.events, nodepools=(NODEPOOL,), model=model)
    before = request.SerializeToString(deterministic=True)
    while scene.idle < 2:
        await asyncio.sleep(0)
    scene.lane.submit(work)
    _, _, payload = await thread.hear()
    completed = PostModelOutputsRequest.FromString(before)
    work.complete(completed)
    assert RunnerItem.FromString(payload).post_model_outputs_request == completed
    assert request.SerializeToString(deterministic=True) == before


async def test_the_last_output_answers_and_frees_the_slot(scene: Scene) -> None:
    await scene.ready(threads=1)
    work = scene.submit()
    thread = await scene.thread()
    number = await thread.item()
    assert scene.idle == 0
    thread.say(LAST, number, answer("hi"))
    assert await texts(work) == ["hi"]
    assert scene.idle == 1
    assert scene.link.replicas["replica"].completed == 1


async def test_the_thread_that_worked_last_takes_the_next_item(scene: Scene) -> None:
    await scene.ready(threads=3)
    for _ in range(2):
        scene.submit()
    first, second = await scene.thread(), await scene.thread()
    first.say(LAST, await first.item(), answer("one"))
    while scene.idle < 2:
        await asyncio.sleep(0)
    third = scene.submit()
    first.say(LAST, await first.item(), answer("three"))
    assert await texts(third) == ["three"]
    second.say(LAST, await second.item(), answer("two"))


async def test_outputs_come_in_order_and_done_ends_them(scene: Scene) -> None:
    await scene.ready()
    work = scene.submit(UNARY_STREAMING)
    thread = await scene.thread()
    number = await thread.item()
    for text in "abc":
        thread.say(OUTPUT, number, answer(text))
    thread.say(DONE, number)
    assert await texts(work) == ["a", "b", "c"]


async def test_a_frame_may_come_byte_by_byte_and_frames_together(scene: Scene) -> None:
    await scene.ready()
    work = scene.submit(UNARY_STREAMING)
    thread = await scene.thread()
    number = await thread.item()
    data = b"".join(
        HEADER.pack(len(payload), kind, number) + payload
        for kind, payload in ((OUTPUT, answer("a")), (OUTPUT, answer("b")), (DONE, b""))
    )
    for position in range(len(data) - 30):
        thread.sock.send(data[position : position + 1])
        await asyncio.sleep(0)
    thread.sock.send(data[len(data) - 30 :])
    assert await texts(work) == ["a", "b"]


async def test_large_outputs_come_whole_between_small_ones(scene: Scene) -> None:
    await scene.ready()
    work = scene.submit(UNARY_STREAMING)
    thread = await scene.thread()
    number = await thread.item()
    sizes = [10, 3_000_000, 20, 70_000, 65_536, 0]
    sent = b"".join(
        HEADER.pack(len(payload), OUTPUT, number) + payload for payload in (answer("x" * each) for each in sizes)
    )
    await asyncio.get_running_loop().sock_sendall(thread.sock, sent + HEADER.pack(0, DONE, number))
    assert [len(each) for each in await texts(work)] == sizes


async def test_two_items_at_once_do_not_mix(scene: Scene) -> None:
    await scene.ready()
    first, second = scene.submit(), scene.submit()
    one, two = await scene.thread(), await scene.thread()
    two.say(LAST, await two.item(), answer("two"))
    one.say(LAST, await one.item(), answer("one"))
    assert (await texts(first), await texts(second)) == (["one"], ["two"])


async def test_further_messages_of_a_client_follow_their_item_and_then_the_end(scene: Scene) -> None:
    await scene.ready()

    async def more() -> AsyncIterator[Any]:
        yield PostModelOutputsRequest(model_id="again")

    scene.submit(STREAMING_STREAMING, more())
    thread = await scene.thread()
    kinds = [await thread.hear() for _ in range(3)]
    assert [kind for kind, _, _ in kinds] == [ITEM, MORE, END]
    assert len({number for _, number, _ in kinds}) == 1
    assert RunnerItem.FromString(kinds[1][2]).post_model_outputs_request.model_id == "again"


async def test_a_client_that_sends_faster_than_its_model_reads_is_not_read_on(scene: Scene) -> None:
    await scene.ready()
    asked = 0

    async def more() -> AsyncIterator[Any]:
        nonlocal asked
        for _ in range(100):
            asked += 1
            yield PostModelOutputsRequest(model_id="x" * 1_000_000)

    scene.submit(STREAMING_STREAMING, more())
    thread = await scene.thread()
    for _ in range(100):
        await asyncio.sleep(0)
    assert asked < 20
    kinds = [(await thread.hear())[0] for _ in range(102)]
    assert kinds == [ITEM, *[MORE] * 100, END]


async def test_a_client_that_goes_away_is_told_and_its_slot_stays_busy(scene: Scene) -> None:
    await scene.ready(threads=1)
    work = scene.submit(UNARY_STREAMING)
    thread = await scene.thread()
    number = await thread.item()
    work.cancel()
    assert await scene.told() == (CANCEL, number, [])
    thread.say(OUTPUT, number, answer("late"))
    await asyncio.sleep(0.01)
    assert (scene.idle, await texts(work)) == (0, [])
    thread.say(DONE, number)
    while not scene.idle:
        await asyncio.sleep(0)


async def test_the_input_of_a_client_that_goes_away_ends(scene: Scene) -> None:
    await scene.ready()

    async def more() -> AsyncIterator[Any]:
        await asyncio.Event().wait()
        yield

    work = scene.submit(STREAMING_STREAMING, more())
    thread = await scene.thread()
    number = await thread.item()
    work.cancel()
    assert await thread.hear() == (END, number, b"")


@pytest.mark.parametrize("which", ["the control socket", "that of its thread"])
async def test_a_socket_that_closes_fails_what_the_replica_had(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    monkeypatch.setattr("clarifai_emulator.dispatch.lane._BROKEN_SECONDS", 0.01)
    await scene.ready()
    work = scene.submit()
    thread = await scene.thread()
    await thread.item()
    (scene.control if which == "the control socket" else thread.sock).close()
    with pytest.raises(CallerError, match="its connection was closed") as raised:
        await texts(work)
    assert raised.value.code == StatusCode.RUNNER_PROCESSING_FAILED
    assert scene.idle == 0


async def test_a_replica_that_says_what_nobody_understands_is_given_up(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("clarifai_emulator.dispatch.lane._BROKEN_SECONDS", 0.01)
    await scene.ready()
    work, other = scene.submit(UNARY_STREAMING), scene.submit()
    thread = await scene.thread()
    thread.say(OUTPUT, await thread.item(), b"no message")
    for each in (work, other):
        with pytest.raises(CallerError, match="its connection was closed"):
            await texts(each)
    assert "a replica says what cannot be understood" in caplog.text
    assert scene.idle == 0


async def test_what_a_replica_said_before_it_ended_is_heard(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clarifai_emulator.dispatch.lane._BROKEN_SECONDS", 0.01)
    await scene.ready()
    work, answered = scene.submit(UNARY_STREAMING), scene.submit()
    thread, other = await scene.thread(), await scene.thread()
    thread.say(OUTPUT, await thread.item(), answer("said"))
    other.say(LAST, await other.item(), answer("all"))
    scene.lean.lost()
    assert await texts(answered) == ["all"]
    outputs = work.outputs()
    assert (await anext(outputs)).status.description == "said"
    with pytest.raises(CallerError, match="its connection was closed"):
        await anext(outputs)


async def test_the_item_of_a_client_far_behind_is_not_read_until_half_is_taken_and_others_are(scene: Scene) -> None:
    await scene.ready()
    slow, other = scene.submit(UNARY_STREAMING), scene.submit()
    thread, quick = await scene.thread(), await scene.thread()
    number = await thread.item()
    said = 0
    for _ in range(100):
        with contextlib.suppress(BlockingIOError):
            for _ in range(100):
                thread.say(OUTPUT, number, answer(str(said)))
                said += 1
        await asyncio.sleep(0)
    with pytest.raises(BlockingIOError):
        thread.say(OUTPUT, number, answer("more than fits"))
    quick.say(LAST, await quick.item(), answer("meanwhile"))
    assert await texts(other) == ["meanwhile"]

    outputs = slow.outputs()
    got = [(await anext(outputs)).status.description for _ in range(said)]
    thread.say(DONE, number)
    got += [output.status.description async for output in outputs]
    assert got == [*map(str, range(said))]


async def test_an_item_that_is_held_goes_on_when_its_client_goes_away(scene: Scene) -> None:
    await scene.ready(threads=1)
    work = scene.submit(UNARY_STREAMING)
    thread = await scene.thread()
    number = await thread.item()
    for _ in range(64):
        thread.say(OUTPUT, number, answer("x"))
    while not work.is_ahead:
        await asyncio.sleep(0)
    work.cancel()
    thread.say(DONE, number)
    while not scene.idle:
        await asyncio.sleep(0)


async def test_a_request_for_which_no_socket_can_be_made_fails_with_the_way_out(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scene.ready(threads=1)

    def none_left(self: LeanSockets) -> Any:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(LeanSockets, "open_channel", none_left)
    work = scene.submit()
    with pytest.raises(CallerError) as raised:
        await texts(work)
    assert raised.value.message == (
        "The emulator could not hand this request to replica replica: Too many open files. Raise the number of "
        "files that the emulator may have open (`ulimit -n`), and start it again."
    )
    assert scene.idle == 1
