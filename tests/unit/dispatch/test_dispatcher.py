"""The registry between routing and runners: lanes, runners, replicas and their credentials."""

from __future__ import annotations

import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode
from hypothesis import given
from hypothesis import strategies as st

from clarifai_emulator.dispatch.dispatcher import Dispatcher
from clarifai_emulator.dispatch.lane import Lane, LaneKey, Replica, Slot
from clarifai_emulator.dispatch.work import UNARY_UNARY, State, Work
from clarifai_emulator.errors import CallerError
from clarifai_emulator.events import EventBus
from clarifai_emulator.messages.address import RunnerKey
from resource_api import StillClock

POOL = ("ada", "cluster", "pool")
RUNNER = (*POOL, "runner")
KEY = LaneKey("ada", "deploy-x", "v1")
GONE = CallerError(StatusCode.DEPLOYMENT_DOES_NOT_EXIST, "It was deleted.")


class Scene:
    def __init__(self) -> None:
        self.events = EventBus(StillClock())
        self.demands: list[Lane] = []
        self.changes: list[Replica] = []
        self.dispatcher = Dispatcher(
            events=self.events,
            clock=StillClock(),
            queue_size=3,
            on_demand=self.demands.append,
            on_replica=self.changes.append,
        )
        self.lane = self.dispatcher.lane(KEY)
        self.link = self.dispatcher.add_runner(RUNNER, self.lane)

    def busy_replica(self, replica_id: str) -> tuple[Replica, Work]:
        """Return a replica that works on one request."""
        replica = self.dispatcher.connect(self.link, replica_id)
        self.dispatcher.hear(replica)
        self.lane.offer(Slot(replica))
        return replica, self.submit()

    def submit(self) -> Work:
        work = Work("request", method_type=UNARY_UNARY, events=self.events, nodepools=(POOL,))
        self.lane.submit(work)
        return work


@pytest.fixture
async def scene() -> Scene:
    return Scene()


async def test_a_deployment_has_one_lane_per_version(scene: Scene) -> None:
    assert scene.dispatcher.lane(KEY) is scene.lane
    assert scene.dispatcher.lane(KEY._replace(version_id="v2")) is not scene.lane
    assert scene.dispatcher.find_lane(KEY) is scene.lane
    assert scene.dispatcher.find_lane(KEY._replace(version_id="v3")) is None


async def test_demand_of_a_lane_reaches_whoever_listens(scene: Scene) -> None:
    scene.submit()
    assert scene.demands == [scene.lane]


async def test_a_replica_is_ready_with_its_first_idle_stream_and_that_is_told_once(scene: Scene) -> None:
    replica = scene.dispatcher.connect(scene.link, "r1")
    assert not replica.is_live
    scene.dispatcher.hear(replica)
    scene.dispatcher.hear(replica)
    assert scene.dispatcher.connect(scene.link, "r1") is replica
    assert scene.changes == [replica]
    assert [event.fields for event in scene.events.recent("replica.ready")] == [
        {"replica_id": "r1", "runner_id": "runner"}
    ]


async def test_when_a_replica_is_lost_its_requests_are_told_and_not_repeated(scene: Scene) -> None:
    replica, work = scene.busy_replica("0123456789abcdef")
    scene.changes.clear()
    scene.dispatcher.lose(scene.link, "0123456789abcdef", "its process exited with code 3")
    assert (replica.is_live, scene.changes, scene.link.replicas) == (False, [replica], {})
    assert replica.drained.is_set()
    with pytest.raises(CallerError) as raised:
        await anext(work.outputs())
    assert raised.value.code == StatusCode.RUNNER_PROCESSING_FAILED
    assert str(raised.value) == (
        "Replica 01234567 ended while it worked on this request: its process exited with code 3. The request was "
        "not repeated, because part of it may have run; see `clarifai-emulator logs`."
    )


async def test_another_replica_does_not_notice(scene: Scene) -> None:
    scene.busy_replica("one")
    _, work = scene.busy_replica("two")
    scene.dispatcher.lose(scene.link, "one", "it ended")
    scene.dispatcher.lose(scene.link, "unknown", "it ended")
    assert work.state is State.SENT


async def test_a_runner_that_is_removed_is_sent_no_more_work(scene: Scene) -> None:
    replica = scene.dispatcher.connect(scene.link, "r1")
    scene.lane.offer(Slot(replica))
    scene.dispatcher.remove_runner(RUNNER)
    scene.dispatcher.remove_runner(RUNNER)
    assert scene.dispatcher.runner(RUNNER) is None
    assert scene.submit().state is State.QUEUED


async def test_closing_a_lane_answers_who_waits_and_who_is_served(scene: Scene) -> None:
    _, served = scene.busy_replica("r1")
    waiting = scene.submit()
    scene.dispatcher.close_lane(KEY, GONE)
    scene.dispatcher.close_lane(KEY, GONE)
    assert (served.state, waiting.state) == (State.FAILED, State.FAILED)
    assert [event.fields["error"] for event in scene.events.recent("work.failed")] == ["It was deleted."] * 2
    assert scene.dispatcher.find_lane(KEY) is None
    assert scene.dispatcher.runner(RUNNER) is None
    with pytest.raises(CallerError, match="It was deleted"):
        scene.submit()


async def test_a_credential_is_for_one_replica_until_it_is_revoked(scene: Scene) -> None:
    first = scene.dispatcher.issue_credential(RUNNER)
    second = scene.dispatcher.issue_credential(RUNNER)
    assert first.token != second.token
    assert first.replica_id != second.replica_id
    assert scene.dispatcher.credential(first.token) == first
    scene.dispatcher.revoke(first)
    scene.dispatcher.revoke(first)
    assert scene.dispatcher.credential(first.token) is None
    assert scene.dispatcher.credential(second.token) == second


async def test_reset_forgets_lanes_runners_and_credentials(scene: Scene) -> None:
    credential = scene.dispatcher.issue_credential(RUNNER)
    scene.dispatcher.reset()
    assert scene.dispatcher.find_lane(KEY) is None
    assert scene.dispatcher.runner(RUNNER) is None
    assert scene.dispatcher.credential(credential.token) is None


async def test_the_idle_streams_of_a_removed_runner_are_dismissed_so_that_it_can_ask_anew(scene: Scene) -> None:
    replica = scene.dispatcher.connect(scene.link, "r1")
    slot = Slot(replica)
    scene.lane.offer(slot)
    scene.dispatcher.remove_runner(RUNNER)
    assert slot.work.cancelled()
    assert list(replica.idle) == []


@given(keys=st.lists(st.tuples(*[st.sampled_from("ab")] * 4), unique=True))
def test_runners_that_share_any_part_of_their_key_are_told_apart(keys: list[RunnerKey]) -> None:
    dispatcher = Dispatcher(events=EventBus(StillClock()), clock=StillClock(), queue_size=1)
    links = {key: dispatcher.add_runner(key, dispatcher.lane(LaneKey(*key[:3]))) for key in keys}
    credentials = {key: dispatcher.issue_credential(key) for key in keys}
    assert {key: dispatcher.runner(key) for key in keys} == links
    for key, link in links.items():
        assert (*link.nodepool, link.runner_id) == key
        assert link.lane.runners[key] is link
    for key in keys[::2]:
        dispatcher.remove_runner(key)
    assert [key for key in keys if dispatcher.runner(key)] == keys[1::2]
    dispatcher.reset(keep=keys[:1])
    assert [key for key in keys if dispatcher.credential(credentials[key].token)] == keys[:1]
