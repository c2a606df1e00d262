"""The platform's half of the runner protocol, against a runner that is scripted message by message."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import Model, ModelVersion, RunnerMethodType
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api import runner_items
from clarifai_emulator.api.rpc import rpc_table
from clarifai_emulator.api.runner_items import Admission, RunnerItems
from clarifai_emulator.api.transport.peer import NO_PEER, Peer
from clarifai_emulator.dispatch.dispatcher import Dispatcher
from clarifai_emulator.dispatch.lane import LaneKey, RunnerLink
from clarifai_emulator.dispatch.work import STREAMING_STREAMING, UNARY_STREAMING, UNARY_UNARY, State, Work
from clarifai_emulator.errors import CallerError
from clarifai_emulator.events import EventBus
from resource_api import StillClock
from unit.turned_loop import TurnedLoop

POOL = ("ada", "cluster", "pool")
Message = service_pb2.PostRunnerItemOutputsRequest


class Stream:
    """A stream of a scripted runner: its messages are read by the emulator, the emulator's are kept."""

    def __init__(self, serve: Any, **first: Any) -> None:
        self._says: asyncio.Queue[Any] = asyncio.Queue()
        self._hears: asyncio.Queue[Any] = asyncio.Queue()
        self.metadata = {"authorization": "Key replica-1"}
        self.peer = NO_PEER
        self.closed = False
        self.broken: Exception | None = None
        self.initial_metadata: dict[str, str] = {}
        self.max_bytes = 0
        if first:
            self.say(**first)
        self.task = asyncio.ensure_future(serve(self))

    # What the runner does.

    def say(self, **fields: Any) -> None:
        self._says.put_nowait(Message(**fields).SerializeToString())

    def output(self, text: str) -> None:
        response = service_pb2.MultiOutputResponse()
        response.outputs.add().data.text.raw = text
        self.say(runner_item_outputs=[{"multi_output_response": response}])

    def half_close(self) -> None:
        self._says.put_nowait(None)

    async def hear(self) -> Any:
        return await asyncio.wait_for(self._hears.get(), 1)

    @property
    def has_heard_all(self) -> bool:
        return self._hears.empty()

    async def vanish(self) -> None:
        """End the stream as gRPC does when the connection is gone."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    # What gRPC offers to the emulator.

    def take_up_to(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes

    async def read(self) -> bytes | None:
        return await self._says.get()

    def begin(self, metadata: dict[str, str]) -> None:
        assert not self.initial_metadata, "it is sent once"
        self.initial_metadata = metadata

    async def write(self, message: bytes) -> None:
        if self.broken is not None:
            raise self.broken
        self._hears.put_nowait(service_pb2.MultiRunnerItemResponse.FromString(message))

    def flush(self) -> None:
        """Do nothing: messages are heard as soon as they are written."""


class Scene:
    """A runner of one deployment. ``answer`` is the answer of admission."""

    def __init__(self) -> None:
        self.events = EventBus(StillClock())
        self.dispatcher = Dispatcher(events=self.events, clock=StillClock(), queue_size=10)
        self.lane = self.dispatcher.lane(LaneKey("ada", "deploy-x", "v1"))
        self.link: RunnerLink = self.dispatcher.add_runner((*POOL, "runner"), self.lane)
        self.answer: Admission | int = Admission(self.link, "r1")
        self.asked: list[tuple[Mapping[str, str], str]] = []
        self.refused = 0
        self.items = RunnerItems(self.dispatcher, self._admit, lambda *_: self.refused)
        self._streams: list[Stream] = []

    def _admit(self, metadata: Mapping[str, str], first: Any, _peer: Peer) -> Admission | int:
        self.asked.append((metadata, first.runner_id))
        return self.answer

    @property
    def serve(self) -> Any:
        return self.items.find(rpc_table()["ProcessRunnerItems"].path)

    def stream(self, **first: Any) -> Stream:
        stream = Stream(self.serve, **first)
        self._streams.append(stream)
        return stream

    async def idle(self, **first: Any) -> Stream:
        """Return a stream that has said that it is idle."""
        stream = self.stream(**{"runner_id": "runner", **first})
        await settle()
        return stream

    async def control(self, **first: Any) -> Stream:
        return await self.idle(runner_id="control-runner", **first)

    def work(self, method_type: int = UNARY_UNARY, **fields: Any) -> Work:
        request = service_pb2.PostModelOutputsRequest(model_id="hello")
        work = Work(request, method_type=method_type, events=self.events, nodepools=(POOL,), **fields)
        self.lane.submit(work)
        return work

    async def carried(self, method_type: int, **fields: Any) -> tuple[Stream, Work]:
        """Return a stream that has been written an item, and its work."""
        stream = await self.idle()
        work = self.work(method_type, **fields)
        await stream.hear()
        return stream, work

    async def close(self) -> None:
        for stream in self._streams:
            await stream.vanish()


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    scene = Scene()
    yield scene
    await scene.close()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def texts(work: Work) -> list[str]:
    return [each.outputs[0].data.text.raw async for each in work.outputs()]


async def failure(work: Work) -> str:
    """Return the message of the error that a client gets."""
    with pytest.raises(CallerError) as raised:
        async for _ in work.outputs():
            pass
    assert raised.value.code == StatusCode.RUNNER_PROCESSING_FAILED
    return raised.value.message


# One item on one stream.


async def test_only_process_runner_items_is_served(scene: Scene) -> None:
    assert scene.items.find("/clarifai.api.V2/GetModel") is None


async def test_an_idle_stream_gets_the_clients_request_as_one_item(scene: Scene) -> None:
    stream = await scene.idle()
    assert stream.has_heard_all
    work = scene.work()
    message = await stream.hear()
    assert message.status.code == StatusCode.SUCCESS
    (item,) = message.runner_items
    assert (item.id, item.post_model_outputs_request.model_id) == (work.id, "hello")
    assert item.processing_info.runner_method_type == RunnerMethodType.UNARY_UNARY
    assert item.processing_info.status.code == StatusCode.SUCCESS
    assert (work.state, work.replica_id) == (State.SENT, "r1")


async def test_a_runner_that_is_let_in_may_send_more_than_a_client(scene: Scene) -> None:
    """The emulator takes all of what is too large for a client, to make it fit."""
    assert (await scene.idle()).max_bytes == 1024**3


async def test_a_runner_is_told_of_the_model_and_version_it_answers_for(scene: Scene) -> None:
    stream = await scene.idle()
    served = Model(id="hello", user_id="ada", model_version=ModelVersion(id="v1"))
    work = scene.work(model=served)
    assert (await stream.hear()).runner_items[0].post_model_outputs_request.model == served
    assert not work.request.HasField("model"), "what the client sent stays what it is"


async def test_what_a_client_says_of_its_model_goes_before_what_is_known_of_it(scene: Scene) -> None:
    stream = await scene.idle()
    work = scene.work(model=Model(id="hello", model_version=ModelVersion(id="v1", description="known")))
    work.request.model.model_version.description = "given"
    (item,) = (await stream.hear()).runner_items
    told = item.post_model_outputs_request.model.model_version
    assert (told.id, told.description) == ("v1", "given")


async def test_a_unary_item_is_done_with_its_output_not_with_the_end_of_the_stream(scene: Scene) -> None:
    stream, work = await scene.carried(UNARY_UNARY)
    stream.output("hello")
    assert await texts(work) == ["hello"]
    assert work.state is State.DONE
    assert scene.lane.in_flight == 1  # the thread of the runner is not free before it says so
    stream.half_close()
    await stream.task
    assert scene.lane.in_flight == 0


async def test_a_generate_item_is_done_when_the_runner_half_closes(scene: Scene) -> None:
    stream, work = await scene.carried(UNARY_STREAMING)
    stream.output("a")
    stream.output("b")
    await settle()
    assert work.is_open
    stream.half_close()
    assert await texts(work) == ["a", "b"]
    await stream.task
    assert work.state is State.DONE


async def test_outputs_pass_through_as_they_are_also_those_that_say_failure(scene: Scene) -> None:
    stream, work = await scene.carried(UNARY_UNARY)
    failed = service_pb2.MultiOutputResponse()
    failed.status.code, failed.status.details = StatusCode.FAILURE, "boom"
    stream.say(runner_item_outputs=[{"multi_output_response": failed}])
    assert [output async for output in work.outputs()] == [failed]


async def test_a_message_without_outputs_does_not_end_an_item(scene: Scene) -> None:
    stream, work = await scene.carried(UNARY_UNARY)
    stream.say(runner_id="runner")
    await settle()
    assert work.is_open
    stream.output("late")
    assert await texts(work) == ["late"]


async def test_further_messages_of_the_client_go_down_the_same_stream_then_the_end_mark(scene: Scene) -> None:
    more: asyncio.Queue[str | None] = asyncio.Queue()

    async def requests() -> AsyncIterator[Any]:
        while (name := await more.get()) is not None:
            yield service_pb2.PostModelOutputsRequest(model_id=name)

    stream, work = await scene.carried(STREAMING_STREAMING, more=requests())
    stream.output("first")
    more.put_nowait("second")
    message = await stream.hear()
    assert [item.id for item in message.runner_items] == [work.id]
    assert message.runner_items[0].post_model_outputs_request.model_id == "second"
    more.put_nowait(None)
    assert (await stream.hear()).status.code == StatusCode.RUNNER_STREAM_END
    stream.half_close()
    assert await texts(work) == ["first"]
    assert work.state is State.DONE


async def test_a_client_whose_stream_breaks_does_not_end_the_runners(scene: Scene) -> None:
    async def requests() -> AsyncIterator[Any]:
        raise RuntimeError("reset by peer")
        yield

    stream, work = await scene.carried(STREAMING_STREAMING, more=requests())
    await settle()
    stream.output("still there")
    stream.half_close()
    assert await texts(work) == ["still there"]


async def test_the_runner_is_told_the_requests_id_before_the_item(scene: Scene) -> None:
    stream, work = await scene.carried(UNARY_UNARY)
    assert stream.initial_metadata == {"req_id": work.request_id}


async def test_one_stream_carries_one_item_and_the_next_stream_the_next(scene: Scene) -> None:
    first, work = await scene.carried(UNARY_UNARY)
    waiting = scene.work()
    first.output("a")
    first.half_close()
    await first.task
    assert waiting.state is State.QUEUED
    second = await scene.idle()
    assert (await second.hear()).runner_items[0].id == waiting.id
    assert work.state is State.DONE


# A replica that dies.


async def test_a_unary_item_without_an_output_is_lost_not_an_empty_success(scene: Scene) -> None:
    stream, work = await scene.carried(UNARY_UNARY)
    stream.half_close()
    assert await failure(work) == (
        "Replica r1 ended while it worked on this request: it ended its stream without an output. The request was "
        "not repeated, because part of it may have run; see `clarifai-emulator logs`."
    )


async def test_a_broken_connection_fails_the_item_and_frees_the_replica(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clarifai_emulator.dispatch.lane._BROKEN_SECONDS", 0.01)
    stream, work = await scene.carried(UNARY_STREAMING)
    stream.output("a")
    await settle()
    await stream.vanish()
    assert "its connection was closed" in await failure(work)
    assert scene.lane.in_flight == 0


async def test_how_its_replica_ended_is_told_when_that_is_heard_after_the_connection_broke(scene: Scene) -> None:
    stream, work = await scene.carried(UNARY_UNARY)
    await stream.vanish()
    assert (work.state, scene.lane.in_flight) == (State.SENT, 1)
    scene.dispatcher.lose(scene.link, "r1", "its container used more memory than its limit of 1Gi")
    assert "its container used more memory than its limit of 1Gi" in await failure(work)
    assert scene.lane.in_flight == 0


async def test_a_stream_beside_an_item_gets_work_as_soon_as_that_has_ended(scene: Scene) -> None:
    first, one = await scene.carried(UNARY_UNARY)
    second = await scene.idle()
    two = scene.work()
    first.output("a")
    await settle()
    assert (one.state, two.state, second.has_heard_all) == (State.DONE, State.QUEUED, True)
    first.half_close()
    await settle()
    assert (two.state, second.has_heard_all) == (State.SENT, False)


async def test_a_stream_beside_a_long_item_gets_work_when_it_has_rested(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_items, "_REST_SECONDS", 0.01)
    await scene.carried(UNARY_STREAMING)
    second = await scene.idle()
    scene.work()
    assert second.has_heard_all
    assert await second.hear()


async def test_it_rests_again_when_the_machine_does_not_keep_up(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_items, "_REST_SECONDS", 0.01)
    await scene.carried(UNARY_STREAMING)
    second = await scene.idle()
    scene.work()
    loop = asyncio.get_running_loop()
    assert isinstance(loop, TurnedLoop)
    loop.pass_time(0.03)
    await settle()
    assert second.has_heard_all
    assert await second.hear()


async def test_an_item_that_cannot_be_written_is_lost_and_the_stream_ends_without_an_error(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    stream = await scene.idle()
    stream.broken = RuntimeError("broken pipe")
    work = scene.work()
    assert "its stream failed (broken pipe)" in await failure(work)
    await stream.task
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


# A stream that goes away before it was written anything.


async def test_an_idle_stream_that_vanishes_gets_no_work(scene: Scene) -> None:
    stream = await scene.idle()
    await stream.vanish()
    work = scene.work()
    assert list(scene.lane.waiting) == [work]


async def test_work_given_to_a_stream_in_the_instant_it_vanishes_goes_to_another(scene: Scene) -> None:
    stream = await scene.idle()
    work = scene.work()
    await stream.vanish()
    assert stream.has_heard_all
    assert list(scene.lane.waiting) == [work]
    other = await scene.idle()
    assert (await other.hear()).runner_items[0].id == work.id


async def test_work_that_comes_in_the_instant_a_stream_is_closed_goes_to_another(scene: Scene) -> None:
    stream = await scene.idle()
    stream.task.cancel()
    work = scene.work()
    await stream.vanish()
    assert work.is_open
    assert scene.lane.in_flight == 0
    other = await scene.idle()
    assert (await other.hear()).runner_items[0].id == work.id


async def test_a_stream_that_ends_before_its_first_message_is_nothing(scene: Scene) -> None:
    stream = scene.stream()
    stream.half_close()
    await stream.task
    assert scene.asked == []


# Cancellation.


async def test_a_cancelled_item_is_named_on_the_control_stream_and_its_late_outputs_are_dropped(
    scene: Scene,
) -> None:
    control = await scene.control()
    stream, work = await scene.carried(UNARY_STREAMING)
    stream.output("a")
    await settle()
    work.cancel()
    message = await control.hear()
    assert message.status.code == StatusCode.SUCCESS
    (item,) = message.runner_items
    assert item.id == work.id
    assert item.processing_info.status.code == StatusCode.RUNNER_ITEM_CANCELLED
    assert not item.HasField("post_model_outputs_request")
    for _ in range(100):
        stream.output("late")
    await settle()
    assert scene.lane.in_flight == 1
    stream.half_close()
    await stream.task
    assert (scene.lane.in_flight, work.state) == (0, State.CANCELLED)
    assert stream.has_heard_all


async def test_a_control_stream_is_never_given_work(scene: Scene) -> None:
    control = await scene.control()
    work = scene.work()
    assert list(scene.lane.waiting) == [work]
    assert control.has_heard_all
    assert not scene.link.replicas["r1"].is_live


async def test_without_its_control_stream_a_replica_is_told_nothing(scene: Scene) -> None:
    control = await scene.control()
    _, work = await scene.carried(UNARY_STREAMING)
    await control.vanish()
    work.cancel()
    await settle()
    assert control.has_heard_all


# Who may speak.


async def test_admission_sees_metadata_and_the_first_message(scene: Scene) -> None:
    await scene.idle()
    assert scene.asked == [({"authorization": "Key replica-1"}, "runner")]


async def test_a_runner_that_is_not_admitted_hears_the_status_and_its_stream_ends_well(scene: Scene) -> None:
    scene.answer = StatusCode.RUNNER_PERMISSION_DENIED
    stream = await scene.idle()
    message = await stream.hear()
    assert (message.status.code, message.status.description) == (
        StatusCode.RUNNER_PERMISSION_DENIED,
        "Runner permission denied",
    )
    await stream.task
    assert scene.link.replicas == {}


async def test_of_a_credential_that_is_no_good_no_message_is_taken(scene: Scene) -> None:
    scene.refused = StatusCode.CONN_KEY_NOT_FOUND
    stream = scene.stream(runner_id="runner")
    assert (await stream.hear()).status.code == StatusCode.CONN_KEY_NOT_FOUND
    await stream.task
    assert scene.asked == []


async def test_an_error_in_here_never_reaches_the_runner(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """An error code would end the runner's thread for good."""

    def broken(_metadata: Any, _first: Any, _peer: Peer) -> Admission:
        raise KeyError("bug")

    scene.items = RunnerItems(scene.dispatcher, broken, lambda *_: 0)
    stream = await scene.idle()
    await stream.task
    assert [record.getMessage() for record in caplog.records] == ["a runner's stream failed"]


# Runners that their users start.


async def test_a_users_runner_is_the_replica_it_says_it_is(scene: Scene) -> None:
    scene.answer = Admission(scene.link)
    await scene.idle(runner_replica_id="mine")
    await scene.idle(runner_replica_id="mine")
    await scene.idle()
    assert {name: replica.starts for name, replica in scene.link.replicas.items()} == {"mine": 2, "runner": 1}


async def test_a_users_runner_is_gone_with_its_last_stream(scene: Scene) -> None:
    scene.answer = Admission(scene.link)
    control = await scene.control(runner_replica_id="mine")
    stream = await scene.idle(runner_replica_id="mine")
    await stream.vanish()
    assert scene.lane.live_replicas == 1
    await control.vanish()
    assert (scene.lane.live_replicas, scene.link.replicas) == (0, {})


async def test_a_replica_of_a_nodepool_is_gone_with_its_process_only(scene: Scene) -> None:
    stream = await scene.idle()
    await stream.vanish()
    assert list(scene.link.replicas) == ["r1"]


async def test_a_users_runner_asks_anew_when_its_deployment_is_served_otherwise_now(scene: Scene) -> None:
    scene.answer = Admission(scene.link)
    stream = await scene.idle()
    gone = CallerError(StatusCode.DEPLOYMENT_DOES_NOT_EXIST, "It was deleted.")
    scene.dispatcher.close_lane(scene.lane.key, gone)
    assert (await stream.hear()).status.code == StatusCode.RUNNER_NEEDS_RETRY
    await stream.task
