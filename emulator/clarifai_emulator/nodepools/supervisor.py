"""Keeps the wanted replicas alive: the loop between what deployments ask for and what runs.

    store changes, demand, replica ready/ended, timers ──► dirty fleets ──► reconcile(fleet)
                                                                              │ scaling.py: how many
                                                                              │ capacity.py: where
                                                                              ▼
                                                     start a replica │ drain one │ refuse, with the reason

One task reconciles; each replica has one task that lives exactly as long as its process.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import ComputeInfo, Runner
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.clock import Clock
from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.dispatch.dispatcher import Dispatcher
from clarifai_emulator.dispatch.lane import Lane, LaneKey, Replica, RunnerLink
from clarifai_emulator.errors import CallerError, ModelError
from clarifai_emulator.events import EventBus
from clarifai_emulator.logbook import LogBook
from clarifai_emulator.nodepools.accelerators import AcceleratorPool
from clarifai_emulator.nodepools.capacity import Capacity, NodepoolKey, NoRoom, Placement
from clarifai_emulator.nodepools.fleet import Fleet, ReplicaRecord, ReplicaState, Target, model_traceback
from clarifai_emulator.nodepools.scaling import (
    TRAFFIC_HISTORY_SECONDS,
    crash_delay,
    desired_replicas,
    is_failed,
)
from clarifai_emulator.nodepools.targets import Targets
from clarifai_emulator.runners.backend import Backend, ReplicaSpec
from clarifai_emulator.store import Key, Kind, Store

log = logging.getLogger(__name__)

# A replica that was ready this long, or served a request, was healthy: its end starts a new count of failures.
_HEALTHY_SECONDS = 10.0


class Supervisor:
    """Starts, drains and restarts replicas. Runs in the emulator's event loop."""

    def __init__(
        self,
        *,
        config: EmulatorConfig,
        store: Store,
        targets: Targets,
        dispatcher: Dispatcher,
        backends: Mapping[str, Backend],
        accelerators: AcceleratorPool,
        capacity: Capacity,
        events: EventBus,
        logbook: LogBook,
        clock: Clock,
    ) -> None:
        self.fleets: dict[LaneKey, Fleet] = {}
        self.runner_url = ""
        self.api_base = ""
        self._config = config
        self._store = store
        self._targets = targets
        self._dispatcher = dispatcher
        self._backends = backends
        self._accelerators = accelerators
        self._capacity = capacity
        self._events = events
        self._logbook = logbook
        self._clock = clock
        self._dirty: set[LaneKey] = set()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stale: set[Key] = set()
        dispatcher.on_demand = lambda lane: self._mark(lane.key)
        dispatcher.on_replica = self._replica_changed
        store.watch(self._store_changed)

    # ── what wakes it ──────────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Begin to reconcile."""
        self._task = asyncio.create_task(self._loop(), name="supervisor")

    async def stop(self, *, grace: float) -> None:
        """Stop reconciling and end every replica: SIGTERM, and after ``grace`` seconds SIGKILL."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await self._end_all(grace=grace)

    async def reset(self) -> None:
        """End every replica at once and forget every fleet."""
        await self._end_all(grace=0)
        self.fleets.clear()
        self._dirty.clear()
        self._stale.clear()

    def _store_changed(self, kind: Kind, key: Key) -> None:
        if kind is Kind.DEPLOYMENT:
            self._stale.add(key)
        elif kind in (Kind.NODEPOOL, Kind.MODEL_VERSION, Kind.SOURCE):
            self._stale.update(self._targets.deployments_touched_by(kind, key))
        else:
            return
        self._wake.set()

    def _replica_changed(self, replica: Replica) -> None:
        fleet = self.fleets.get(replica.runner.lane.key)
        record = fleet.records.get(replica.replica_id) if fleet is not None else None
        if record is not None and record.state is ReplicaState.STARTING and replica.is_live:
            record.state = ReplicaState.LIVE
            record.ready = self._clock.monotonic()
            self._note(fleet, record, "replica.live", f"ready after {record.ready - record.started:.2f} s")
        self._mark(replica.runner.lane.key)

    def _mark(self, key: LaneKey) -> None:
        self._dirty.add(key)
        self._wake.set()

    def _mark_later(self, key: LaneKey, seconds: float) -> None:
        asyncio.get_running_loop().call_later(max(seconds, 0.01), self._mark, key)

    async def _loop(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                self._refresh()
                while self._dirty:
                    self._reconcile(self._dirty.pop())
            except Exception:
                log.exception("the supervisor failed; it goes on with the next change")

    # ── which fleets there should be ───────────────────────────────────────────────────────────────────

    def _refresh(self) -> None:
        """Bring the fleets of changed deployments up to what their deployment now says."""
        while self._stale:
            user_id, deployment_id = self._stale.pop()
            target = self._targets.of_deployment(user_id, deployment_id)
            current = None
            if target is not None:
                current = LaneKey(user_id, deployment_id, target.version.id)
                self._aim(current, target)
            for key, fleet in self.fleets.items():
                if key[:2] == (user_id, deployment_id) and key != current:
                    fleet.retired = True
                    self._dirty.add(key)

    def _aim(self, key: LaneKey, target: Target) -> None:
        fleet = self.fleets.get(key)
        if fleet is None:
            fleet = self.fleets[key] = Fleet(self._dispatcher.lane(key), target)
        elif fleet.retired or fleet.target != target:
            fleet.failures, fleet.retry_at = 0, 0.0
            fleet.lane.accept()
        fleet.target = target
        fleet.retired = False
        self._dirty.add(key)

    def use_shared(self, nodepool: NodepoolKey, model: Key, version_id: str) -> Lane:
        """The lane of a model on shared compute; made on first use, with default autoscaling."""
        key = LaneKey("", "/".join(nodepool), version_id)
        if key not in self.fleets:
            self._aim(key, self._targets.on_shared(nodepool, model, version_id))
        return self.fleets[key].lane

    def adopt(self, key: Key, runner: Runner) -> RunnerLink | None:
        """Let a runner that its user started serve the deployments of its nodepool; None while there are none."""
        nodepool = (key[0], key[1], key[2])
        for fleet in self.fleets.values():
            target = fleet.target
            serves = (target.model.user_id, target.model.app_id, target.model.id)
            asked = runner.worker.model
            if nodepool in dict(target.nodepools) and serves == (asked.user_id, asked.app_id, asked.id):
                return self._dispatcher.add_runner(runner.id, nodepool, fleet.lane)
        return None

    # ── one fleet ──────────────────────────────────────────────────────────────────────────────────────

    def _reconcile(self, key: LaneKey) -> None:
        fleet = self.fleets.get(key)
        if fleet is None:
            return
        if fleet.retired:
            self._retire(fleet)
            return
        now = self._clock.monotonic()
        for replica in (r for link in fleet.lane.runners.values() for r in link.replicas.values()):
            if replica.starts > 1 and replica.replica_id in fleet.records:
                fleet.records[replica.replica_id].served = True
        if any(record.served or self._is_healthy(record, now) for record in fleet.live):
            fleet.failures = 0
        self._scale(fleet, now)

    def _is_healthy(self, record: ReplicaRecord, now: float) -> bool:
        return record.ready is not None and now - record.ready > _HEALTHY_SECONDS

    def _scale(self, fleet: Fleet, now: float) -> None:
        config = fleet.target.autoscale
        active = fleet.active
        advice = desired_replicas(
            config,
            fleet.demand(now, config.traffic_history_seconds or TRAFFIC_HISTORY_SECONDS),
            len(active),
            None if fleet.last_scale_up is None else now - fleet.last_scale_up,
            None if fleet.last_scale_down is None else now - fleet.last_scale_down,
        )
        fleet.wanted = advice.desired
        if advice.recheck_in is not None:
            self._mark_later(fleet.lane.key, advice.recheck_in)
        missing = advice.desired - len(active)
        if missing <= 0 and fleet.unserved_nodepools() and len(active) < (config.max_replicas or 5):
            missing = 1
        if missing > 0:
            self._grow(fleet, missing, now)
        elif missing < 0:
            fleet.last_scale_down = now
            for record in self._least_busy(fleet, -missing):
                self._drain(fleet, record, advice.reason)

    def _grow(self, fleet: Fleet, count: int, now: float) -> None:
        if now < fleet.retry_at:
            self._mark_later(fleet.lane.key, fleet.retry_at - now)
            return
        if fleet.target.is_user_run:
            fleet.lane.pending_reason = "its nodepool has no nodes of its own: start the runner yourself"
            return
        if fleet.target.source is None:
            fleet.lane.refuse(_no_code(fleet.target))
            return
        grown_before = bool(fleet.active)
        for _ in range(count):
            try:
                self._launch(fleet, now)
            except NoRoom as no_room:
                self._pend(fleet, no_room)
                return
        if grown_before:
            fleet.last_scale_up = now
        fleet.lane.pending_reason = ""

    def _pend(self, fleet: Fleet, no_room: NoRoom) -> None:
        """A wanted replica has no room. Others may serve; with none, callers wait or are told at once."""
        reason = f"{fleet.target.name}: {no_room}"
        if reason != fleet.lane.pending_reason:
            fleet.lane.pending_reason = reason
            self._events.emit("deployment.pending", **_names(fleet), reason=reason, for_good=no_room.for_good)
            self._log(fleet, "runner.events", f"FailedScheduling: {reason}")
        if no_room.for_good and not fleet.active:
            fleet.lane.refuse(_cannot_be_placed(reason))
        elif not no_room.for_good:
            self._mark_later(fleet.lane.key, 1.0)

    def _least_busy(self, fleet: Fleet, count: int) -> Sequence[ReplicaRecord]:
        def business(record: ReplicaRecord) -> tuple[bool, int]:
            link = self._dispatcher.runner(record.runner.id)
            replica = link.replicas.get(record.replica_id) if link is not None else None
            return (record.state is ReplicaState.LIVE, len(replica.busy) if replica is not None else 0)

        return sorted(fleet.active, key=business)[:count]

    def _retire(self, fleet: Fleet) -> None:
        """The deployment is gone, disabled or at another version: nothing new; end when what runs is done."""
        deleted = self._store.get(Kind.DEPLOYMENT, fleet.lane.key[:2]) is None
        if deleted:
            self._dispatcher.close_lane(fleet.lane.key, _deleted(fleet.target))
        elif fleet.lane.waiting:
            fleet.lane.refuse(_superseded(fleet.target))
            fleet.lane.accept()
        for record in fleet.active:
            self._drain(fleet, record, "its deployment no longer wants it", at_once=deleted)
        if not fleet.records:
            self.fleets.pop(fleet.lane.key, None)
            self._dispatcher.close_lane(fleet.lane.key, _superseded(fleet.target))

    # ── one replica ────────────────────────────────────────────────────────────────────────────────────

    def _launch(self, fleet: Fleet, now: float) -> None:
        """Take room and devices for one more replica and start its task. Raises ``NoRoom``."""
        placement, devices = self._place(fleet)
        runner = self._runner(fleet, placement.nodepool)
        credential = self._dispatcher.issue_credential(runner.id)
        record = ReplicaRecord(credential, runner, placement, now, devices=devices)
        fleet.records[record.replica_id] = record
        self._note(fleet, record, "replica.starting", f"in nodepool '{placement.nodepool[2]}'")
        record.task = asyncio.create_task(self._live(fleet, record), name=f"replica {record.replica_id[:8]}")

    def _place(self, fleet: Fleet) -> tuple[Placement, tuple[str, ...]]:
        """Room in the first nodepool that has it, and its accelerators. Raises the most hopeful ``NoRoom``."""
        required = fleet.target.version.inference_compute_info
        urgent = fleet.unserved_nodepools()
        candidates = [entry for entry in fleet.target.nodepools if not urgent or entry[0] in urgent]
        refusals: list[NoRoom] = []
        for key, nodepool in candidates:
            try:
                placement = self._capacity.place(
                    key, nodepool, required, spread=fleet.target.autoscale.disable_packing
                )
            except NoRoom as no_room:
                refusals.append(no_room)
                continue
            try:
                return placement, self._devices(fleet, required)
            except NoRoom as no_room:
                self._capacity.release(placement)
                refusals.append(no_room)
        if not refusals:
            raise NoRoom("none of its nodepools exists any more", for_good=True)
        raise next((r for r in refusals if not r.for_good), refusals[0])

    def _devices(self, fleet: Fleet, required: ComputeInfo) -> tuple[str, ...]:
        """Accelerators of this machine for one replica: of the type asked for, else any with the memory.

        A nodepool may emulate an instance type whose accelerators this machine does not have; then the model
        runs on what is there, and it is said. Raises ``NoRoom``: never on none.
        """
        if not required.num_accelerators:
            return ()
        try:
            return self._accelerators.allocate_for(required, holder=fleet.target.name)
        except NoRoom as no_room:
            if not no_room.for_good:
                raise
        untyped = ComputeInfo()
        untyped.CopyFrom(required)
        untyped.ClearField("accelerator_type")
        devices = self._accelerators.allocate_for(untyped, holder=fleet.target.name)
        self._events.emit(
            "replica.substituted", **_names(fleet), asked=list(required.accelerator_type), devices=list(devices)
        )
        asked = " or ".join(required.accelerator_type)
        self._log(fleet, "runner.events", f"replica.substituted: runs on {', '.join(devices)}, not on {asked}")
        return devices

    async def _live(self, fleet: Fleet, record: ReplicaRecord) -> None:
        """A replica's whole life: start it, wait until its process has ended, give everything back."""
        why = "the emulator stopped it"
        try:
            record.process = await self._backends[fleet.target.backend].start(
                self._spec(fleet, record), lambda line: self._printed(fleet, record, line)
            )
            why = str(await asyncio.shield(record.process.exited))
        except ModelError as error:
            why = error.summary
            record.tail.extend(str(error).splitlines())
        finally:
            self._capacity.release(record.placement)
            self._accelerators.release(record.devices)
            self._dispatcher.revoke(record.credential)
            link = self._dispatcher.runner(record.runner.id)
            if link is not None:
                self._dispatcher.lose(link, record.replica_id, why)
            fleet.records.pop(record.replica_id, None)
        self._ended(fleet, record, why)

    def _ended(self, fleet: Fleet, record: ReplicaRecord, why: str) -> None:
        now = self._clock.monotonic()
        if record.state is ReplicaState.DRAINING or fleet.retired:
            self._note(fleet, record, "replica.stopped", why)
        else:
            healthy = record.served or self._is_healthy(record, now)
            fleet.failures = 1 if healthy else fleet.failures + 1
            fleet.retry_at = now + crash_delay(fleet.failures)
            fleet.last_failure = model_traceback(record.tail)
            self._note(fleet, record, "replica.crashed", f"{why}; starts again in {fleet.retry_at - now:.1f} s")
            if is_failed(fleet.failures) and not fleet.live:
                fleet.lane.refuse(_keeps_failing(fleet, why))
                self._events.emit("deployment.failed", **_names(fleet), reason=why, traceback=fleet.last_failure)
        self._mark(fleet.lane.key)

    def _printed(self, fleet: Fleet, record: ReplicaRecord, line: str) -> None:
        record.tail.append(line)
        self._log(fleet, "runner", line, record.runner)

    def _drain(self, fleet: Fleet, record: ReplicaRecord, reason: str, *, at_once: bool = False) -> None:
        """Give it nothing new, let it finish, then end it (SIGTERM alone would lose what it works on)."""
        record.state = ReplicaState.DRAINING
        self._note(fleet, record, "replica.draining", reason)
        link = self._dispatcher.runner(record.runner.id)
        replica = link.replicas.get(record.replica_id) if link is not None else None
        if replica is not None:
            replica.drain()
        asyncio.create_task(self._finish(record, replica, at_once=at_once))  # noqa: RUF006 - ends with the process

    async def _finish(self, record: ReplicaRecord, replica: Replica | None, *, at_once: bool) -> None:
        if replica is not None and not at_once:
            await replica.drained.wait()
        await self._end(record, grace=self._config.stop_seconds)

    async def _end(self, record: ReplicaRecord, *, grace: float) -> None:
        task, process = record.task, record.process
        if process is None:
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            return
        if grace:
            process.terminate()
            await asyncio.wait([process.exited], timeout=grace)
        process.kill()
        if task is not None:
            await asyncio.gather(task, return_exceptions=True)

    async def _end_all(self, *, grace: float) -> None:
        records = [record for fleet in self.fleets.values() for record in fleet.records.values()]
        for fleet in self.fleets.values():
            fleet.retired = True
        await asyncio.gather(*(self._end(record, grace=grace) for record in records))

    def _spec(self, fleet: Fleet, record: ReplicaRecord) -> ReplicaSpec:
        source = fleet.target.source
        assert source is not None
        user_id, cluster_id, nodepool_id = record.nodepool
        return ReplicaSpec(
            replica_id=record.replica_id,
            source=source,
            base_url=self.runner_url,
            num_threads=self._config.num_threads or fleet.target.version.num_threads,
            environ={
                "CLARIFAI_USER_ID": user_id,
                "CLARIFAI_COMPUTE_CLUSTER_ID": cluster_id,
                "CLARIFAI_NODEPOOL_ID": nodepool_id,
                "CLARIFAI_RUNNER_ID": record.runner.id,
                "CLARIFAI_API_BASE": self.api_base,
                "CLARIFAI_PAT": record.credential.token,
                "CLARIFAI_RUNNER_REPLICA_ID": record.replica_id,
                "CUDA_VISIBLE_DEVICES": ",".join(record.devices),
            },
        )

    def _runner(self, fleet: Fleet, nodepool: NodepoolKey) -> Runner:
        """The runner of this fleet in this nodepool: the record that ListRunners shows, made on first use."""
        for link in fleet.lane.runners.values():
            if link.nodepool == nodepool:
                runner = self._store.get(Kind.RUNNER, (*nodepool, link.runner_id))
                if runner is not None:
                    return runner
        runner = Runner(id=uuid.uuid4().hex, description=f"Runs {fleet.target.name}")
        runner.created_at.GetCurrentTime()
        runner.modified_at.CopyFrom(runner.created_at)
        runner.worker.model.CopyFrom(fleet.target.model)
        runner.worker.model.model_version.CopyFrom(fleet.target.version)
        runner.nodepool.CopyFrom(dict(fleet.target.nodepools)[nodepool])
        runner.compute_info.CopyFrom(fleet.target.version.inference_compute_info)
        runner.min_replicas = fleet.target.autoscale.min_replicas
        self._store.put(Kind.RUNNER, (*nodepool, runner.id), runner)
        self._dispatcher.add_runner(runner.id, nodepool, fleet.lane)
        return runner

    # ── what others hear ───────────────────────────────────────────────────────────────────────────────

    def _note(self, fleet: Fleet | None, record: ReplicaRecord, kind: str, message: str) -> None:
        assert fleet is not None
        names = {"replica_id": record.replica_id, "nodepool": "/".join(record.nodepool), **_names(fleet)}
        self._events.emit(kind, message=message, **names)
        self._log(fleet, "runner.events", f"{kind}: {message}", record.runner)

    def _log(self, fleet: Fleet, log_type: str, line: str, runner: Runner | None = None) -> None:
        version, model = fleet.target.version, fleet.target.model
        nodepool: Sequence[Any] = fleet.target.nodepools[0][0] if fleet.target.nodepools else ("", "", "")
        self._logbook.append(
            log_type,
            line,
            user_id=model.user_id,
            app_id=model.app_id,
            model_id=model.id,
            model_version_id=version.id,
            compute_cluster_id=nodepool[1],
            nodepool_id=nodepool[2] if runner is None else runner.nodepool.id,
            runner_id="" if runner is None else runner.id,
        )


def _names(fleet: Fleet) -> dict[str, str]:
    return {
        "deployment_id": fleet.lane.key.deployment_id,
        "user_id": fleet.lane.key.user_id,
        "model_id": fleet.target.model.id,
        "version_id": fleet.target.version.id,
    }


def _keeps_failing(fleet: Fleet, why: str) -> CallerError:
    return CallerError(
        StatusCode.MODEL_DEPLOYMENT_FAILED,
        f"{fleet.target.name.capitalize()} has no replica: {fleet.failures} starts in a row failed, the last "
        f"because {why}.\n{fleet.last_failure}\n",
        hint="Mend the model and deploy it again; `clarifai-emulator logs` has everything it printed.",
    )


def _cannot_be_placed(reason: str) -> CallerError:
    return CallerError(
        StatusCode.MODEL_DEPLOYMENT_FAILED,
        f"No replica can be placed for {reason}.",
        hint="Deploy it to a nodepool that has what the model asks for (a nodepool of the instance type you will "
        "use later is emulated by its size), or change inference_compute_info in config.yaml.",
    )


def _no_code(target: Target) -> CallerError:
    path = f"{target.model.user_id}/{target.model.app_id}/models/{target.model.id}"
    return CallerError(
        StatusCode.MODEL_DEPLOYMENT_FAILED,
        f"No replica can be started for {target.name}: model {path} is known by name only, its code is not on "
        "this machine.",
        hint="Deploy a model directory under that name: `clarifai-emulator deploy DIR --model "
        f"{path}`, or name it under `models:` in the topology file.",
    )


def _deleted(target: Target) -> CallerError:
    return CallerError(
        StatusCode.DEPLOYMENT_DOES_NOT_EXIST,
        f"{target.name.capitalize()} was deleted while it served this request.",
    )


def _superseded(target: Target) -> CallerError:
    return CallerError(
        StatusCode.MODEL_NOT_DEPLOYED,
        f"{target.name.capitalize()} no longer serves version {target.version.id[:8]} of model "
        f"'{target.model.id}'.",
        hint="Send the request again: it is routed to the version that is deployed now.",
    )
