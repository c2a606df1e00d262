"""Faults hit a request on its way: what its client gets, what its model sees, and how it is marked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.access.auth import Authenticator, Caller
from clarifai_emulator.api.call import ApiCall
from clarifai_emulator.api.chain import RequestChain
from clarifai_emulator.api.handlers.inference import Inference
from clarifai_emulator.api.injection import Injector
from clarifai_emulator.api.rpc import rpc_table
from clarifai_emulator.api.transport.peer import NO_PEER
from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.dispatch.dispatcher import Dispatcher
from clarifai_emulator.dispatch.lane import Lane, LaneKey, Replica, Slot
from clarifai_emulator.dispatch.work import State, Work
from clarifai_emulator.errors import CallerError, TransportError
from clarifai_emulator.events import EventBus
from clarifai_emulator.faults import ActiveFault, Fault, Faults
from clarifai_emulator.routing import Ask, Decision, choose
from landscapes import World
from resource_api import StillClock

POOL = ("ada", "cluster", "pool")


class Scene:
    """A deployment in one nodepool, and the faults of its emulator. ``lost`` and ``zeroed``: requests to the
    supervisor."""

    def __init__(self, **config: Any) -> None:
        self.world = World()
        self.world.add_model("ada/app/model")
        self.world.add_nodepool("ada/cluster/pool")
        self.world.add_deployment("ada/deploy-x", "ada/app/model", ["ada/cluster/pool"])
        clock = StillClock()
        self.events = EventBus(clock)
        self.faults = Faults(events=self.events, user_id="ada")
        self.demands: list[Lane] = []
        self.dispatcher = Dispatcher(events=self.events, clock=clock, queue_size=9, on_demand=self.demands.append)
        self.lane = self.dispatcher.lane(LaneKey("ada", "deploy-x", "v1"))
        self.link = self.dispatcher.add_runner((*POOL, "runner"), self.lane)
        self.lost: list[str] = []
        self.zeroed: list[str] = []
        settings = EmulatorConfig(**config)
        self.injector = Injector(
            self.faults,
            events=self.events,
            hold_seconds=settings.hold_seconds,
            lose_replica=self._lose,
            scale_to_zero=self._scale_to_zero,
        )
        self.inference = Inference(route=self._route, events=self.events, config=settings, injector=self.injector)
        self.chain = RequestChain(
            authenticator=Authenticator(user_id="ada", callers={}),
            events=self.events,
            clock=clock,
            injector=self.injector,
        )

    def _route(self, ask: Ask) -> tuple[Decision, Lane]:
        return choose(ask, self.world), self.lane

    def _lose(self, replica: Replica, why: str) -> None:
        self.lost.append(why)
        self.dispatcher.lose(self.link, replica.replica_id, why)

    def _scale_to_zero(self, key: LaneKey, why: str) -> None:
        assert key == self.lane.key
        self.zeroed.append(why)
        for replica in self.link.replicas.values():
            replica.drain()

    def add(self, **fault: Any) -> ActiveFault:
        return self.faults.add(Fault(**{"id": "x", **fault}))

    def replica(self, slots: int = 1, replica_id: str = "replica-1") -> Replica:
        replica = self.dispatcher.connect(self.link, replica_id)
        for _ in range(slots):
            self.dispatcher.hear(replica)
            self.lane.offer(Slot(replica))
        return replica

    def call(self, name: str = "PostModelOutputs") -> ApiCall:
        return ApiCall(rpc_table()[name], {}, 0.0, request_id="r1", caller=Caller("ada"))

    def predict(self, call: ApiCall | None = None) -> asyncio.Task[Any]:
        return asyncio.ensure_future(self.inference.predict(call or self.call(), request()))

    def generate(self) -> asyncio.Task[list[Any]]:
        """Return every output of a stream; the error it ends with is the last."""

        async def collect() -> list[Any]:
            outputs: list[Any] = []
            try:
                async for each in self.inference.generate(self.call("GenerateModelOutputs"), given(request())):
                    outputs.append(each)
            except (CallerError, TransportError) as error:
                outputs.append(error)
            return outputs

        return asyncio.ensure_future(collect())

    async def sent(self, replica_id: str = "replica-1") -> Work:
        """Return the only work that the replica has."""
        await settle()
        (work,) = self.link.replicas[replica_id].busy
        return work

    def injected(self) -> list[dict[str, Any]]:
        return [event.fields for event in self.events.recent("fault.injected")]


def request() -> Any:
    return service_pb2.PostModelOutputsRequest(user_app_id={"app_id": "app"}, model_id="model")


async def given(*requests: Any) -> AsyncIterator[Any]:
    for each in requests:
        yield each


def output(text: str) -> Any:
    response = service_pb2.MultiOutputResponse()
    response.outputs.add().data.text.raw = text
    return response


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def refusal(asking: asyncio.Future[Any]) -> CallerError:
    with pytest.raises(CallerError) as raised:
        await asking
    return raised.value


# Before the handler: any RPC.


async def chained(scene: Scene, name: str = "GetModel") -> tuple[Any, ApiCall]:
    call = scene.chain.begin(rpc_table()[name], {"authorization": "Key abc"}, peer=NO_PEER, seconds_left=None)
    return await scene.chain.unary(call, lambda call, request: call.rpc.response_type(), "request"), call


async def test_a_status_is_answered_instead_of_the_handler_and_marked_everywhere() -> None:
    scene = Scene()
    scene.add(rpc="GetModel", throttle=True, times=1)
    response, call = await chained(scene)
    assert response.status.code == StatusCode.CONN_THROTTLED
    assert response.status.description == "Making too many requests"
    assert response.status.details == "exceeded limit of 15 requests per second (injected by fault 'x')"
    assert call.trailers["x-clarifai-emulator-fault"] == "x"
    assert scene.injected() == [
        {
            "fault_id": "x",
            "rule": "GetModel: status 11005 CONN_THROTTLED, once",
            "request_id": call.request_id,
            "rpc": "GetModel",
            "effect": "status 11005 CONN_THROTTLED",
        }
    ]
    (finished,) = scene.events.recent("request.finished")
    assert (finished.fields["faults"], finished.fields["status"]) == (["x"], StatusCode.CONN_THROTTLED)
    assert (await chained(scene))[0].status.code == StatusCode.SUCCESS


async def test_its_own_message_is_the_text() -> None:
    scene = Scene()
    scene.add(rpc="*", status="CONN_EXCEED_HOURLY_LIMIT", message="Enough for today.")
    response, _ = await chained(scene)
    assert response.status.details == "Enough for today. (injected by fault 'x')"


async def test_a_grpc_status_ends_the_call_and_is_in_the_event_of_its_end() -> None:
    scene = Scene()
    scene.add(rpc="GetModel", grpc="RESOURCE_EXHAUSTED")
    with pytest.raises(TransportError) as raised:
        await chained(scene)
    error = raised.value
    assert (error.name, error.code) == ("RESOURCE_EXHAUSTED", 8)
    assert error.message == "The connection failed (injected by fault 'x')"
    (finished,) = scene.events.recent("request.finished")
    assert finished.fields["grpc_status"] == "RESOURCE_EXHAUSTED"
    assert finished.fields["error"] == error.message


async def test_other_rpcs_and_refused_callers_do_not_get_it() -> None:
    scene = Scene()
    active = scene.add(rpc="GetModel", throttle=True)
    assert (await chained(scene, "ListModels"))[0].status.code == StatusCode.SUCCESS
    stranger = scene.chain.begin(rpc_table()["GetModel"], {}, peer=NO_PEER, seconds_left=None)
    refused = await scene.chain.unary(stranger, lambda call, request: None, "request")
    assert refused.status.code == StatusCode.CONN_INVALID_REQUEST
    assert active.seen == 0


async def test_delays_add_up_before_the_handler() -> None:
    scene = Scene()
    scene.add(id="a", rpc="GetModel", latency=0.02)
    scene.add(id="b", rpc="GetModel", latency="uniform:0.02,0.03", throttle=True)
    began = asyncio.get_running_loop().time()
    response, call = await chained(scene)
    assert asyncio.get_running_loop().time() - began >= 0.04
    assert response.status.code == StatusCode.CONN_THROTTLED
    assert call.trailers["x-clarifai-emulator-fault"] == "a,b"
    first, second = scene.injected()
    assert first["seconds"] == 0.02
    assert 0.02 <= second["seconds"] <= 0.03


async def test_a_stream_gets_it_as_its_only_answer() -> None:
    scene = Scene()
    scene.add(status=21351)
    call = scene.chain.begin(
        rpc_table()["GenerateModelOutputs"], {"authorization": "Key abc"}, peer=NO_PEER, seconds_left=None
    )
    answers = [each async for each in scene.chain.stream(call, lambda c, r: pytest.fail("reached"), given())]
    assert [each.status.details for each in answers] == ["Model deploying (injected by fault 'x')"]


# Between routing and the queue.


async def test_a_fault_of_a_deployment_never_reaches_its_model() -> None:
    scene = Scene()
    replica = scene.replica()
    active = scene.add(deployment="deploy-x", status=21354, message="Busy.")
    error = await refusal(scene.predict())
    assert (error.code, error.message) == (StatusCode.MODEL_BUSY_PLEASE_RETRY, "Busy. (injected by fault 'x')")
    assert (len(replica.idle), replica.busy, active.injected) == (1, set(), 1)


async def test_a_fault_of_another_deployment_changes_nothing() -> None:
    scene = Scene()
    scene.replica()
    scene.add(deployment="deploy-y", status=21354)
    asking = scene.predict()
    (await scene.sent()).accept(output("hello"))
    assert await asking == output("hello")
    assert scene.injected() == []


async def test_a_delay_comes_before_the_queue_and_a_client_that_leaves_meanwhile_never_reaches_it() -> None:
    scene = Scene()
    replica = scene.replica(slots=2)
    scene.add(model="model", latency=0.02)
    asking, leaving = scene.predict(), scene.predict()
    await settle()
    leaving.cancel()
    await asyncio.sleep(0)
    assert replica.busy == set()
    await asyncio.sleep(0.04)
    (await scene.sent()).accept(output("late"))
    assert await asking == output("late")
    assert [event.kind for event in scene.events.recent("work.")] == [
        "work.cancelled",
        "work.sent",
        "work.cancelled",
    ]


async def test_a_full_queue_is_told_also_after_a_delay() -> None:
    scene = Scene()
    scene.lane.refuse(CallerError(StatusCode.MODEL_DEPLOYMENT_FAILED, "Nothing can run it."))
    scene.add(model="model", latency=0.01)
    assert (await refusal(scene.predict())).message == "Nothing can run it."


# Cold starts.


async def test_bounced_although_a_replica_is_ready() -> None:
    scene = Scene()
    replica = scene.replica()
    scene.add(cold_start="bounce", times=1)
    error = await refusal(scene.predict())
    assert error.code == StatusCode.MODEL_DEPLOYING
    assert error.message == "No replica of 'deploy-x' is ready yet (injected by fault 'x')."
    assert (len(replica.idle), scene.lane.bounced) == (1, False)


async def test_bounced_without_a_replica_one_is_wanted() -> None:
    scene = Scene()
    scene.add(cold_start="bounce")
    assert (await refusal(scene.predict())).code == StatusCode.MODEL_DEPLOYING
    assert (scene.lane.bounced, scene.demands) == (True, [scene.lane])


async def test_held_although_the_emulator_bounces() -> None:
    scene = Scene(hold_seconds=0)
    assert (await refusal(scene.predict())).code == StatusCode.MODEL_DEPLOYING
    scene.add(cold_start="hold", latency=0.01)
    asking = scene.predict()
    await asyncio.sleep(0.03)
    assert len(scene.lane.waiting) == 1
    scene.replica()
    (await scene.sent()).accept(output("warm"))
    assert await asking == output("warm")


async def test_scaled_to_zero_the_request_waits_for_a_new_replica() -> None:
    scene = Scene()
    old = scene.replica()
    scene.add(scale_to_zero=True, times=1)
    asking = scene.predict()
    await settle()
    assert scene.zeroed == ["scaled to zero, injected by fault 'x'"]
    assert (old.draining, len(scene.lane.waiting)) == (True, 1)
    scene.replica(replica_id="replica-2")
    (await scene.sent("replica-2")).accept(output("again"))
    assert await asking == output("again")


async def test_scaled_to_zero_and_bounced() -> None:
    scene = Scene()
    scene.replica()
    scene.add(scale_to_zero=True, cold_start="bounce")
    assert (await refusal(scene.predict())).code == StatusCode.MODEL_DEPLOYING
    assert (len(scene.zeroed), scene.lane.bounced) == (1, True)


# Once a replica takes it.


@pytest.mark.parametrize("names", [{"nodepool": "cluster/pool"}, {"replica": "replica-1"}])
async def test_a_fault_of_a_place_is_kept_away_from_the_model_and_its_slot_is_free(names: dict[str, str]) -> None:
    scene = Scene()
    replica = scene.replica()
    scene.add(**names, status=25608, times=1)
    error = await refusal(scene.predict())
    assert error.message == "Runner processing failed (injected by fault 'x')"
    assert (len(replica.idle), replica.busy) == (1, set())
    assert scene.injected()[0]["replica_id"] == "replica-1"
    asking = scene.predict()
    (await scene.sent()).accept(output("hello"))
    assert await asking == output("hello")


async def test_a_slot_whose_work_was_kept_away_takes_the_next_that_waits() -> None:
    scene = Scene()
    scene.add(nodepool="pool", grpc="ABORTED", times=1)
    first, second = scene.predict(), scene.predict()
    await settle()
    scene.replica()
    with pytest.raises(TransportError, match="ABORTED: The connection failed"):
        await first
    (await scene.sent()).accept(output("hello"))
    assert await second == output("hello")


async def test_a_fault_of_another_place_changes_nothing() -> None:
    scene = Scene()
    scene.replica()
    active = scene.add(replica="replica-2", status=25608)
    asking = scene.predict()
    (await scene.sent()).accept(output("hello"))
    assert await asking == output("hello")
    assert active.seen == 0


async def test_a_slow_replica_keeps_its_answer_back() -> None:
    scene = Scene()
    scene.replica()
    scene.add(replica="replica-1", latency=0.05)
    asking = scene.predict()
    (await scene.sent()).accept(output("hello"))
    await asyncio.sleep(0.01)
    assert not asking.done()
    assert await asking == output("hello")


async def test_a_lost_replica_fails_what_it_has_and_takes_nothing_more() -> None:
    scene = Scene()
    replica = scene.replica(slots=2)
    other = scene.predict()
    await scene.sent()
    scene.add(lose_replica=True, times=1)
    for asking in (scene.predict(), other):
        error = await refusal(asking)
        assert error.code == StatusCode.RUNNER_PROCESSING_FAILED
        assert error.details == (
            "Replica replica- ended while it worked on this request: its process was killed "
            "(injected by fault 'x')."
        )
    assert (scene.lost, replica.lost) == (["its process was killed (injected by fault 'x')"], True)


async def test_a_replica_that_is_lost_as_it_becomes_free_leaves_the_rest_waiting() -> None:
    scene = Scene()
    scene.add(lose_replica=True, times=1)
    first, second = scene.predict(), scene.predict()
    await settle()
    scene.replica()
    assert (await refusal(first)).code == StatusCode.RUNNER_PROCESSING_FAILED
    assert len(scene.lane.waiting) == 1
    scene.replica(replica_id="replica-2")
    (await scene.sent("replica-2")).accept(output("hello"))
    assert await second == output("hello")


async def test_a_replica_is_lost_while_it_works_if_it_still_does() -> None:
    scene = Scene()
    scene.replica(slots=2)
    active = scene.add(lose_replica=True, latency=0.02, times=1)
    quick = scene.predict()
    (await scene.sent()).accept(output("quick"))
    assert await quick == output("quick")
    await asyncio.sleep(0.04)
    assert (active.injected, scene.lost, scene.injected()) == (0, [], [])
    slow = scene.predict()
    assert "its process was killed (injected by fault 'x')" in (await refusal(slow)).details
    assert active.injected == 1


# Streams.


@pytest.mark.parametrize("names", [{}, {"model": "model"}, {"nodepool": "pool"}])
async def test_a_stream_is_cut_after_its_chunks_and_the_model_is_told(names: dict[str, str]) -> None:
    scene = Scene()
    told: list[str] = []
    scene.replica().cancel_item = told.append
    scene.add(cut_after=2, **names)
    asking = scene.generate()
    work = await scene.sent()
    assert scene.injected() == []
    for text in "abc":
        work.accept(output(text))
    first, second, error = await asking
    assert (first, second) == (output("a"), output("b"))
    assert isinstance(error, TransportError)
    assert str(error) == "UNAVAILABLE: The stream broke off (injected by fault 'x')"
    assert (work.state, told) == (State.FAILED, [work.id])
    assert scene.injected()[0]["effect"] == "cut after 2 chunks, gRPC UNAVAILABLE"


async def test_a_stream_is_cut_by_a_status() -> None:
    scene = Scene()
    scene.replica()
    scene.add(cut_after=1, status=25608, message="Gone.")
    asking = scene.generate()
    (await scene.sent()).accept(output("a"))
    _, error = await asking
    assert (error.code, error.message) == (25608, "Gone. (injected by fault 'x')")


async def test_a_stream_is_cut_by_losing_its_replica() -> None:
    scene = Scene()
    scene.replica()
    scene.add(cut_after=1, lose_replica=True)
    asking = scene.generate()
    (await scene.sent()).accept(output("a"))
    first, error = await asking
    assert first == output("a")
    assert "its process was killed (injected by fault 'x')" in error.details


async def test_cut_before_its_first_chunk_it_never_reaches_the_model() -> None:
    scene = Scene()
    replica = scene.replica()
    scene.add(cut_after=0)
    (error,) = await scene.generate()
    assert isinstance(error, TransportError)
    assert replica.busy == set()


@pytest.mark.parametrize("names", [{}, {"nodepool": "pool"}])
async def test_a_shorter_stream_is_left_alone_and_the_next_is_cut(names: dict[str, str]) -> None:
    scene = Scene()
    replica = scene.replica(slots=2)
    active = scene.add(cut_after=2, times=1, **names)
    asking = scene.generate()
    work = await scene.sent()
    work.accept(output("a"))
    replica.finish(work)
    replica.release(work)
    assert await asking == [output("a")]
    assert (active.injected, scene.injected()) == (0, [])
    asking = scene.generate()
    work = await scene.sent()
    work.accept(output("a"))
    work.accept(output("b"))
    assert len(await asking) == 3
    assert (active.injected, active.is_used_up) == (1, True)


async def test_a_prediction_is_no_stream() -> None:
    scene = Scene()
    scene.replica()
    active = scene.add(cut_after=0)
    asking = scene.predict()
    (await scene.sent()).accept(output("hello"))
    assert await asking == output("hello")
    assert active.seen == 0
