"""The three inference RPCs, from a routing decision to the outputs: waiting, time limits, clients that leave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import Model, ModelVersion
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.access.auth import Caller
from clarifai_emulator.api.call import ApiCall
from clarifai_emulator.api.handlers.inference import Inference, ask_of
from clarifai_emulator.api.rpc import rpc_table
from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.dispatch.dispatcher import Dispatcher
from clarifai_emulator.dispatch.lane import Lane, LaneKey, Replica, Slot
from clarifai_emulator.dispatch.work import State, Work
from clarifai_emulator.errors import CallerError
from clarifai_emulator.events import EventBus
from clarifai_emulator.routing import Ask, Decision, RoutingError, choose
from landscapes import World
from resource_api import StillClock

POOL = ("ada", "cluster", "pool")


class Scene:
    """A deployment in one nodepool. Routing is the real one, over a world in memory."""

    def __init__(self, **config: Any) -> None:
        self.world = World()
        self.world.add_model("ada/app/model")
        self.world.add_nodepool("ada/cluster/pool")
        self.world.add_deployment("ada/deploy-x", "ada/app/model", ["ada/cluster/pool"])
        self.events = EventBus(StillClock())
        self.dispatcher = Dispatcher(events=self.events, clock=StillClock(), queue_size=9)
        self.lane = self.dispatcher.lane(LaneKey("ada", "deploy-x", "v1"))
        self.link = self.dispatcher.add_runner((*POOL, "runner"), self.lane)
        self.inference = Inference(route=self.route, events=self.events, config=EmulatorConfig(**config))
        self.call = ApiCall(rpc_table()["PostModelOutputs"], {}, 0.0, request_id="r1", caller=Caller("ada"))

    def route(self, ask: Ask) -> tuple[Decision, Lane]:
        return choose(ask, self.world), self.lane

    def replica(self, slots: int = 1) -> Replica:
        replica = self.dispatcher.connect(self.link, "replica-1")
        for _ in range(slots):
            self.dispatcher.hear(replica)
            self.lane.offer(Slot(replica))
        return replica

    async def sent(self) -> Work:
        """Return the only work that the replica has."""
        await settle()
        (work,) = self.link.replicas["replica-1"].busy
        return work

    def predict(self) -> asyncio.Task[Any]:
        return asyncio.ensure_future(self.inference.predict(self.call, request()))

    def generate(self) -> AsyncIterator[Any]:
        return self.inference.generate(self.call, given(request()))


def request(model_id: str = "model", **fields: Any) -> Any:
    return service_pb2.PostModelOutputsRequest(user_app_id={"app_id": "app"}, model_id=model_id, **fields)


async def given(*requests: Any) -> AsyncIterator[Any]:
    for each in requests:
        yield each


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def output(text: str) -> Any:
    response = service_pb2.MultiOutputResponse()
    response.outputs.add().data.text.raw = text
    return response


# Each kind of request.


async def test_predict_answers_with_the_runners_output_and_says_who_made_it() -> None:
    scene = Scene()
    scene.replica()
    asking = scene.predict()
    work = await scene.sent()
    work.accept(output("hello"))
    work.finish()
    assert await asking == output("hello")
    assert scene.call.trailers == {
        "x-clarifai-emulator-rule": "owner_default",
        "x-clarifai-emulator-replica": "replica-1",
        "x-clarifai-emulator-nodepool": "ada/cluster/pool",
    }
    assert scene.call.notes == {
        "method": "",
        "rule": "owner_default",
        "replica_id": "replica-1",
        "nodepool": "ada/cluster/pool",
    }
    (event,) = scene.events.recent("route.decided")
    assert (event.fields["request_id"], event.fields["rule"]) == ("r1", "owner_default")


async def test_the_runner_is_told_of_the_model_unless_the_client_says_it_itself() -> None:
    scene = Scene()
    scene.replica(slots=2)
    known = Model(id="model", model_version=ModelVersion(id="v1"))
    inference = Inference(
        route=scene.route, events=scene.events, config=EmulatorConfig(), model_of=lambda decision: known
    )
    for given_model, told in ((None, known), (known, None)):
        asking = asyncio.ensure_future(inference.predict(scene.call, request(model=given_model)))
        work = await scene.sent()
        assert work.model == told
        work.accept(output("hello"))
        scene.link.replicas["replica-1"].finish(work)
        scene.link.replicas["replica-1"].release(work)
        await asking


async def test_generate_passes_each_output_on_as_it_comes() -> None:
    scene = Scene()
    scene.replica()
    answers = scene.generate()
    first = asyncio.ensure_future(anext(answers))
    work = await scene.sent()
    work.accept(output("a"))
    assert await first == output("a")
    work.accept(output("b"))
    work.finish()
    assert [each async for each in answers] == [output("b")]


async def test_stream_hands_the_further_messages_of_the_client_to_the_work_unread() -> None:
    scene = Scene()
    scene.replica()
    answers = scene.inference.stream(scene.call, given(request(), request("second")))
    first = asyncio.ensure_future(anext(answers))
    work = await scene.sent()
    assert work.more is not None
    assert [each.model_id async for each in work.more] == ["second"]
    work.finish()
    with pytest.raises(StopAsyncIteration):
        await first


async def test_a_stream_without_a_message_is_answered_with_none() -> None:
    scene = Scene()
    assert [each async for each in scene.inference.stream(scene.call, given())] == []
    assert scene.events.last_seq == 0


async def test_an_equal_request_that_asks_for_the_cache_reaches_no_replica() -> None:
    scene = Scene()
    scene.replica(slots=2)
    asked = request(use_predict_cache=True)
    first = asyncio.ensure_future(scene.inference.predict(scene.call, asked))
    work = await scene.sent()
    work.accept(output("hello"))
    work.finish()
    await first
    call = ApiCall(rpc_table()["PostModelOutputs"], {}, 0.0, request_id="r2", caller=Caller("ada"))
    assert await scene.inference.predict(call, asked) == output("hello")
    assert call.notes == {"method": "", "rule": "owner_default", "cached": True}
    assert [each.fields["request_id"] for each in scene.events.recent("route.decided")] == ["r1", "r2"]
    again = asyncio.ensure_future(scene.inference.predict(call, request()))
    await settle()
    assert not again.done(), "one that does not ask for it goes to the model"
    again.cancel()


async def test_what_code_in_the_dev_loop_answers_is_not_kept() -> None:
    scene = Scene()
    scene.replica(slots=2)
    for _ in range(2):
        asking = asyncio.ensure_future(scene.inference.predict(scene.call, request(use_predict_cache=True)))
        work = await scene.sent()
        work.code = "abc"
        work.accept(output("hello"))
        work.finish()
        scene.link.replicas["replica-1"].release(work)
        assert await asking == output("hello")


@pytest.mark.parametrize("rpc", ["predict", "generate", "stream"])
async def test_a_request_has_128_inputs_at_most(rpc: str) -> None:
    scene = Scene(hold_seconds=0)

    async def ask(inputs: int) -> CallerError:
        asked = request(inputs=[{"data": {}}] * inputs)
        if rpc == "predict":
            answer = scene.inference.predict(scene.call, asked)
        else:
            answer = anext(getattr(scene.inference, rpc)(scene.call, given(asked)))
        with pytest.raises(CallerError) as raised:
            await answer
        return raised.value

    assert (await ask(128)).code == StatusCode.MODEL_DEPLOYING
    error = await ask(129)
    assert error.code == StatusCode.MODEL_INVALID_REQUEST
    assert error.message == ("The request has 129 inputs; it may have 128 at most. Send them in several requests.")


@pytest.mark.parametrize("streams", [False, True])
async def test_an_answer_that_is_too_large_is_made_to_fit(streams: bool) -> None:
    scene = Scene(max_message_bytes=2000)
    scene.replica()
    asking = asyncio.ensure_future(anext(scene.generate())) if streams else scene.predict()
    work = await scene.sent()
    work.accept(output("x" * 3000))
    work.finish()
    answer: Any = await asking
    assert answer.ByteSize() <= 2000
    assert answer.outputs[0].data.text.raw.endswith("[TRUNCATED - output exceeded size limit]")


async def test_a_runner_that_finishes_without_an_output_is_no_success() -> None:
    scene = Scene()
    scene.replica()
    asking = scene.predict()
    (await scene.sent()).finish()
    with pytest.raises(CallerError, match="The runner answered without an output") as raised:
        await asking
    assert raised.value.code == StatusCode.RUNNER_PROCESSING_FAILED


async def test_a_request_that_cannot_be_routed_is_an_event_with_the_reason() -> None:
    scene = Scene()
    with pytest.raises(RoutingError):
        await scene.inference.predict(scene.call, request("unknown"))
    (event,) = scene.events.recent("route.refused")
    assert event.fields["request_id"] == "r1"


# Waiting for a replica.


async def test_a_request_is_held_until_a_replica_is_there() -> None:
    scene = Scene(hold_seconds=60)
    asking = scene.predict()
    await settle()
    assert len(scene.lane.waiting) == 1
    scene.replica()
    work = await scene.sent()
    work.accept(output("hello"))
    assert await asking == output("hello")


@pytest.mark.parametrize("seconds", [0, 0.01])
async def test_a_request_that_no_replica_took_in_time_is_answered_model_deploying(seconds: float) -> None:
    scene = Scene(hold_seconds=seconds)
    scene.lane.pending_reason = "deployment 'deploy-x': nodepool 'pool' is full"
    with pytest.raises(CallerError) as raised:
        await scene.predict()
    assert raised.value.code == StatusCode.MODEL_DEPLOYING
    assert raised.value.message == (
        f"No replica of 'deploy-x' was ready within {seconds:g} s. deployment 'deploy-x': nodepool 'pool' is full. "
        "`clarifai-emulator status` shows what it is waiting for."
    )
    assert list(scene.lane.waiting) == []
    assert scene.lane.bounced


async def test_a_request_that_a_replica_works_on_is_not_sent_away() -> None:
    scene = Scene(hold_seconds=0.01)
    asking = scene.predict()
    await settle()
    scene.replica()
    await asyncio.sleep(0.02)
    work = await scene.sent()
    work.accept(output("late"))
    assert await asking == output("late")


async def test_a_request_that_waited_long_for_busy_replicas_is_told_to_try_again() -> None:
    scene = Scene(hold_seconds=5)
    replica = scene.replica()
    busy = scene.predict()
    await scene.sent()
    with pytest.raises(CallerError) as raised:
        await scene.predict()
    assert raised.value.code == StatusCode.MODEL_BUSY_PLEASE_RETRY
    assert raised.value.message == (
        "The replica of 'deploy-x' was busy for 5 s. Try again in a moment, raise max_replicas of the deployment, "
        "or start the emulator with a larger --hold-seconds."
    )
    assert (list(scene.lane.waiting), len(replica.busy)) == ([], 1)
    busy.cancel()
    await asyncio.gather(busy, return_exceptions=True)


async def test_a_request_that_a_busy_replica_takes_in_time_may_take_longer() -> None:
    scene = Scene(hold_seconds=5)
    replica = scene.replica()
    first = scene.predict()
    work = await scene.sent()
    second = scene.predict()
    await settle()
    work.accept(output("first"))
    replica.finish(work)
    replica.release(work)
    scene.lane.offer(Slot(replica))
    assert await first == output("first")
    await asyncio.sleep(10)
    (work,) = replica.busy
    work.accept(output("second"))
    assert await second == output("second")


async def test_a_request_that_waits_for_a_busy_replica_is_not_sent_away() -> None:
    scene = Scene(hold_seconds=0)
    replica = scene.replica()
    busy = scene.predict()
    await scene.sent()
    waiting = scene.predict()
    await settle()
    assert len(scene.lane.waiting) == 1
    busy.cancel()
    waiting.cancel()
    await asyncio.gather(busy, waiting, return_exceptions=True)
    assert len(replica.busy) == 1


# The end of a client's patience, and of ours.


async def test_a_request_that_takes_too_long_is_answered_and_the_model_is_told() -> None:
    scene = Scene(request_seconds=0.01)
    told: list[str] = []
    scene.replica().cancel_item = told.append
    asking = scene.predict()
    work = await scene.sent()
    with pytest.raises(CallerError) as raised:
        await asking
    assert raised.value.code == StatusCode.RPC_REQUEST_TIMEOUT
    assert raised.value.message == (
        "The model had not answered after 0.01 s, the longest a request may take. Start the emulator with a larger "
        "--request-seconds if that is not enough."
    )
    assert told == [work.id]


async def test_a_client_that_leaves_cancels_its_work() -> None:
    scene = Scene()
    told: list[str] = []
    scene.replica().cancel_item = told.append
    asking = scene.predict()
    work = await scene.sent()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert (work.state, told) == (State.CANCELLED, [work.id])


async def test_a_client_that_leaves_between_two_outputs_cancels_its_work() -> None:
    scene = Scene()
    scene.replica()
    answers: Any = scene.generate()
    first = asyncio.ensure_future(anext(answers))
    work = await scene.sent()
    work.accept(output("a"))
    await first
    await answers.aclose()
    assert work.state is State.CANCELLED


# What a request says about where it wants to go.


def test_an_ask_names_model_caller_and_seed_with_me_resolved() -> None:
    scene = Scene()
    ask = ask_of(scene.call, request(version_id="v7"))
    assert (ask.caller, ask.model_user, ask.model_app, ask.model_id) == ("ada", "ada", "app", "model")
    assert (ask.version_id, ask.seed) == ("v7", "r1")
    assert (ask.deployment, ask.nodepool, ask.runner_id) == (None, None, "")


def test_an_ask_reads_every_selector() -> None:
    scene = Scene()
    by_deployment = request(runner_selector={"deployment": {"id": "d", "user_id": "me"}})
    assert ask_of(scene.call, by_deployment).deployment == ("ada", "d")
    place = {"id": "p", "compute_cluster": {"id": "c", "user_id": "bob"}}
    by_nodepool = request(runner_selector={"nodepool": place, "runner": {"id": "r"}})
    assert ask_of(scene.call, by_nodepool).nodepool == ("bob", "c", "p")
    assert ask_of(scene.call, by_nodepool).runner_id == "r"
    by_model = request(model={"model_version": {"id": "v9"}})
    assert ask_of(scene.call, by_model).version_id == "v9"
