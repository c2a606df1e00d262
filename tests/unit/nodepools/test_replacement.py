"""Fresh replicas take the place of those that serve: nobody waits, and room and devices are taken once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import ComputeInfo

from clarifai_emulator.backends.backend import Exit
from clarifai_emulator.dispatch.lane import LaneKey
from clarifai_emulator.dispatch.work import UNARY_UNARY, State, Work
from clarifai_emulator.errors import ModelError
from clarifai_emulator.nodepools.fleet import ReplicaState
from clarifai_emulator.nodepools.replacement import Replacement
from clarifai_emulator.store import Kind
from scripted_replicas import SOURCE, Stage, keys, lane_key, settle

GPU = {"num_accelerators": 1, "accelerator_type": ["NVIDIA-A10G"], "accelerator_memory": "20Gi"}


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage(gpus=["NVIDIA A10G"])
    yield stage
    await stage.close()


async def serving(stage: Stage, replicas: int = 1) -> LaneKey:
    """Create a deployment with so many live replicas, and never more; return its key."""
    stage.prepare()
    await stage.deploy(replicas, replicas)
    for process in tuple(stage.backend.running):
        await stage.ready(process)
    return stage.lane.key


async def renewed(stage: Stage, replacement: Replacement) -> None:
    """Let fresh replicas load, go live and take over."""
    await replacement.load()
    await settle()
    waiting = asyncio.create_task(replacement.serve("code"))
    for process in stage.backend.running:
        if stage.record(process).state is ReplicaState.STANDBY:
            await stage.ready(process)
    await waiting
    replacement.finish("new code")
    await settle()


async def test_each_that_serves_is_replaced_once_the_new_ones_are_live(stage: Stage) -> None:
    replacement = stage.supervisor.replacement(await serving(stage, 2))
    old = list(stage.backend.running)
    await replacement.load()
    await settle()
    assert len(stage.backend.running) == 4
    assert [stage.record(each).state for each in old] == [ReplicaState.LIVE] * 2
    fresh = [each for each in stage.backend.running if each not in old]
    waiting = asyncio.create_task(replacement.serve("code"))
    await stage.ready(fresh[0])
    assert not waiting.done(), "until all of them are"
    await stage.ready(fresh[1])
    await waiting
    replacement.finish("new code")
    await settle()
    assert stage.backend.running == fresh
    assert stage.said("replica.draining") == ["new code"] * 2


async def test_what_the_old_one_still_works_on_asks_for_no_further_replica(stage: Stage) -> None:
    stage.prepare()
    await stage.deploy(1, 5)
    await stage.ready()
    work = await stage.ask()
    (old,) = stage.backend.running
    await renewed(stage, stage.supervisor.replacement(stage.lane.key))
    (new,) = [each for each in stage.backend.running if each is not old]
    after = await stage.ask()
    await stage.later(1)
    assert (stage.lane.in_flight, stage.fleet.demand(stage.clock.monotonic(), 60).in_flight) == (2, 1)
    assert stage.backend.running == [old, new], "the one that is new has room for what is asked of it"
    await stage.ask()
    assert len(stage.backend.running) == 3, "and what it has no room for is another matter"
    replica = stage.record(old).replica
    assert replica is not None
    await stage.answer(replica, work)
    assert old not in stage.backend.running
    assert after.is_open


async def test_what_the_old_one_works_on_it_finishes_and_gets_nothing_new(stage: Stage) -> None:
    key = await serving(stage)
    work = await stage.ask()
    (old,) = stage.backend.running
    await renewed(stage, stage.supervisor.replacement(key))
    assert old in stage.backend.running
    after = await stage.ask()
    assert after.replica_id != work.replica_id
    replica = stage.record(old).replica
    assert replica is not None
    await stage.answer(replica, work)
    assert work.state is State.DONE
    assert old not in stage.backend.running


async def test_one_whose_model_cannot_be_loaded_leaves_everything_as_it_was(stage: Stage) -> None:
    replacement = stage.supervisor.replacement(await serving(stage))
    (old,) = stage.backend.running
    await replacement.load()
    await settle()
    (fresh,) = (each for each in stage.backend.running if each is not old)
    waiting = asyncio.create_task(replacement.serve("code"))
    fresh.say("Traceback (most recent call last):", '  File "model.py", line 1', "ValueError: no weights")
    fresh.end(Exit(1))
    with pytest.raises(ModelError) as raised:
        await waiting
    replacement.give_up("it is broken")
    await settle()
    assert raised.value.summary == "model.py cannot be used: ValueError: no weights"
    assert stage.backend.running == [old]
    assert stage.said("replica.crashed") == [], "nobody starts it again"
    assert (await stage.ask()).replica_id == stage.record(old).replica_id


async def test_it_shares_room_and_devices_with_the_one_it_replaces_which_are_given_back_once(stage: Stage) -> None:
    stage.prepare(needs=GPU, instance_types=[{"id": "g5.xlarge"}], max_instances=1)
    await stage.deploy()
    await stage.ready()
    in_use = stage.capacity.nodes_in_use(keys(["pool"])[0])
    for _ in range(3):
        await renewed(stage, stage.supervisor.replacement(stage.lane.key))
    (process,) = stage.backend.running
    assert process.spec.variables["CUDA_VISIBLE_DEVICES"] == "0"
    assert stage.capacity.nodes_in_use(keys(["pool"])[0]) == in_use == 1
    await stage.delete()
    assert stage.capacity.nodes_in_use(keys(["pool"])[0]) == 0
    assert stage.accelerators.allocate_for(ComputeInfo(num_accelerators=1), holder="another") == ("GPU-0",)


async def test_when_the_old_one_dies_meanwhile_the_new_one_keeps_its_place(stage: Stage) -> None:
    replacement = stage.supervisor.replacement(await serving(stage))
    (old,) = stage.backend.running
    await replacement.load()
    await settle()
    old.end(Exit(3))
    await settle()
    assert stage.capacity.nodes_in_use(keys(["pool"])[0]) == 1
    (fresh,) = stage.backend.running
    waiting = asyncio.create_task(replacement.serve("code"))
    await stage.ready(fresh)
    await waiting
    replacement.finish("new code")
    await settle()
    assert stage.record(fresh).state is ReplicaState.LIVE
    await stage.delete()
    assert stage.capacity.nodes_in_use(keys(["pool"])[0]) == 0


async def test_a_new_version_is_warm_before_its_deployment_moves_and_waiting_requests_go_with_it(
    stage: Stage,
) -> None:
    key = await serving(stage)
    (old,) = stage.backend.running
    busy, waits = await stage.ask(), await stage.ask()
    pinned = Work("r", method_type=UNARY_UNARY, events=stage.events, nodepools=keys(["pool"]), is_pinned=True)
    stage.lane.submit(pinned)
    version = stage.api.store.get(Kind.MODEL_VERSION, ("ada", "app", "model", key.version_id))
    draft = type(version)()
    draft.CopyFrom(version)
    draft.id = "b" * 32
    replacement = stage.supervisor.replacement(key, draft, SOURCE)
    await replacement.load()
    await settle()
    assert stage.supervisor.fleets[lane_key(draft.id)].warming
    (fresh,) = (each for each in stage.backend.running if each is not old)
    waiting = asyncio.create_task(replacement.serve("code"))
    await stage.ready(fresh, slots=3)
    await waiting
    stage.store.put(Kind.MODEL_VERSION, ("ada", "app", "model", draft.id), draft)
    stage.store.put(Kind.SOURCE, ("ada", "app", "model", draft.id), SOURCE)
    replacement.finish("new code")
    worker = {"model": {"id": "model", "app_id": "app", "model_version": {"id": draft.id}}}
    await stage.patch(desired_worker=worker)
    assert stage.lane.key.version_id == draft.id
    assert (waits.state, waits.replica_id) == (State.SENT, stage.record(fresh).replica_id)
    assert pinned.state is State.FAILED
    assert (busy.state, busy.replica_id) == (State.SENT, stage.record(old).replica_id)


async def test_a_version_that_is_not_wanted_after_all_leaves_nothing(stage: Stage) -> None:
    key = await serving(stage)
    (old,) = stage.backend.running
    version = stage.api.store.get(Kind.MODEL_VERSION, ("ada", "app", "model", key.version_id))
    draft = type(version)()
    draft.CopyFrom(version)
    draft.id = "b" * 32
    replacement = stage.supervisor.replacement(key, draft, SOURCE)
    await replacement.load()
    await settle()
    replacement.give_up("it is broken")
    stage.supervisor.cool(replacement.new)
    await settle()
    assert stage.backend.running == [old]
    assert list(stage.supervisor.fleets) == [key]
