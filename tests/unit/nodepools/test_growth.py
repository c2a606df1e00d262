"""A request that only another replica could serve waits for one that may come, and is refused where none may."""

from __future__ import annotations

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Deployment, Model, ModelVersion, Runner

from clarifai_emulator.dispatch.dispatcher import Credential
from clarifai_emulator.dispatch.lane import Lane, LaneKey, Replica, RunnerLink
from clarifai_emulator.dispatch.work import UNARY_UNARY, Work
from clarifai_emulator.events import EventBus
from clarifai_emulator.nodepools.capacity import Placement
from clarifai_emulator.nodepools.fleet import Fleet, ReplicaRecord, ReplicaState, Target
from clarifai_emulator.nodepools.growth import why_no_more
from resource_api import StillClock

POOL = ("ada", "cluster", "pool")


def fleet(*states: ReplicaState, most: int = 1, waiting: int = 1, is_user_run: bool = False) -> Fleet:
    """Return a fleet with replicas in these states, and requests that wait."""
    lane = Lane(LaneKey("ada", "deploy-x", "v1"), queue_size=9, clock=StillClock(), on_demand=lambda lane: None)
    deployment = Deployment(id="deploy-x")
    deployment.autoscale_config.max_replicas = most
    target = Target(deployment, Model(id="m"), ModelVersion(id="v1"), None, (), is_user_run=is_user_run)
    made = Fleet(lane, target)
    for number, state in enumerate(states):
        credential = Credential(f"replica-{number}", (*POOL, "runner"), str(number))
        placement = Placement.__new__(Placement)
        made.records[str(number)] = ReplicaRecord(credential, Runner(), placement, 0.0, state=state)
    for _ in range(waiting):
        lane.submit(Work(None, method_type=UNARY_UNARY, events=EventBus(StillClock())))
    return made


LIVE, STARTING = ReplicaState.LIVE, ReplicaState.STARTING


async def test_no_more_than_max_replicas() -> None:
    assert why_no_more(fleet(LIVE), 0.0, 120.0) == "no further replica can start (max_replicas is 1)"


async def test_one_more_where_there_may_be_one() -> None:
    assert why_no_more(fleet(LIVE, most=2, waiting=2), 0.0, 120.0) == ""


async def test_one_that_starts_already() -> None:
    assert why_no_more(fleet(LIVE, STARTING, most=2), 0.0, 120.0) == ""


async def test_no_room() -> None:
    full = fleet(LIVE, most=2)
    full.lane.pend("deployment 'deploy-x': nodepool 'pool' is full")
    full.no_room_since = 0.0
    assert why_no_more(full, 1.0, 120.0) == (
        "no further replica can start (deployment 'deploy-x': nodepool 'pool' is full)"
    )


async def test_replicas_that_their_user_starts() -> None:
    assert why_no_more(fleet(LIVE, most=2, is_user_run=True), 0.0, 120.0) == "its replicas are started by its user"


async def test_one_that_would_come_too_late_does_not_come() -> None:
    grown = fleet(LIVE, most=2)
    link = RunnerLink((*POOL, "runner"), grown.lane)
    replica = link.replicas["0"] = Replica("0", link)
    replica.busy = {Work(None, method_type=UNARY_UNARY, events=EventBus(StillClock()))}
    grown.lane.runners[link.key] = link
    grown.last_scale_up = 300.0
    later = "no further replica starts for now (1 queued; scale_up_delay_seconds not over)"
    assert why_no_more(grown, 400.0, 120.0) == later
    assert why_no_more(grown, 400.0, 300.0) == "", "it is there within the time that requests are held"


@pytest.mark.parametrize("attribute", ["retired", "warming", "reloading"])
async def test_while_it_changes_anything_may_come(attribute: str) -> None:
    changing = fleet(LIVE)
    setattr(changing, attribute, True)
    assert why_no_more(changing, 0.0, 120.0) == ""
