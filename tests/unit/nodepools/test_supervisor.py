"""The supervisor decides which replicas run: how many, where, when they start again, and how they end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Literal

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Deployment, Model, Runner
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.backends.backend import Exit
from clarifai_emulator.behaviour import Behaviour
from clarifai_emulator.dispatch.lane import Slot
from clarifai_emulator.dispatch.work import State, Work
from clarifai_emulator.errors import CallerError
from clarifai_emulator.nodepools.fleet import ReplicaState
from clarifai_emulator.store import Kind
from scripted_replicas import BROKEN_MODEL, SOURCE, Stage, keys, settle

ONE_GPU = {"num_accelerators": 1, "accelerator_type": ["NVIDIA-A10G"], "accelerator_memory": "20Gi"}
GPU_POOL = {"instance_types": [{"id": "g5.xlarge"}], "max_instances": 4}


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    await stage.close()


async def failure(work: Work) -> CallerError:
    with pytest.raises(CallerError) as raised:
        await anext(work.outputs())
    return raised.value


# How many.


async def test_min_replicas_are_started_when_the_deployment_comes(stage: Stage) -> None:
    stage.prepare()
    await stage.deploy(2)
    assert len(stage.backend.running) == 2
    assert len({process.spec.replica_id for process in stage.backend.running}) == 2
    assert stage.said("replica.starting") == ["in nodepool 'pool'"] * 2


async def test_a_replica_is_told_who_it_is_and_sees_no_accelerator_it_did_not_ask_for(stage: Stage) -> None:
    stage.prepare()
    await stage.deploy()
    (process,) = stage.backend.running
    (runner,) = stage.store.list(Kind.RUNNER)
    environ = process.spec.variables
    token = environ.pop("CLARIFAI_PAT")
    assert environ == {
        "CLARIFAI_USER_ID": "ada",
        "CLARIFAI_COMPUTE_CLUSTER_ID": "cluster",
        "CLARIFAI_NODEPOOL_ID": "pool",
        "CLARIFAI_RUNNER_ID": runner.id,
        "CLARIFAI_API_BASE": "http://api",
        "CLARIFAI_RUNNER_REPLICA_ID": process.spec.replica_id,
        "CUDA_VISIBLE_DEVICES": "",
    }
    assert (process.spec.base_url, process.spec.num_threads) == ("http://runners", 1)
    credential = stage.dispatcher.credential(token)
    assert credential is not None
    assert (credential.runner[3], credential.replica_id) == (runner.id, process.spec.replica_id)


async def test_without_min_replicas_nothing_runs_before_the_first_request(stage: Stage) -> None:
    stage.prepare()
    await stage.deploy(0)
    assert stage.backend.processes == []
    work = await stage.ask()
    assert len(stage.backend.running) == 1
    assert work.state is State.QUEUED
    await stage.ready()
    assert work.state is State.SENT
    assert stage.said("replica.live") == ["ready after 0.00 s"]


async def test_a_request_that_was_bounced_starts_a_replica_all_the_same(stage: Stage) -> None:
    stage.prepare()
    await stage.deploy(0)
    work = await stage.ask()
    await stage.crash()
    stage.lane.bounce(work, CallerError(StatusCode.MODEL_DEPLOYING, "Not yet."))
    await stage.later(1)
    assert len(stage.backend.running) == 1


async def test_more_requests_than_slots_start_replicas_up_to_max_replicas(stage: Stage) -> None:
    stage.prepare()
    await stage.deploy(1, 3)
    await stage.ready()
    for _ in range(9):
        await stage.ask()
    assert len(stage.backend.running) == 3


async def test_raising_min_replicas_starts_the_missing_ones(stage: Stage) -> None:
    stage.prepare()
    await stage.deploy(1)
    await stage.patch(autoscale_config={"min_replicas": 3, "max_replicas": 5})
    assert len(stage.backend.running) == 3


async def test_an_idle_deployment_scales_to_zero_after_its_delay_and_not_before(stage: Stage) -> None:
    stage.prepare()
    await stage.deploy(0, autoscale={"scale_down_delay_seconds": 60, "scale_to_zero_delay_seconds": 60})
    work = await stage.ask()
    await stage.answer(await stage.ready(), work)
    await stage.later(59)
    assert len(stage.backend.running) == 1
    await stage.later(1)
    assert stage.backend.running == []
    assert stage.said("replica.draining") == ["idle for scale_to_zero_delay_seconds (60 s)"]


async def test_of_too_many_replicas_those_end_that_are_not_ready_or_least_busy(stage: Stage) -> None:
    stage.prepare()
    await stage.deploy(3)
    busy, idle, starting = stage.backend.running
    await stage.ready(busy)
    work = await stage.ask()
    await stage.ready(idle)
    await stage.patch(autoscale_config={"min_replicas": 2, "max_replicas": 2})
    assert stage.backend.running == [busy, idle]
    await stage.patch(autoscale_config={"min_replicas": 1, "max_replicas": 1})
    assert stage.backend.running == [busy]
    assert work.state is State.SENT
    assert starting.signals == ["TERM"]


# When one ends by itself.


async def test_a_replica_that_crashes_starts_again_later_each_time(stage: Stage) -> None:
    stage.prepare()
    await stage.deploy()
    for delay in (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0):
        await stage.crash()
        assert stage.said("replica.crashed")[-1] == (
            f"its process exited with code 3; starts again in {delay:.1f} s"
        )
        await stage.later(delay - 0.01)
        assert stage.backend.running == []
        await stage.later(0.02)
        assert len(stage.backend.running) == 1


async def test_after_its_delay_it_starts_without_anything_else_happening(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clarifai_emulator.nodepools.replicas.crash_delay", lambda failures: 0.001)  # pyright: ignore[reportUnknownLambdaType]
    stage.prepare()
    await stage.deploy()
    await stage.crash()
    stage.clock.seconds += 1
    for _ in range(500):
        await asyncio.sleep(0.002)
        if stage.backend.running:
            return
    raise AssertionError("it did not start again")


async def test_a_replica_that_served_crashes_as_if_for_the_first_time(stage: Stage) -> None:
    stage.prepare()
    await stage.deploy()
    await stage.crash()
    await stage.later(1)
    await stage.crash()
    await stage.later(2)
    replica = await stage.ready()
    await stage.answer(replica, await stage.ask())
    await stage.crash()
    assert stage.said("replica.crashed")[-1] == "its process exited with code 3; starts again in 0.5 s"


async def test_when_it_keeps_failing_to_load_who_waits_and_who_comes_is_told_why(stage: Stage) -> None:
    stage.prepare()
    await stage.deploy()
    work = await stage.ask()
    for _ in range(3):
        assert work.state is State.QUEUED
        stage.backend.running[-1].say("loading", "Traceback (most recent call last):", "ValueError: no weights")
        await stage.crash()
        if stage.lane.refusal is None:
            await stage.later(30)
    error = await failure(work)
    assert error.code == StatusCode.MODEL_DEPLOYMENT_FAILED
    assert error.message == (
        "Deployment 'deployment' has no replica: 3 starts in a row failed, the last because its process exited "
        "with code 3.\nTraceback (most recent call last):\nValueError: no weights\n Mend the model and deploy it "
        "again; `clarifai-emulator logs` has everything it printed."
    )
    with pytest.raises(CallerError, match="3 starts in a row failed"):
        await stage.ask()
    (event,) = stage.events.recent("deployment.failed")
    assert event.fields["traceback"] == "Traceback (most recent call last):\nValueError: no weights"


async def test_a_replica_that_loads_at_last_ends_the_refusal(stage: Stage) -> None:
    stage.prepare()
    await stage.deploy()
    for _ in range(3):
        await stage.crash()
        await stage.later(30)
    assert stage.lane.refusal is not None
    await stage.ready()
    assert stage.lane.refusal is None
    assert (await stage.ask()).state is State.SENT


async def test_a_model_that_dies_at_work_is_started_again_however_often(stage: Stage) -> None:
    stage.prepare()
    await stage.deploy()
    for _ in range(6):
        await stage.ready()
        await stage.crash(Exit(signal=9))
        await stage.later(31)
    assert stage.lane.refusal is None
    assert len(stage.backend.running) == 1


async def test_a_new_version_is_tried_at_once_whatever_happened_to_the_last(stage: Stage) -> None:
    stage.prepare()
    await stage.deploy(deploy_latest_version=True)
    for _ in range(3):
        await stage.crash()
        await stage.later(30)
    await stage.crash()
    stage.version()
    await settle()
    assert len(stage.backend.running) == 1
    assert stage.lane.refusal is None


@pytest.mark.parametrize(
    ("refusal", "why"),
    [
        (BROKEN_MODEL, "The Clarifai SDK cannot be imported."),
        (KeyError("bug"), "the emulator failed to start it: KeyError('bug')"),
    ],
)
async def test_a_replica_that_cannot_even_be_started_is_tried_again_and_gives_everything_back(
    stage: Stage, refusal: Exception, why: str
) -> None:
    stage.prepare()
    stage.backend.refusal = refusal
    await stage.deploy()
    assert stage.said("replica.crashed") == [f"{why}; starts again in 0.5 s"]
    assert stage.capacity.nodes_in_use(keys(["pool"])[0]) == 0
    stage.backend.refusal = None
    await stage.later(1)
    assert len(stage.backend.running) == 1


async def test_a_lost_replica_answers_its_requests_and_gives_back_credential_and_room(stage: Stage) -> None:
    stage.prepare()
    await stage.deploy()
    await stage.ready()
    work = await stage.ask()
    token = stage.backend.running[0].spec.environ["CLARIFAI_PAT"]
    await stage.crash(Exit(signal=9))
    assert "its process was ended by signal 9" in (await failure(work)).message
    assert stage.dispatcher.credential(token) is None
    assert stage.capacity.nodes_in_use(keys(["pool"])[0]) == 0


async def test_one_that_a_fault_loses_fails_its_work_at_once_and_starts_again_like_any_that_crashed(
    stage: Stage,
) -> None:
    stage.prepare()
    await stage.deploy()
    replica = await stage.ready(slots=2)
    (process,) = stage.backend.running
    work = await stage.ask()
    stage.supervisor.lose_replica(replica, "a test asked for it")
    assert "ended while it worked on this request: a test asked for it." in (await failure(work)).details
    assert stage.dispatcher.credential(process.spec.environ["CLARIFAI_PAT"]) is None
    assert (process.signals, stage.lane.live_replicas) == (["KILL"], 0)
    await settle()
    assert stage.said("replica.crashed") == ["a test asked for it; starts again in 0.5 s"]
    await stage.later(0.51)
    assert len(stage.backend.running) == 1


async def test_a_users_own_runner_that_a_fault_loses_is_cut_off_and_asks_anew(stage: Stage) -> None:
    stage.prepare()
    await stage.deploy(0)
    link = stage.dispatcher.add_runner((*keys(["pool"])[0], "own"), stage.lane)
    replica = stage.dispatcher.connect(link, "own-replica")
    stage.dispatcher.hear(replica)
    busy, idle = Slot(replica), Slot(replica)
    stage.lane.offer(busy)
    work = await stage.ask()
    stage.lane.offer(idle)
    stage.supervisor.lose_replica(replica, "a test asked for it")
    await settle()
    assert idle.work.cancelled()
    assert "a test asked for it" in (await failure(work)).details
    assert link.replicas == {}


@pytest.mark.parametrize("least", [0, 1])
async def test_scaled_to_zero_by_a_fault_only_what_is_wanted_starts_anew(stage: Stage, least: int) -> None:
    stage.prepare()
    await stage.deploy(least)
    work = await stage.ask()
    await stage.answer(await stage.ready(), work)
    (old,) = stage.backend.running
    stage.supervisor.scale_to_zero(stage.lane.key, "a test asked for it")
    assert stage.lane.live_replicas == 0
    await settle()
    assert stage.said("replica.draining") == ["a test asked for it"]
    assert old.signals == ["TERM"]
    assert len(stage.backend.running) == least
    await stage.ask()
    assert len(stage.backend.running) == 1


async def test_scaled_to_zero_by_a_fault_what_runs_is_finished(stage: Stage) -> None:
    stage.prepare()
    await stage.deploy()
    replica = await stage.ready()
    work = await stage.ask()
    (old,) = stage.backend.running
    stage.supervisor.scale_to_zero(stage.lane.key, "a test asked for it")
    await settle()
    assert (stage.lane.live_replicas, old.signals) == (0, [])
    replica.finish(work)
    replica.release(work)
    await settle()
    assert (work.state, old.signals) == (State.DONE, ["TERM"])


# How one is ended.


async def test_a_busy_replica_finishes_its_work_before_it_is_ended(stage: Stage) -> None:
    stage.prepare()
    await stage.deploy()
    replica = await stage.ready()
    work = await stage.ask()
    (process,) = stage.backend.running
    await stage.patch(status=Deployment.DISABLED)
    assert (process.signals, stage.record(process).state) == ([], ReplicaState.DRAINING)
    await stage.answer(replica, work)
    assert process.signals == ["TERM"]
    assert stage.said("replica.stopped") == ["its process exited with code 0"]
    assert work.state is State.DONE


async def test_a_replica_that_does_not_listen_is_killed(stage: Stage) -> None:
    stage.prepare()
    await stage.deploy()
    (process,) = stage.backend.running
    process.obeys = False
    await stage.delete()
    await asyncio.wait_for(process.exited, 1)
    await settle()
    assert process.signals == ["TERM", "KILL"]
    assert stage.said("replica.stopped") == ["its process was ended by signal 9"]


async def test_a_replica_that_becomes_ready_while_it_is_ended_gets_no_work(stage: Stage) -> None:
    stage.prepare()
    await stage.deploy(2)
    for process in stage.backend.running:
        process.obeys = False
    await stage.patch(autoscale_config={"min_replicas": 1, "max_replicas": 1})
    (ending,) = [each for each in stage.backend.processes if each.signals]
    work = await stage.ask()
    await stage.ready(ending)
    assert work.state is State.QUEUED


# When a deployment changes or goes.


async def test_a_deleted_deployment_ends_its_replicas_and_tells_their_callers(stage: Stage) -> None:
    stage.prepare()
    await stage.deploy(deployment_id="deployment")
    await stage.ready()
    served, waiting = await stage.ask(), await stage.ask()
    lane = stage.lane
    await stage.delete()
    for work in (served, waiting):
        error = await failure(work)
        assert error.code == StatusCode.DEPLOYMENT_DOES_NOT_EXIST
        assert error.message == "Deployment 'deployment' was deleted while it served this request."
    assert stage.backend.running == []
    assert stage.supervisor.fleets == {}
    assert list(stage.store.keys(Kind.RUNNER)) == []
    assert stage.dispatcher.find_lane(lane.key) is None


async def test_ids_keep_their_case_at_the_beginning_of_a_sentence(stage: Stage) -> None:
    stage.prepare()
    await stage.deploy(deployment_id="Deploy-Mine")
    work = await stage.ask()
    stage.api("DeleteDeployments", ids=["Deploy-Mine"])
    await settle()
    assert (await failure(work)).message.startswith("Deployment 'Deploy-Mine' was deleted")


async def test_a_deployment_that_is_deleted_while_its_replica_is_being_started_leaves_nothing(stage: Stage) -> None:
    stage.prepare()
    stage.backend.gate.clear()
    await stage.deploy()
    await stage.delete()
    assert stage.supervisor.fleets == {}
    assert stage.said("replica.stopped") == ["the emulator stopped it"]
    assert list(stage.store.keys(Kind.RUNNER)) == []
    stage.backend.gate.set()
    await settle()
    assert stage.backend.processes == []


async def test_deleting_a_deployment_ends_replicas_that_were_still_finishing_their_work(stage: Stage) -> None:
    stage.prepare()
    await stage.deploy()
    await stage.ready()
    await stage.ask()
    await stage.patch(status=Deployment.DISABLED)
    assert len(stage.backend.running) == 1
    await stage.delete()
    assert stage.backend.running == []
    assert stage.supervisor.fleets == {}


async def test_a_disabled_deployment_runs_nothing_until_it_is_enabled(stage: Stage) -> None:
    stage.prepare()
    await stage.deploy(2)
    await stage.patch(status=Deployment.DISABLED)
    assert (stage.backend.running, stage.supervisor.fleets) == ([], {})
    await stage.patch(status=Deployment.ENABLED)
    assert len(stage.backend.running) == 2


async def test_who_waits_for_a_version_that_is_superseded_is_told_to_ask_again(stage: Stage) -> None:
    stage.prepare()
    await stage.deploy(deploy_latest_version=True)
    (old,) = stage.backend.running
    work = await stage.ask()
    version = stage.fleet.target.version.id
    stage.version()
    await settle()
    error = await failure(work)
    assert error.code == StatusCode.MODEL_NOT_DEPLOYED
    assert error.message == (
        f"Deployment 'deployment' no longer serves version {version[:8]} of model 'model'. Send the request again: "
        "it is routed to the version that is deployed now."
    )
    assert old.signals == ["TERM"]
    (new,) = stage.backend.running
    assert stage.record(new).state is ReplicaState.STARTING
    assert [fleet.retired for fleet in stage.supervisor.fleets.values()] == [False]


@pytest.mark.parametrize("chosen", ["when-ready", "at-once"])
async def test_what_serves_ends_before_the_newest_version_serves_only_where_that_is_chosen(
    chosen: Literal["when-ready", "at-once"],
) -> None:
    stage = Stage(behaviour=Behaviour(latest_version=chosen))
    stage.prepare()
    await stage.deploy(deploy_latest_version=True)
    (old,) = stage.backend.running
    await stage.ready(old)
    stage.version()
    await settle()
    assert (old.signals == ["TERM"]) is (chosen == "at-once")
    assert len([each for each in stage.backend.processes if each is not old]) == 1
    await stage.close()


async def test_a_pinned_deployment_does_not_care_for_new_versions(stage: Stage) -> None:
    stage.prepare()
    pinned = stage.store.newest(Kind.MODEL_VERSION, ("ada", "app", "model")).id  # pyright: ignore[reportOptionalMemberAccess]
    await stage.deploy(worker={"model": {"id": "model", "app_id": "app", "model_version": {"id": pinned}}})
    before = stage.backend.running
    stage.version()
    await settle()
    assert stage.backend.running == before
    assert stage.fleet.target.version.id == pinned


async def test_a_deployment_that_moves_to_another_nodepool_takes_its_replicas_along(stage: Stage) -> None:
    stage.prepare("pool", "other")
    await stage.deploy(1, 1, "pool")
    replica = await stage.ready()
    work = await stage.ask()
    await stage.move("other")
    old, new = stage.backend.running
    assert (stage.record(old).state, stage.record(new).nodepool) == (ReplicaState.LIVE, keys(["other"])[0])
    await stage.ready(new)
    assert stage.record(old).state is ReplicaState.DRAINING
    await stage.answer(replica, work)
    assert stage.backend.running == [new]
    assert stage.said("replica.draining") == ["its nodepool is no longer one of the deployment's"]


# Where.


async def test_what_has_no_room_waits_says_why_and_starts_when_there_is_room(stage: Stage) -> None:
    stage.prepare(needs={"cpu_limit": "1", "cpu_memory": "1Gi"})
    await stage.deploy(deployment_id="first")
    await stage.deploy(deployment_id="second")
    assert len(stage.backend.running) == 1
    reason = (
        "deployment 'second': nodepool 'pool' is full: its 1 of 1 instances hold 1 replica (1 of deployment "
        "'first') and have no room for one that needs 1 CPU, 1Gi memory; `clarifai-emulator undeploy MODEL` makes "
        "room"
    )
    assert stage.said("deployment.pending") == [reason]
    (fleet,) = [each for each in stage.supervisor.fleets.values() if each.lane.key.deployment_id == "second"]
    assert (fleet.lane.pending_reason, fleet.lane.refusal) == (reason, None)
    await stage.later(1)
    assert stage.said("deployment.pending") == [reason]
    # The official command line waits for a runner, and shows the events of that one.
    (runner,) = fleet.runners.values()
    logged = [entry.message for entry in stage.api.logbook.entries("runner.events", runner_id=runner.id)]
    assert logged == ["No room: " + reason.removeprefix("deployment 'second': ")]
    assert stage.metrics.runner_metrics(runner).pods_total == 0
    stage.api("DeleteDeployments", ids=["first"])
    await settle()
    await stage.later(1)
    assert [stage.record(each).runner.description for each in stage.backend.running] == ["Runs deployment 'second'"]
    assert fleet.lane.pending_reason == ""


async def test_room_that_becomes_free_is_taken_at_once(stage: Stage) -> None:
    stage.prepare(needs={"cpu_limit": "1"})
    await stage.deploy(deployment_id="first")
    await stage.deploy(deployment_id="second")
    stage.api("DeleteDeployments", ids=["first"])
    await settle()
    assert [stage.record(each).runner.description for each in stage.backend.running] == ["Runs deployment 'second'"]


async def test_why_a_replica_was_not_there_is_not_said_once_it_is_not_wanted_any_more(stage: Stage) -> None:
    stage.prepare(needs={"cpu_limit": "1"})
    await stage.deploy()
    replica = await stage.ready()
    works = [await stage.ask() for _ in range(3)]
    assert "nodepool 'pool' is full" in stage.lane.pending_reason
    for work in works:
        await stage.answer(replica, work)
    await stage.later(1)
    assert (stage.lane.pending_reason, stage.fleet.no_room_since) == ("", None)


async def test_a_deployment_without_room_keeps_one_timer_however_often_it_is_asked(stage: Stage) -> None:
    stage.prepare(needs={"cpu_limit": "1"})
    await stage.deploy(deployment_id="first")
    await stage.deploy(deployment_id="second")
    loop: Any = asyncio.get_running_loop()
    before = len([timer for timer in loop._scheduled if not timer.cancelled()])
    for _ in range(20):
        await stage.later(0.01)
    assert len([timer for timer in loop._scheduled if not timer.cancelled()]) == before


async def test_of_two_times_to_look_again_the_sooner_counts(stage: Stage) -> None:
    stage.prepare()
    await stage.deploy(0)
    loop: Any = asyncio.get_running_loop()
    key = stage.lane.key
    before = [timer for timer in loop._scheduled if not timer.cancelled()]
    for seconds in (60, 20, 40):
        stage.supervisor._worklist.mark_later(key, seconds)  # pyright: ignore[reportPrivateUsage]
    (timer,) = [each for each in loop._scheduled if not each.cancelled() and each not in before]
    assert timer.when() == pytest.approx(loop.time() + 20, abs=1)


async def test_what_can_never_be_placed_is_refused_with_the_reason(stage: Stage) -> None:
    stage.prepare(needs={"cpu_limit": "64"})
    await stage.deploy()
    with pytest.raises(CallerError) as raised:
        await stage.ask()
    assert raised.value.code == StatusCode.MODEL_DEPLOYMENT_FAILED
    assert raised.value.message.startswith(
        "No replica can be placed for deployment 'deployment': no instance type of nodepool 'pool' fits the model: "
        "t3a.medium needs 64 CPUs, it has 1545m. Deploy it to a nodepool of a larger instance type"
    )
    assert stage.backend.processes == []


async def test_the_next_nodepool_takes_what_the_first_has_no_room_for(stage: Stage) -> None:
    stage.prepare("pool", "other", needs={"cpu_limit": "1"})
    await stage.deploy(2, 2, "pool", "other")
    assert [stage.record(each).nodepool[2] for each in stage.backend.running] == ["pool", "other"]


async def test_a_nodepool_that_a_request_insists_on_gets_a_replica_of_its_own(stage: Stage) -> None:
    stage.prepare("pool", "other")
    await stage.deploy(1, 2, "pool", "other")
    await stage.ready()
    work = await stage.ask("other")
    assert [stage.record(each).nodepool[2] for each in stage.backend.running] == ["pool", "other"]
    await stage.ready()
    assert work.state is State.SENT


async def test_without_packing_each_replica_has_an_instance_of_its_own(stage: Stage) -> None:
    stage.prepare(max_instances=2)
    await stage.deploy(3, 3, autoscale={"disable_packing": True})
    assert len(stage.backend.running) == 2
    assert stage.capacity.nodes_in_use(keys(["pool"])[0]) == 2
    assert "is full: its 2 of 2 instances hold 2 replicas" in stage.said("deployment.pending")[0]


async def test_a_runner_is_made_for_each_nodepool_and_used_again(stage: Stage) -> None:
    stage.prepare("pool", "other")
    await stage.deploy(2, 5, "pool")
    await stage.crash()
    await stage.later(1)
    (runner,) = stage.store.list(Kind.RUNNER)
    assert {process.spec.environ["CLARIFAI_RUNNER_ID"] for process in stage.backend.processes} == {runner.id}
    assert runner.worker.model.model_version.id == stage.fleet.target.version.id


# Accelerators.


async def test_a_replica_sees_the_accelerators_it_was_given_and_no_two_the_same() -> None:
    stage = Stage(gpus=["NVIDIA-A10G", "NVIDIA-A10G"])
    stage.prepare(needs=ONE_GPU, **GPU_POOL)
    await stage.deploy(2)
    seen = [process.spec.variables["CUDA_VISIBLE_DEVICES"] for process in stage.backend.running]
    assert sorted(seen) == ["0", "1"]
    assert stage.said("replica.substituted") == []
    await stage.delete()
    assert stage.accelerators.holders == {}
    await stage.close()


async def test_other_accelerators_stand_in_for_those_asked_for_and_that_is_said() -> None:
    stage = Stage(gpus=["NVIDIA-H200"])
    stage.prepare(needs=ONE_GPU, **GPU_POOL)
    await stage.deploy()
    assert stage.backend.running[0].spec.variables["CUDA_VISIBLE_DEVICES"] == "0"
    assert stage.said("replica.substituted") == ["runs on GPU-0, not on NVIDIA-A10G"]
    await stage.close()


async def test_without_an_accelerator_nothing_is_started_and_callers_are_told(stage: Stage) -> None:
    stage.prepare(needs=ONE_GPU, **GPU_POOL)
    await stage.deploy()
    with pytest.raises(CallerError) as raised:
        await stage.ask()
    assert raised.value.message.startswith(
        "No replica can be placed for deployment 'deployment': 1 accelerator with 20Gi wanted, but this machine "
        "has none: there is no nvidia-smi on the PATH."
    )
    assert stage.backend.processes == []
    assert stage.capacity.nodes_in_use(keys(["pool"])[0]) == 0


async def test_accelerators_in_use_are_waited_for() -> None:
    stage = Stage(gpus=["NVIDIA-A10G"])
    stage.prepare(needs=ONE_GPU, **GPU_POOL)
    await stage.deploy(2)
    assert len(stage.backend.running) == 1
    assert "used by deployment 'deployment'" in stage.lane.pending_reason
    assert stage.lane.refusal is None
    await stage.close()


# What the emulator does not start.


async def test_a_model_that_is_known_by_name_only_is_refused_until_its_code_is_there(stage: Stage) -> None:
    stage.api.cluster()
    stage.api.nodepool()
    stage.api.model()
    version = stage.version(with_code=False)
    await stage.deploy()
    with pytest.raises(CallerError) as raised:
        await stage.ask()
    assert raised.value.message == (
        "No replica can be started for deployment 'deployment': model ada/app/models/model is known by name only, "
        "its code is not on this machine. Deploy a model directory under that name: `clarifai-emulator deploy DIR "
        "--model ada/app/models/model`, or name it under `models:` in the topology file."
    )
    stage.store.put(Kind.SOURCE, ("ada", "app", "model", version), SOURCE)
    await settle()
    assert len(stage.backend.running) == 1
    assert stage.lane.refusal is None


async def test_in_a_cluster_without_nodes_of_its_own_the_user_starts_the_runners(stage: Stage) -> None:
    stage.api.cluster(cluster_type="local-dev")
    stage.api.nodepool()
    stage.api.model()
    stage.version()
    await stage.deploy()
    work = await stage.ask()
    assert (stage.backend.processes, work.state) == ([], State.QUEUED)
    assert stage.lane.pending_reason == "its nodepool has no nodes of its own: start the runner yourself"
    key = (*keys(["pool"])[0], "mine")
    runner = stage.api(
        "PostRunners",
        compute_cluster_id="cluster",
        nodepool_id="pool",
        runners=[{"id": "mine", "worker": {"model": {"id": "model", "app_id": "app", "user_id": "ada"}}}],
    ).runners[0]
    link = stage.supervisor.adopt((*key[:3], runner.id), runner)
    replica = stage.dispatcher.connect(link, "mine")
    stage.dispatcher.hear(replica)
    link.lane.offer(Slot(replica))
    assert work.state is State.SENT
    metrics = stage.metrics.deployment_metrics(stage.stored())
    assert (metrics.desired_replicas, metrics.live_replicas) == (1, 1)
    assert [each.metrics.live_replicas for each in metrics.nodepool_metrics] == [1]
    await stage.delete()
    assert stage.store.get(Kind.RUNNER, (*key[:3], runner.id)) is not None, "it is its user's to delete"


@pytest.mark.parametrize(("model", "version"), [("another", ""), ("model", "another")])
async def test_a_users_runner_of_another_model_or_version_serves_no_deployment(
    stage: Stage, model: str, version: str
) -> None:
    stage.prepare()
    await stage.deploy(0)
    runner = Runner(id="mine")
    runner.worker.model.MergeFrom(Model(user_id="ada", app_id="app", id=model))
    runner.worker.model.model_version.id = version
    link = stage.supervisor.adopt((*keys(["pool"])[0], "mine"), runner)
    assert link.lane is not stage.lane
    assert link.lane.key == ("ada", "ada/cluster/pool", version, f"ada/app/{model}")


# When a model does not come back.


async def test_a_replica_that_hangs_in_an_abandoned_request_is_replaced() -> None:
    stage = Stage(num_threads=2)
    stage.prepare()
    await stage.deploy(1, 1)
    await stage.ready(slots=2)
    (hung,) = stage.backend.running
    work, other = await stage.ask(), await stage.ask()
    work.cancel()
    await stage.later(59)
    assert stage.backend.running == [hung]
    await stage.later(1)
    _, replacement = stage.backend.running
    assert (hung.signals, replacement.signals) == ([], []), "someone still waits for the other request"
    assert stage.said("replica.hung") == [
        f"its model still works on request {work.request_id}, 60.0 s after nobody waited for it any more"
    ]
    assert stage.said("replica.draining") == ["it hangs; another replica takes its place"]
    await stage.ready(replacement)
    assert (await stage.ask()).replica_id == replacement.spec.replica_id
    other.cancel()
    await settle()
    assert hung.signals == ["TERM"]
    assert stage.backend.running == [replacement]
    await stage.close()


async def test_a_model_that_comes_back_in_time_keeps_its_replica(stage: Stage) -> None:
    stage.prepare()
    await stage.deploy(1, 1)
    replica = await stage.ready()
    work = await stage.ask()
    work.cancel()
    await stage.later(30)
    replica.release(work)
    await stage.later(60)
    assert len(stage.backend.processes) == 1
    assert stage.said("replica.hung") == []


async def test_a_replica_that_closed_its_connection_and_does_not_end_is_killed() -> None:
    stage = Stage(stop_seconds=5)
    stage.prepare()
    await stage.deploy(1, 1)
    replica = await stage.ready()
    replica.stream_began()
    replica.stream_ended(broke_off=True)
    await stage.later(4)
    assert stage.backend.processes[0].signals == []
    replica.stream_began()  # it was only cut off
    await stage.later(60)
    replica.stream_ended(broke_off=True)
    await stage.later(5)
    assert stage.backend.processes[0].signals == ["KILL"]
    assert stage.said("replica.crashed") == [
        "it closed its connection, but its process had not ended 5 s later; starts again in 0.5 s"
    ]
    await stage.close()


async def test_a_replica_whose_streams_have_only_ended_is_waited_for_longer() -> None:
    stage = Stage(stop_seconds=0.5)
    stage.prepare()
    await stage.deploy(1, 1)
    replica = await stage.ready()
    replica.stream_began()
    replica.stream_ended(broke_off=False)
    await stage.later(29)
    assert stage.backend.processes[0].signals == [], "short of processor time, it takes a while to ask again"
    await stage.later(1)
    assert stage.backend.processes[0].signals == ["KILL"]
    assert stage.said("replica.crashed") == [
        "it asks for no more work, and its process had not ended 30 s later; starts again in 0.5 s"
    ]
    await stage.close()


async def test_the_supervisor_looks_at_a_hung_replica_by_itself() -> None:
    stage = Stage(reclaim_seconds=0.02)
    stage.prepare()
    await stage.deploy(1, 1)
    await stage.ready()
    (await stage.ask()).cancel()
    await settle()
    stage.clock.seconds += 0.02
    await asyncio.sleep(0.1)
    assert stage.backend.processes[0].signals == ["TERM"]
    await stage.close()


async def test_a_hung_replica_does_not_keep_a_deployment_that_is_disabled(stage: Stage) -> None:
    stage.prepare()
    await stage.deploy(1, 1)
    await stage.ready()
    (hung,) = stage.backend.running
    (await stage.ask()).cancel()
    await stage.patch(status=Deployment.DISABLED)
    assert hung.signals == []
    for fleet in stage.supervisor.fleets.values():
        stage.clock.seconds += 60
        stage.supervisor.demanded(fleet.lane)
    await settle()
    assert hung.signals == ["TERM"]
    assert len(stage.backend.processes) == 1


# Shared compute.


async def test_a_model_on_shared_compute_starts_with_its_first_request(stage: Stage) -> None:
    stage.prepare()
    version = stage.store.newest(Kind.MODEL_VERSION, ("ada", "app", "model")).id  # pyright: ignore[reportOptionalMemberAccess]
    lane = stage.supervisor.use_shared(keys(["pool"])[0], ("ada", "app", "model"), version)
    assert stage.supervisor.use_shared(keys(["pool"])[0], ("ada", "app", "model"), version) is lane
    await settle()
    assert stage.backend.processes == []
    await stage.ask(lane=lane)
    (process,) = stage.backend.running
    assert stage.record(process).runner.description == "Runs shared nodepool 'pool'"


# The end.


async def test_stopping_ends_every_replica_and_starts_none(stage: Stage) -> None:
    stage.prepare()
    await stage.deploy(3)
    stage.backend.running[0].obeys = False
    await stage.supervisor.stop(grace=0.01)
    assert [process.signals for process in stage.backend.processes] == [["TERM", "KILL"], ["TERM"], ["TERM"]]
    await stage.later(60)
    assert stage.backend.running == []


async def test_reset_ends_every_replica_at_once_and_forgets_every_fleet(stage: Stage) -> None:
    stage.prepare()
    await stage.deploy(2)
    await stage.supervisor.reset()
    assert [process.signals for process in stage.backend.processes] == [["KILL"], ["KILL"]]
    assert stage.supervisor.fleets == {}


async def test_reset_leaves_nothing_of_a_deployment_that_came_just_before_it(stage: Stage) -> None:
    stage.prepare(max_instances=5)
    await stage.deploy(1)
    stage.api.deployment("another", autoscale_config={"min_replicas": 1, "max_replicas": 1})
    await stage.supervisor.reset()
    await settle()
    assert stage.backend.running == []
    assert stage.supervisor.fleets == {}


async def test_a_request_that_comes_during_a_reset_leaves_no_replica_behind(stage: Stage) -> None:
    stage.prepare(max_instances=5)
    await stage.deploy(1)
    version = stage.fleet.target.version.id
    (process,) = stage.backend.running

    def ask(_: Any) -> None:
        lane = stage.supervisor.use_shared(keys(["pool"])[0], ("ada", "app", "model"), version)
        work = Work("request", method_type=1, events=stage.events, nodepools=keys(["pool"]))
        lane.submit(work)

    process.exited.add_done_callback(ask)
    await stage.supervisor.reset()
    await settle()
    assert stage.backend.running == []


async def test_after_a_failure_the_supervisor_goes_on(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.prepare()
    monkeypatch.setattr(stage.replicas, "launch", lambda fleet: 1 / 0)  # pyright: ignore[reportUnknownLambdaType]
    await stage.deploy()
    monkeypatch.undo()
    await stage.later(1)
    assert len(stage.backend.running) == 1


# What it says.


async def test_a_replicas_lines_are_logged_under_its_runner_cluster_and_nodepool(stage: Stage) -> None:
    stage.prepare("pool", "other")
    await stage.deploy(1, 1, "other")
    stage.backend.running[0].say("hello from the model")
    (runner,) = stage.store.list(Kind.RUNNER)
    entries = stage.api(
        "ListLogEntries",
        log_type="runner",
        compute_cluster_id="cluster",
        nodepool_id="other",
        runner_id=runner.id,
    ).log_entries
    assert [entry.message for entry in entries] == ["hello from the model"]


async def test_events_name_the_deployment_model_version_and_replica(stage: Stage) -> None:
    stage.prepare()
    await stage.deploy()
    (event,) = stage.events.recent("replica.starting")
    assert event.fields == {
        "message": "in nodepool 'pool'",
        "replica_id": stage.backend.running[0].spec.replica_id,
        "nodepool": "ada/cluster/pool",
        "machine": "local",
        "deployment_id": "deployment",
        "user_id": "ada",
        "model_id": "model",
        "version_id": stage.fleet.target.version.id,
    }
