"""The landscape shows routing the store and the replicas behind it; clients poll its metrics for readiness."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Nodepool, Visibility

from clarifai_emulator.catalogue import CLARIFAI_USER, SHARED_CLUSTER
from clarifai_emulator.routing import Load
from clarifai_emulator.store import Kind
from scripted_replicas import Stage, keys

POOL = keys(["pool"])[0]
OTHER = keys(["other"])[0]


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    await stage.close()


def load(stage: Stage, nodepool: tuple[str, str, str] = POOL) -> Load:
    version = stage.store.newest(Kind.MODEL_VERSION, ("ada", "app", "model"))
    return stage.routing_view.load("ada", "deployment", nodepool, version.id if version else "")


# How busy it is.


async def test_a_deployment_that_nothing_has_looked_at_yet_can_start_one(stage: Stage) -> None:
    stage.prepare()
    assert load(stage) == Load(startable_replicas=1)


async def test_idle_streams_of_live_replicas_are_free_slots() -> None:
    stage = Stage(num_threads=3)
    stage.prepare()
    await stage.deploy(2)
    assert load(stage) == Load(startable_replicas=1)
    await stage.ready(stage.backend.processes[0], slots=3)
    await stage.ready(stage.backend.processes[1], slots=1)
    assert load(stage) == Load(live_replicas=2, free_slots=4)
    await stage.ask()
    assert load(stage).free_slots == 3


async def test_a_draining_replica_is_neither_live_nor_free(stage: Stage) -> None:
    stage.prepare()
    await stage.deploy()
    replica = await stage.ready(slots=2)
    replica.drain()
    assert (load(stage).live_replicas, load(stage).free_slots) == (0, 0)


async def test_waiting_requests_count_where_they_may_run(stage: Stage) -> None:
    stage.prepare("pool", "other")
    await stage.deploy(0, 1, "pool", "other")
    await stage.ask("pool")
    await stage.ask("pool", "other")
    assert (load(stage, POOL).queued, load(stage, OTHER).queued) == (2, 1)


async def test_one_more_replica_can_start_while_there_is_room_and_max_replicas_allows_it(stage: Stage) -> None:
    stage.prepare(needs={"cpu_limit": "1"})
    await stage.deploy(0, 2)
    assert load(stage).startable_replicas == 1
    await stage.patch(autoscale_config={"min_replicas": 1, "max_replicas": 2})
    assert load(stage).startable_replicas == 0, "no room: the only instance holds a replica"


async def test_max_replicas_is_the_end(stage: Stage) -> None:
    stage.prepare()
    await stage.deploy(1, 1)
    assert load(stage).startable_replicas == 0


async def test_without_packing_room_on_a_used_instance_is_none(stage: Stage) -> None:
    stage.prepare()
    await stage.deploy(1, 5, autoscale={"disable_packing": True})
    assert load(stage).startable_replicas == 0


async def test_replicas_are_counted_in_their_own_nodepool(stage: Stage) -> None:
    stage.prepare("pool", "other")
    await stage.deploy(1, 5, "pool", "other")
    await stage.ready()
    assert (load(stage, POOL).live_replicas, load(stage, OTHER).live_replicas) == (1, 0)


async def test_latency_is_that_of_the_runner_there(stage: Stage) -> None:
    stage.prepare()
    await stage.deploy()
    replica = await stage.ready()
    work = await stage.ask()
    stage.clock.seconds += 0.25
    await stage.answer(replica, work)
    assert load(stage).latency_ms == 250.0


# What there is.


async def test_resources_are_found_by_their_ids(stage: Stage) -> None:
    stage.prepare("pool", "other")
    await stage.deploy()
    see = stage.routing_view
    assert see.model("ada", "app", "model") is stage.store.get(Kind.MODEL, ("ada", "app", "model"))
    assert see.deployment("ada", "deployment") is stage.stored()
    assert see.deployments_of("ada", "app", "model") == [stage.stored()]
    assert see.cluster("ada", "cluster") is not None
    assert see.nodepool("ada", "cluster", "pool") is not None
    (runner,) = stage.store.list(Kind.RUNNER)
    assert see.runner("ada", "cluster", "pool", runner.id) is runner
    for nothing in (
        see.model("ada", "app", "x"),
        see.deployment("bob", "deployment"),
        see.cluster("ada", "x"),
        see.nodepool("ada", "x", "pool"),
        see.runner("ada", "cluster", "other", runner.id),
    ):
        assert nothing is None


async def test_without_a_version_id_the_newest_is_meant(stage: Stage) -> None:
    stage.prepare()
    old = stage.store.newest(Kind.MODEL_VERSION, ("ada", "app", "model"))
    new = stage.version()
    newest = stage.routing_view.version("ada", "app", "model", "")
    assert newest is not None
    assert newest.id == new
    assert stage.routing_view.version("ada", "app", "model", old.id) is old
    assert stage.routing_view.version("ada", "app", "model", "x") is None


async def test_ids_for_messages_are_sorted(stage: Stage) -> None:
    stage.prepare("pool", "other")
    await stage.deploy()
    see = stage.routing_view
    assert see.nodepool_ids("ada", "cluster") == ["other", "pool"]
    assert (see.model_ids("ada", "app"), see.cluster_ids("ada")) == (["model"], ["cluster"])
    assert see.deployment_ids("ada") == ["deployment"]
    assert len(see.runner_ids("ada", "cluster", "pool")) == 1


async def test_shared_nodepools_are_those_of_clarifais_shared_cluster(stage: Stage) -> None:
    stage.prepare()
    stage.store.put(Kind.NODEPOOL, (CLARIFAI_USER, SHARED_CLUSTER, "s"), Nodepool(id="s"))
    assert [nodepool.id for nodepool in stage.routing_view.shared_nodepools()] == ["s"]


async def test_what_is_private_is_seen_by_its_owner_only(stage: Stage) -> None:
    private = Visibility(gettable=Visibility.PRIVATE)
    assert stage.routing_view.can_see("ada", "ada", private)
    assert not stage.routing_view.can_see("bob", "ada", private)
    assert stage.routing_view.can_see("bob", "ada", Visibility(gettable=Visibility.PUBLIC))


# What clients poll.


async def test_metrics_of_a_deployment_count_wanted_and_live_replicas_in_all_and_by_nodepool(stage: Stage) -> None:
    stage.prepare("pool", "other", needs={"cpu_limit": "1"})
    await stage.deploy(2, 2, "pool", "other")
    await stage.ready(stage.backend.processes[0])
    metrics = stage.metrics.deployment_metrics(stage.stored())
    assert (metrics.desired_replicas, metrics.live_replicas, metrics.rollout_in_progress) == (2, 1, False)
    assert (metrics.aggregate.desired_replicas, metrics.aggregate.live_replicas) == (2, 1)
    by_nodepool = {
        each.nodepool_id: (each.compute_cluster_id, each.metrics.desired_replicas, each.metrics.live_replicas)
        for each in metrics.nodepool_metrics
    }
    assert by_nodepool == {"pool": ("cluster", 1, 1), "other": ("cluster", 1, 0)}


async def test_replicas_that_are_wanted_and_have_no_room_count_as_wanted(stage: Stage) -> None:
    stage.prepare(needs={"cpu_limit": "1"})
    await stage.deploy(3)
    metrics = stage.metrics.deployment_metrics(stage.stored())
    assert (metrics.desired_replicas, metrics.live_replicas) == (3, 0)


async def test_a_rollout_is_in_progress_while_the_old_version_finishes_its_work(stage: Stage) -> None:
    stage.prepare()
    await stage.deploy(1, 1, deploy_latest_version=True)
    replica = await stage.ready()
    work = await stage.ask()
    stage.version()
    await stage.later(0)
    metrics = stage.metrics.deployment_metrics(stage.stored())
    assert (metrics.rollout_in_progress, metrics.desired_replicas) == (True, 1)
    await stage.ready()
    assert stage.metrics.deployment_metrics(stage.stored()).rollout_in_progress
    await stage.answer(replica, work)
    assert not stage.metrics.deployment_metrics(stage.stored()).rollout_in_progress


async def test_metrics_of_a_runner_count_its_pods(stage: Stage) -> None:
    stage.prepare()
    await stage.deploy(2)
    await stage.ready()
    (runner,) = stage.store.list(Kind.RUNNER)
    metrics = stage.metrics.runner_metrics(runner)
    assert (metrics.pods_total, metrics.pods_running) == (2, 1)
