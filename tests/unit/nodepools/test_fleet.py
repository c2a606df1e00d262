"""The replicas of one deployment: what is asked of them, and what a dead one said last."""

from __future__ import annotations

from collections import deque
from typing import Any, cast

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Deployment, Model, ModelVersion, Nodepool, Runner
from hypothesis import given
from hypothesis import strategies as st

from clarifai_emulator.dispatch.dispatcher import Credential
from clarifai_emulator.dispatch.lane import Lane, LaneKey, Replica
from clarifai_emulator.dispatch.work import UNARY_UNARY, Work
from clarifai_emulator.events import EventBus
from clarifai_emulator.nodepools.capacity import Amount, Node, Placement
from clarifai_emulator.nodepools.fleet import Fleet, Fleets, ReplicaRecord, ReplicaState, Target, model_traceback
from resource_api import StillClock

POOL, OTHER = ("ada", "cluster", "pool"), ("ada", "cluster", "other")


def a_fleet() -> Fleet:
    lane = Lane(LaneKey("ada", "deploy-x", "v1"), queue_size=99, clock=StillClock(), on_demand=lambda lane: None)
    target = Target(Deployment(id="deploy-x"), Model(), ModelVersion(), None, ((POOL, Nodepool(id="pool")),))
    return Fleet(lane, target)


def record(state: ReplicaState, nodepool: Any = POOL, name: str = "r") -> ReplicaRecord:
    placement = Placement(nodepool, cast(Node, None), Amount())
    return ReplicaRecord(Credential("token", "runner", name), Runner(), placement, 0.0, state=state)


def wait(fleet: Fleet, *nodepools: Any) -> None:
    events = EventBus(StillClock())
    fleet.lane.waiting.append(Work("x", method_type=UNARY_UNARY, events=events, nodepools=nodepools))


def test_active_replicas_serve_or_will_and_live_ones_serve() -> None:
    fleet = a_fleet()
    fleet.records = {state: record(state) for state in ReplicaState}
    assert [each.state for each in fleet.active] == ["starting", "live"]
    assert [each.state for each in fleet.live] == ["live"]


def test_the_fleets_of_a_deployment_are_those_of_its_versions_oldest_first() -> None:
    fleets, kept = Fleets(), {LaneKey("ada", name, version): a_fleet() for name in "xy" for version in ("v2", "v1")}
    fleets.update(kept)
    assert fleets.of_deployment("ada", "x") == list(kept.values())[:2]
    assert fleets.of_deployment("bob", "x") == []
    fleets.pop(LaneKey("ada", "x", "v2"))
    assert fleets.of_deployment("ada", "x") == [kept[LaneKey("ada", "x", "v1")]]
    assert (len(fleets), list(fleets.of_deployment("ada", "y"))) == (3, list(kept.values())[2:])
    fleets.clear()
    assert fleets.of_deployment("ada", "y") == []


async def test_demand_is_what_runs_and_waits_and_the_peak_of_the_last_while() -> None:
    fleet = a_fleet()
    assert fleet.demand(0, 60).peak == 0
    for _ in range(3):
        wait(fleet, POOL)
    assert (fleet.demand(10, 60).queued, fleet.demand(10, 60).peak) == (3, 3)
    fleet.lane.waiting.popleft()
    assert (fleet.demand(20, 60).queued, fleet.demand(20, 60).peak) == (2, 3)
    assert fleet.demand(70, 60).peak == 3
    assert fleet.demand(71, 60).peak == 2


async def test_a_bounced_request_counts_as_waiting_until_a_replica_is_on_its_way() -> None:
    fleet = a_fleet()
    fleet.lane.bounced = True
    assert fleet.demand(0, 60).queued == 1
    fleet.records["r"] = record(ReplicaState.STARTING)
    assert fleet.demand(0, 60).queued == 0


def test_demand_knows_how_long_ago_a_request_last_came_or_ended() -> None:
    fleet = a_fleet()
    assert fleet.demand(50, 60).last_request_ago is None
    fleet.lane.last_active = 20.0
    assert fleet.demand(50, 60).last_request_ago == 30


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 9)), min_size=1, max_size=60))
def test_the_peak_is_the_highest_load_seen_and_few_are_kept(steps: list[tuple[int, int]]) -> None:
    fleet, now, seen = a_fleet(), 0, list[tuple[int, int]]()
    for passes, load in steps:
        now += passes
        fleet.lane.waiting = deque([cast(Work, None)] * load)
        seen.append((now, load))
        assert fleet.demand(now, 30).peak == max(load for when, load in seen if when >= now - 30)
        assert len(fleet.peaks) <= 10


async def test_nodepools_that_waiting_work_insists_on_are_unserved_until_something_starts_there() -> None:
    fleet = a_fleet()
    assert fleet.unserved_nodepools() == ()
    fleet.records["r"] = record(ReplicaState.LIVE, POOL)
    wait(fleet, POOL)
    wait(fleet, POOL, OTHER)
    assert fleet.unserved_nodepools() == ()
    wait(fleet, OTHER)
    assert fleet.unserved_nodepools() == (OTHER,)
    fleet.records["s"] = record(ReplicaState.DRAINING, OTHER)
    assert fleet.unserved_nodepools() == (OTHER,)
    fleet.records["t"] = record(ReplicaState.STARTING, OTHER)
    assert fleet.unserved_nodepools() == ()


def test_a_replica_was_healthy_when_it_completed_a_request_or_was_ready_for_long() -> None:
    one = record(ReplicaState.LIVE)
    assert not one.was_healthy(1000)
    one.ready = 990.0
    assert not one.was_healthy(1000)
    assert one.was_healthy(1000.1)
    one.replica = Replica("r", cast(Any, None))
    one.ready = 1000.0
    assert not one.was_healthy(1000)
    one.replica.completed = 1
    assert one.was_healthy(1000)


def test_a_target_is_named_for_people() -> None:
    target = a_fleet().target
    assert (target.name, target.sentence_name) == ("deployment 'deploy-x'", "Deployment 'deploy-x'")
    shared = Target(None, target.model, target.version, None, target.nodepools)
    assert shared.name == "shared nodepool 'pool'"
    assert shared.autoscale.min_replicas == 0


# The last words of a replica.

FRAME = ['  File "/models/x/1/model.py", line 5, in load_model', "    raise ValueError(x)"]
BOOM = ["Traceback (most recent call last):", *FRAME, "ValueError: boom"]
OTHER_ERROR = ["Traceback (most recent call last):", *FRAME, "KeyError: 'other'"]
DURING = ["", "During handling of the above exception, another exception occurred:", ""]
BECAUSE = ["", "The above exception was the direct cause of the following exception:", ""]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["loading", *BOOM], BOOM),
        (["loading", *BOOM, "Stopping runner..."], [*BOOM, "Stopping runner..."]),
        ([*OTHER_ERROR, "tried again", *BOOM], BOOM),
        (["x", *OTHER_ERROR, *DURING, *BOOM], [*OTHER_ERROR, *DURING, *BOOM]),
        (["x", *OTHER_ERROR, *BECAUSE, *BOOM], [*OTHER_ERROR, *BECAUSE, *BOOM]),
        ([*BOOM, *DURING, *BOOM, *BECAUSE, *BOOM], [*BOOM, *DURING, *BOOM, *BECAUSE, *BOOM]),
        ([*OTHER_ERROR, "later", *BOOM, *DURING, *BOOM], [*BOOM, *DURING, *BOOM]),
        ([f"line {number}" for number in range(20)], [f"line {number}" for number in range(10, 20)]),
        ([], []),
    ],
    ids=[
        "alone",
        "with what follows",
        "the last",
        "during",
        "because",
        "twice",
        "not the one before",
        "none",
        "nothing",
    ],
)
def test_the_last_traceback_is_told_whole_and_nothing_before_it(lines: list[str], told: list[str]) -> None:
    assert model_traceback(lines).splitlines() == told


def test_an_indented_traceback_is_one_too() -> None:
    indented = [f"    {line}" for line in BOOM]
    assert model_traceback(["log:", *indented]).splitlines() == indented


def test_a_traceback_that_is_too_long_keeps_its_beginning_and_its_error() -> None:
    long = ["Traceback (most recent call last):", *FRAME * 100, "ValueError: boom", "  with detail", "Stopping..."]
    told = model_traceback(["loading", *long]).splitlines()
    assert len(told) == 60
    assert told[:9] == long[:9]
    assert told[9] == "  [143 lines left out]"
    assert told[10:] == long[long.index("ValueError: boom") - 49 : long.index("ValueError: boom") + 1]


def test_the_error_of_a_long_chain_is_the_last_one() -> None:
    first = ["Traceback (most recent call last):", *FRAME * 15, "KeyError: 'first'"]
    last = ["Traceback (most recent call last):", *FRAME * 40, "ValueError: last"]
    told = model_traceback([*first, *DURING, *last, *["bye"] * 5]).splitlines()
    assert (told[0], told[-1]) == (first[0], "ValueError: last")
    assert len(told) == 60


def test_much_output_after_a_short_traceback_does_not_hide_it() -> None:
    told = model_traceback([*BOOM, *["bye"] * 150]).splitlines()
    assert told[:4] == BOOM
    assert len(told) == 60
