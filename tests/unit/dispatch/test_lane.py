"""The queue of a deployment: who gets which work, in which order, and who is sent away."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from clarifai_emulator.dispatch.lane import Lane, LaneKey, Replica, RunnerLink, Slot
from clarifai_emulator.dispatch.work import UNARY_UNARY, State, Work
from clarifai_emulator.errors import CallerError
from clarifai_emulator.events import EventBus
from resource_api import StillClock

POOL, OTHER_POOL = ("ada", "cluster", "pool"), ("ada", "cluster", "other")
BROKEN = CallerError(StatusCode.MODEL_DEPLOYMENT_FAILED, "No replica can be started.")


class Scene:
    """A lane, and short ways to put runners, replicas and work into it."""

    def __init__(self, queue_size: int = 10) -> None:
        self.clock = StillClock()
        self.events = EventBus(self.clock)
        self.demands = 0
        self.lane = Lane(
            LaneKey("ada", "deploy-x", "v1"), queue_size=queue_size, clock=self.clock, on_demand=self._demand
        )

    def _demand(self, lane: Lane) -> None:
        assert lane is self.lane
        self.demands += 1

    def runner(self, runner_id: str = "runner", nodepool: tuple[str, str, str] = POOL) -> RunnerLink:
        key = (*nodepool, runner_id)
        link = self.lane.runners[key] = RunnerLink(key, self.lane)
        return link

    def replica(self, link: RunnerLink, replica_id: str = "replica", idle: int = 0) -> Replica:
        replica = link.replicas[replica_id] = Replica(replica_id, link, starts=1)
        for _ in range(idle):
            self.slot(replica)
        return replica

    def slot(self, replica: Replica, *behind: Work) -> Slot:
        slot = Slot(replica, behind)
        self.lane.offer(slot)
        return slot

    def work(self, *nodepools: tuple[str, str, str], **fields: Any) -> Work:
        return Work(
            "request", method_type=UNARY_UNARY, events=self.events, nodepools=nodepools or (POOL,), **fields
        )

    def submit(self, *nodepools: tuple[str, str, str], **fields: Any) -> Work:
        work = self.work(*nodepools, **fields)
        self.lane.submit(work)
        return work


@pytest.fixture
async def scene() -> Scene:
    """Return a scene; slots hold futures, so there must be a loop."""
    return Scene()


async def test_work_goes_to_a_free_slot_at_once(scene: Scene) -> None:
    replica = scene.replica(scene.runner())
    slot = scene.slot(replica)
    work = scene.submit()
    assert slot.work.result() is work
    assert (work.state, work.replica_id) == (State.SENT, "replica")
    assert (list(replica.idle), replica.busy, scene.lane.in_flight) == ([], {work}, 1)
    assert scene.demands == 0


async def test_work_without_a_free_slot_waits_and_asks_for_a_replica(scene: Scene) -> None:
    first, second = scene.submit(), scene.submit()
    assert list(scene.lane.waiting) == [first, second]
    assert scene.demands == 2
    slot = scene.slot(scene.replica(scene.runner()))
    assert slot.work.result() is first
    assert list(scene.lane.waiting) == [second]


async def test_the_least_busy_replica_gets_the_work(scene: Scene) -> None:
    link = scene.runner()
    one, two = scene.replica(link, "one", idle=3), scene.replica(link, "two", idle=3)
    taken = [scene.submit().replica_id for _ in range(4)]
    assert Counter(taken) == {"one": 2, "two": 2}
    assert (len(one.busy), len(two.busy)) == (2, 2)


async def test_the_most_preferred_nodepool_with_a_free_slot_gets_the_work(scene: Scene) -> None:
    scene.replica(scene.runner("here", POOL), "here", idle=1)
    scene.replica(scene.runner("there", OTHER_POOL), "there", idle=2)
    preferred = [scene.submit(OTHER_POOL, POOL).replica_id for _ in range(3)]
    assert preferred == ["there", "there", "here"]


async def test_a_stream_beside_other_items_gets_work_when_these_have_ended(scene: Scene) -> None:
    replica = scene.replica(scene.runner(), idle=2)
    first, second = scene.submit(), scene.submit()
    behind, third = scene.slot(replica, first, second), scene.submit()
    assert (list(replica.idle), third.state) == ([], State.QUEUED)
    replica.finish(first)
    replica.release(first)
    assert third.state is State.QUEUED
    replica.finish(second)
    replica.release(second)
    assert behind.work.result() is third


async def test_a_stream_beside_a_long_item_gets_work_when_it_has_rested(scene: Scene) -> None:
    link = scene.runner()
    link.threads = 2
    replica = scene.replica(link, idle=1)
    long = scene.submit()
    slot, work = scene.slot(replica, long), scene.submit()
    assert work.state is State.QUEUED
    slot.rest()
    assert slot.work.result() is work


async def test_of_more_streams_than_threads_one_is_behind_an_item_however_long_it_rests(scene: Scene) -> None:
    link = scene.runner()
    link.threads = 2
    replica = scene.replica(link, idle=2)
    first, second = scene.submit(), scene.submit()
    slot, third = scene.slot(replica, first, second), scene.submit()
    slot.rest()
    assert third.state is State.QUEUED
    replica.finish(first)
    replica.release(first)
    assert slot.work.result() is third


async def test_a_stream_that_is_behind_an_item_can_go_away(scene: Scene) -> None:
    replica = scene.replica(scene.runner(), idle=1)
    first = scene.submit()
    slot, second = scene.slot(replica, first), scene.submit()
    replica.withdraw(slot)
    slot.rest()
    replica.release(first)
    assert (second.state, list(replica.early)) == (State.QUEUED, [])


async def test_replicas_that_are_equally_busy_take_turns(scene: Scene) -> None:
    link = scene.runner()
    for replica_id in ("a", "b", "c"):
        scene.replica(link, replica_id, idle=2)
    assert [scene.submit().replica_id for _ in range(6)] == ["a", "b", "c", "a", "b", "c"]


async def test_the_stream_that_is_idle_longest_gets_the_work(scene: Scene) -> None:
    replica = scene.replica(scene.runner())
    first, second = scene.slot(replica), scene.slot(replica)
    work = scene.submit()
    assert first.work.result() is work
    assert not second.work.done()


async def test_a_slot_skips_waiting_work_that_may_not_run_there(scene: Scene) -> None:
    not_here, pinned, mine = scene.submit(OTHER_POOL), scene.submit(runner_id="another"), scene.submit()
    slot = scene.slot(scene.replica(scene.runner()))
    assert slot.work.result() is mine
    assert list(scene.lane.waiting) == [not_here, pinned]


async def test_a_full_queue_refuses_by_name_and_number() -> None:
    scene = Scene(queue_size=2)
    scene.submit()
    scene.submit()
    with pytest.raises(CallerError) as raised:
        scene.submit()
    assert raised.value.code == StatusCode.MODEL_BUSY_PLEASE_RETRY
    assert str(raised.value) == (
        "Deployment 'deploy-x' has 2 requests waiting, which is all its queue holds. Try again in a moment, raise "
        "max_replicas of the deployment, or start the emulator with a larger --queue-size."
    )
    assert len(scene.lane.waiting) == 2


async def test_a_client_that_goes_away_leaves_the_queue(scene: Scene) -> None:
    work = scene.submit()
    work.cancel()
    assert list(scene.lane.waiting) == []
    assert not scene.slot(scene.replica(scene.runner())).work.done()


async def test_a_client_that_goes_away_later_is_told_to_the_model_and_its_slot_stays_busy(scene: Scene) -> None:
    replica = scene.replica(scene.runner(), idle=1)
    told: list[str] = []
    replica.cancel_item = told.append
    work = scene.submit()
    work.cancel()
    assert told == [work.id]
    assert replica.busy == {work}
    replica.release(work)
    assert replica.busy == set()


async def test_without_a_control_stream_a_cancellation_waits_for_the_model(scene: Scene) -> None:
    replica = scene.replica(scene.runner(), idle=1)
    work = scene.submit()
    work.cancel()
    assert replica.busy == {work}


@pytest.mark.parametrize("why_not", ["draining", "lost"])
async def test_a_replica_that_drains_or_is_lost_gets_nothing_new(scene: Scene, why_not: str) -> None:
    replica = scene.replica(scene.runner(), idle=1)
    setattr(replica, why_not, True)
    work = scene.submit()
    assert list(scene.lane.waiting) == [work]


async def test_a_draining_replica_is_given_no_waiting_work_either(scene: Scene) -> None:
    scene.submit()
    replica = scene.replica(scene.runner())
    replica.drain()
    assert not scene.slot(replica).work.done()


async def test_a_lost_replica_whose_process_still_lives_is_given_no_waiting_work(scene: Scene) -> None:
    replica = scene.replica(scene.runner())
    work = scene.submit()
    replica.lost = True
    slot = scene.slot(replica)
    assert slot.work.cancelled()  # its stream asks anew
    assert list(scene.lane.waiting) == [work]


async def test_a_replica_is_drained_when_what_it_works_on_is_done(scene: Scene) -> None:
    replica = scene.replica(scene.runner(), idle=2)
    first, second = scene.submit(), scene.submit()
    replica.drain()
    replica.release(first)
    assert not replica.drained.is_set()
    replica.release(second)
    assert replica.drained.is_set()


async def test_a_hung_replica_is_drained_when_nobody_waits_for_what_it_works_on(scene: Scene) -> None:
    replica = scene.replica(scene.runner(), idle=3)
    hangs, goes_on, is_left = scene.submit(), scene.submit(), scene.submit()
    hangs.cancel()
    replica.drain()
    replica.give_up()
    assert not replica.drained.is_set(), "others still wait for theirs"
    replica.finish(goes_on)
    replica.release(goes_on)
    assert not replica.drained.is_set()
    is_left.cancel()
    assert replica.drained.is_set()


async def test_abandoned_work_counts_from_when_its_client_went_until_the_model_is_through(scene: Scene) -> None:
    replica = scene.replica(scene.runner(), idle=1)
    work = scene.submit()
    scene.clock.seconds += 5
    demands = scene.demands
    work.cancel()
    assert replica.abandoned == {work: scene.clock.monotonic()}
    assert scene.demands == demands + 1, "whoever replaces hung replicas looks at it"
    replica.release(work)
    assert replica.abandoned == {}


async def test_an_idle_replica_is_drained_at_once(scene: Scene) -> None:
    replica = scene.replica(scene.runner(), idle=1)
    replica.drain()
    assert replica.drained.is_set()
    assert scene.lane.live_replicas == 0


async def test_a_replica_is_live_from_its_first_idle_stream_until_it_is_lost(scene: Scene) -> None:
    replica = scene.replica(scene.runner())
    replica.starts = 0
    assert (replica.is_live, scene.lane.live_replicas) == (False, 0)
    replica.starts = 1
    assert (replica.is_live, scene.lane.live_replicas) == (True, 1)
    replica.lost = True
    assert (replica.is_live, scene.lane.live_replicas) == (False, 0)


async def test_unsent_work_goes_back_to_the_front_of_the_queue(scene: Scene) -> None:
    replica = scene.replica(scene.runner(), idle=1)
    unsent = scene.submit()
    later = scene.submit()
    replica.release(unsent)
    scene.lane.return_unsent(unsent)
    assert list(scene.lane.waiting) == [unsent, later]
    assert unsent.state is State.QUEUED
    unsent.cancel()
    assert list(scene.lane.waiting) == [later]


async def test_unsent_work_takes_another_free_slot_at_once(scene: Scene) -> None:
    link = scene.runner()
    gone = scene.replica(link, "gone", idle=1)
    unsent = scene.submit()
    gone.lost = True
    scene.replica(link, "other", idle=1)
    gone.release(unsent)
    scene.lane.return_unsent(unsent)
    assert (unsent.state, unsent.replica_id) == (State.SENT, "other")


async def test_unsent_work_that_its_client_has_cancelled_is_not_done_again(scene: Scene) -> None:
    scene.replica(scene.runner(), idle=1)
    unsent = scene.submit()
    unsent.cancel()
    scene.lane.return_unsent(unsent)
    assert list(scene.lane.waiting) == []
    assert unsent.state is State.CANCELLED


async def test_unsent_work_is_refused_when_no_replica_can_be_started_any_more(scene: Scene) -> None:
    scene.replica(scene.runner(), idle=1)
    unsent = scene.submit()
    scene.lane.refuse(BROKEN)
    scene.lane.return_unsent(unsent)
    assert list(scene.lane.waiting) == []
    with pytest.raises(CallerError, match="No replica can be started"):
        await anext(unsent.outputs())


async def test_a_refusal_is_told_to_who_waits_and_to_who_comes_until_it_is_taken_back(scene: Scene) -> None:
    waiting = scene.submit()
    scene.lane.refuse(BROKEN)
    with pytest.raises(CallerError, match="No replica can be started"):
        await anext(waiting.outputs())
    with pytest.raises(CallerError, match="No replica can be started"):
        scene.submit()
    scene.lane.accept()
    assert scene.submit().state is State.QUEUED


async def test_a_bounced_request_gets_its_error_and_still_asks_for_a_replica(scene: Scene) -> None:
    work = scene.submit()
    scene.lane.bounce(work, CallerError(StatusCode.MODEL_DEPLOYING, "Not yet."))
    assert (list(scene.lane.waiting), scene.lane.bounced, scene.demands) == ([], True, 2)
    with pytest.raises(CallerError, match="Not yet"):
        await anext(work.outputs())
    scene.slot(scene.replica(scene.runner()))
    assert not scene.lane.bounced


async def test_latency_is_a_moving_average_in_milliseconds(scene: Scene) -> None:
    link = scene.runner()
    replica = scene.replica(link)
    for took in (0.1, 0.2):
        scene.slot(replica)
        work = scene.submit()
        scene.clock.seconds += took
        replica.finish(work)
        replica.release(work)
    assert link.latency_ms == pytest.approx(0.9 * 100 + 0.1 * 200, rel=1e-3)
    assert replica.completed == 2


async def test_only_what_was_finished_counts_as_completed(scene: Scene) -> None:
    replica = scene.replica(scene.runner(), idle=1)
    work = scene.submit()
    work.fail(BROKEN)
    replica.release(work)
    assert replica.completed == 0


async def test_a_lane_knows_when_a_request_last_came_or_ended(scene: Scene) -> None:
    assert scene.lane.last_active is None
    replica = scene.replica(scene.runner(), idle=1)
    work = scene.submit()
    assert scene.lane.last_active == scene.clock.seconds
    scene.clock.seconds += 5
    replica.release(work)
    assert scene.lane.last_active == scene.clock.seconds


async def test_an_answered_request_has_ended_though_its_stream_goes_on(scene: Scene) -> None:
    link = scene.runner()
    replica = scene.replica(link, idle=1)
    work = scene.submit()
    scene.clock.seconds += 0.1
    replica.finish(work)
    answered = scene.clock.seconds
    scene.clock.seconds += 5
    replica.release(work)
    assert scene.lane.last_active == answered
    assert link.latency_ms == pytest.approx(100)


async def test_the_last_of_its_requests_to_end_is_told_to_who_asked(scene: Scene) -> None:
    replica = scene.replica(scene.runner(), idle=3)
    works = [scene.submit() for _ in range(3)]
    scene.lane.tells_idle = True
    for work in works[:2]:
        replica.release(work)
    assert scene.demands == 0
    replica.release(works[2])
    assert scene.demands == 1
    assert not scene.lane.tells_idle


class LaneMachine(RuleBasedStateMachine):
    """Does anything in any order: no work is lost, given out twice, or run where it may not."""

    @initialize()
    def begin(self) -> None:
        # Slots hold futures of a running loop; nothing here ever waits for one.
        self.loop = asyncio.new_event_loop()
        asyncio._set_running_loop(self.loop)
        self.scene = Scene(queue_size=6)
        self.links = {
            "here": self.scene.runner("here", POOL),
            "here too": self.scene.runner("here too", POOL),
            "there": self.scene.runner("there", OTHER_POOL),
        }
        for name, link in self.links.items():
            self.scene.replica(link, f"{name} 1")
            self.scene.replica(link, f"{name} 2")
        self.work: list[Work] = []
        self.slots: list[Slot] = []
        self.refused = 0

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            asyncio._set_running_loop(None)
            self.loop.close()

    def replicas(self) -> list[Replica]:
        return [replica for link in self.links.values() for replica in link.replicas.values()]

    @rule(
        nodepools=st.sampled_from([(POOL,), (OTHER_POOL,), (POOL, OTHER_POOL)]),
        runner=st.sampled_from(["", "", "here", "there"]),
    )
    def submit(self, nodepools: Any, runner: str) -> None:
        work = self.scene.work(*nodepools, runner_id=runner)
        try:
            self.scene.lane.submit(work)
        except CallerError:
            assert len(self.scene.lane.waiting) >= 6  # what was returned unsent is never refused
        else:
            self.work.append(work)

    @rule(number=st.integers(0, 5))
    def a_stream_becomes_idle(self, number: int) -> None:
        self.slots.append(self.scene.slot(self.replicas()[number]))

    @rule(data=st.data())
    def an_item_ends(self, data: st.DataObject) -> None:
        busy = [(replica, work) for replica in self.replicas() for work in replica.busy]
        if busy:
            replica, work = data.draw(st.sampled_from(sorted(busy, key=lambda pair: pair[1].id)))
            replica.finish(work)
            replica.release(work)

    @rule(data=st.data())
    def a_client_goes_away(self, data: st.DataObject) -> None:
        if self.work:
            data.draw(st.sampled_from(self.work)).cancel()

    @rule(data=st.data())
    def a_stream_vanishes(self, data: st.DataObject) -> None:
        """Act as ``api/runner_items.py`` does: unsent work goes back, an idle slot is taken out."""
        if not self.slots:
            return
        slot = self.slots.pop(data.draw(st.integers(0, len(self.slots) - 1)))
        if not slot.work.done():
            slot.replica.idle.remove(slot)
        elif slot.work.result() in slot.replica.busy:
            work = slot.work.result()
            slot.replica.release(work)
            self.scene.lane.return_unsent(work)

    @rule(number=st.integers(0, 5))
    def a_replica_drains(self, number: int) -> None:
        self.replicas()[number].drain()

    @invariant()
    def every_open_work_is_in_exactly_one_place(self) -> None:
        if not hasattr(self, "scene"):
            return
        places = Counter(self.scene.lane.waiting)
        for replica in self.replicas():
            places.update(replica.busy)
        assert all(count == 1 for count in places.values())
        assert all(places[work] == 1 for work in self.work if work.is_open)
        assert all(work.state is State.QUEUED for work in self.scene.lane.waiting)

    @invariant()
    def no_work_runs_where_it_may_not(self) -> None:
        if not hasattr(self, "scene"):
            return
        for replica in self.replicas():
            for work in replica.busy:
                assert work.allows(replica.runner_link.nodepool, replica.runner_link.runner_id)

    @invariant()
    def no_slot_is_idle_while_work_waits_that_it_could_take(self) -> None:
        if not hasattr(self, "scene"):
            return
        for replica in self.replicas():
            if replica.idle and not replica.draining:
                link = replica.runner_link
                assert not any(work.allows(link.nodepool, link.runner_id) for work in self.scene.lane.waiting)

    @invariant()
    def idle_slots_have_no_work(self) -> None:
        if hasattr(self, "scene"):
            assert not any(slot.work.done() for replica in self.replicas() for slot in replica.idle)


TestLaneMachine = LaneMachine.TestCase
TestLaneMachine.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


async def test_load_is_what_a_model_may_work_on_where_more_can_come(scene: Scene) -> None:
    link = scene.runner()
    replica, leaving = scene.replica(link, idle=3), scene.replica(link, "leaving")
    answered, awaited, left = (scene.submit() for _ in range(3))
    answered.finish()
    left.cancel()
    assert (scene.lane.in_flight, scene.lane.load) == (3, 2), "what is answered is only being wound up"
    scene.slot(leaving)
    scene.submit()
    assert scene.lane.load == 3
    leaving.drain()
    assert (scene.lane.in_flight, scene.lane.load) == (4, 2), "what drains ends what it has by itself"
    replica.release(left)
    assert (scene.lane.load, awaited.is_open) == (1, True)
