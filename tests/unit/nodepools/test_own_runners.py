"""Runners that users start serve who names their nodepool, until a deployment has them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Runner
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.dispatch.lane import Lane, Replica, Slot
from clarifai_emulator.dispatch.work import State
from clarifai_emulator.errors import CallerError
from clarifai_emulator.nodepools.own_runners import OwnRunners
from clarifai_emulator.routing import Ask
from scripted_replicas import Stage, settle

POOL = ("ada", "cluster", "pool")
MODEL = ("ada", "app", "model")


class Laptop(Stage):
    """A local-dev nodepool, and a model with one version; no deployment."""

    def __init__(self) -> None:
        super().__init__()
        self.api.cluster(cluster_type="local-dev")
        self.api.nodepool()
        self.api.model()
        self.version_id = self.version(with_code=False)

    @property
    def own(self) -> OwnRunners:
        return self.nodepools.own_runners

    def register(self, runner_id: str = "mine", version: str | None = None) -> Runner:
        version = self.version_id if version is None else version
        served = {"id": "model", "app_id": "app", "user_id": "ada", "model_version": {"id": version}}
        runner = {"id": runner_id, "worker": {"model": served}}
        fields: dict[str, Any] = {"compute_cluster_id": "cluster", "nodepool_id": "pool", "runners": [runner]}
        return self.api("PostRunners", **fields).runners[0]

    def connect(self, runner: Runner) -> Replica:
        """Let the runner connect, as its user starts it, with one idle stream."""
        link = self.dispatcher.runner((*POOL, runner.id)) or self.supervisor.adopt((*POOL, runner.id), runner)
        replica = self.dispatcher.connect(link, runner.id)
        self.dispatcher.hear(replica)
        link.lane.offer(Slot(replica))
        return replica

    def route(self, runner_id: str = "") -> Lane:
        _, lane = self.nodepools.router.route(Ask("ada", *MODEL, nodepool=POOL, runner_id=runner_id))
        return lane

    def unregister(self, runner_id: str = "mine") -> None:
        self.api("DeleteRunners", compute_cluster_id="cluster", nodepool_id="pool", ids=[runner_id])


@pytest.fixture
async def laptop() -> AsyncIterator[Laptop]:
    laptop = Laptop()
    yield laptop
    await laptop.close()


async def test_a_request_waits_for_a_registered_runner_to_be_started(laptop: Laptop) -> None:
    runner = laptop.register()
    lane = laptop.route()
    assert lane.pending_reason == "Nobody has started its runner 'mine' yet"
    work = await laptop.ask(lane=lane)
    assert work.state is State.QUEUED
    replica = laptop.connect(runner)
    assert (work.state, work.replica_id, lane.pending_reason) == (State.SENT, replica.replica_id, "")


async def test_a_named_runner_has_the_same_lane(laptop: Laptop) -> None:
    laptop.register("other")
    runner = laptop.register()
    assert laptop.route("mine") is laptop.route()
    laptop.connect(runner)
    assert laptop.route("mine") is laptop.route("other") is laptop.route()


async def test_a_runner_of_any_version_serves_what_no_other_does(laptop: Laptop) -> None:
    laptop.register("any", version="")
    assert laptop.route().key.version_id == ""
    laptop.register()
    assert laptop.route().key.version_id == laptop.version_id


async def test_a_deployment_takes_its_runners_and_what_waits_for_them(laptop: Laptop) -> None:
    runner = laptop.register()
    replica = laptop.connect(runner)
    before = laptop.route()
    busy, waiting = await laptop.ask(lane=before), await laptop.ask(lane=before)
    assert (busy.state, waiting.state) == (State.SENT, State.QUEUED)
    await laptop.deploy(0)
    assert laptop.route() is laptop.lane
    assert list(laptop.lane.waiting) == [waiting]
    await laptop.answer(replica, busy)
    assert (busy.state, waiting.state) == (State.DONE, State.SENT)
    assert before.runners == {}


async def test_a_deployment_leaves_runners_of_another_version_alone(laptop: Laptop) -> None:
    runner = laptop.register()
    laptop.connect(runner)
    newer = laptop.version(with_code=False)
    await laptop.deploy(0)
    assert laptop.lane.key.version_id == newer
    assert laptop.lane.live_replicas == 0
    assert laptop.own.lane(POOL, MODEL, laptop.version_id).live_replicas == 1


async def test_a_deployment_that_goes_away_gives_its_runners_back(laptop: Laptop) -> None:
    await laptop.deploy(0)
    runner = laptop.register()
    laptop.connect(runner)
    assert laptop.lane.live_replicas == 1
    await laptop.delete()
    replica = laptop.connect(runner)  # it was sent away, and asks anew
    work = await laptop.ask(lane=laptop.route())
    assert work.replica_id == replica.replica_id


async def test_what_a_runner_works_on_goes_on_when_its_deployment_is_disabled(laptop: Laptop) -> None:
    await laptop.deploy(0)
    replica = laptop.connect(laptop.register())
    busy = await laptop.ask(lane=laptop.lane)
    await laptop.patch(status="DISABLED")
    assert busy.state is State.SENT
    assert replica.runner_link.lane is laptop.route(), "it serves who names its nodepool again"
    await laptop.answer(replica, busy)
    assert busy.state is State.DONE


async def test_what_a_runner_works_on_goes_on_when_its_deployment_is_told_another_version(laptop: Laptop) -> None:
    await laptop.deploy(0)
    replica = laptop.connect(laptop.register())
    busy, waiting = await laptop.ask(lane=laptop.lane), await laptop.ask(lane=laptop.lane)
    assert waiting.state is State.QUEUED
    laptop.version(with_code=False)
    await laptop.patch(deploy_latest_version=True)
    assert (busy.state, waiting.state) == (State.SENT, State.FAILED)
    await laptop.answer(replica, busy)
    assert busy.state is State.DONE


async def test_a_runner_that_is_deleted_is_sent_away_and_what_waits_for_it_is_told(laptop: Laptop) -> None:
    runner = laptop.register()
    replica = laptop.connect(runner)
    lane = laptop.route()
    busy, waiting = await laptop.ask(lane=lane), await laptop.ask(lane=lane)
    assert (busy.state, waiting.state) == (State.SENT, State.QUEUED)
    laptop.unregister()
    await settle()
    assert waiting.state is State.FAILED
    with pytest.raises(CallerError) as raised:
        await waiting.next_output()
    assert raised.value.message == (
        "Runner 'mine' of nodepool 'ada/cluster/pool' was deleted while this request waited for it. Register a "
        "runner there with PostRunners, and start it."
    )
    assert laptop.dispatcher.runner((*POOL, "mine")) is None
    await laptop.answer(replica, busy)
    assert busy.state is State.DONE


async def test_of_two_runners_the_other_goes_on_when_one_is_deleted(laptop: Laptop) -> None:
    first, second = laptop.register("first"), laptop.register("second")
    laptop.connect(first)
    replica = laptop.connect(second)
    laptop.unregister("first")
    work = await laptop.ask(lane=laptop.route())
    assert work.replica_id == replica.replica_id


async def test_a_named_runner_that_a_deployment_no_longer_runs_is_refused(laptop: Laptop) -> None:
    with pytest.raises(CallerError) as raised:
        laptop.own.lane(POOL, MODEL, laptop.version_id, "gone")
    assert raised.value.code == StatusCode.MODEL_NOT_DEPLOYED
    assert raised.value.message == (
        "Runner 'gone' is one of a deployment that no longer runs it. Name the deployment, or its nodepool alone."
    )


async def test_a_nodepool_whose_runners_nobody_has_started_is_full(laptop: Laptop) -> None:
    await laptop.deploy(0)
    load = laptop.routing_view.load("ada", "deployment", POOL, laptop.version_id)
    assert (load.is_full, load.startable_replicas) == (True, 0)
    laptop.connect(laptop.register())
    assert not laptop.routing_view.load("ada", "deployment", POOL, laptop.version_id).is_full
