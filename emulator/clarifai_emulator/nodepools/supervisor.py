"""Keeps the wanted replicas alive: the loop between what deployments ask for and what runs.

    store changes, demand, replica ready/ended, timers ──► worklist.py ──► reconcile(fleet)
                                                                             │ fleet_scaling.py
                                                                             ▼
                                                     start a replica │ drain one │ refuse, with the reason

One task reconciles; each replica has one task that lives exactly as long as its process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from clarifai_grpc.grpc.api.resources_pb2 import ComputeInfo, ModelVersion, Nodepool, Runner
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.background_work import begin, described
from clarifai_emulator.clock import Clock
from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.dispatch.dispatcher import Dispatcher
from clarifai_emulator.dispatch.lane import Lane, LaneKey, Replica, RunnerLink
from clarifai_emulator.errors import CallerError
from clarifai_emulator.messages.address import NodepoolKey, RunnerKey
from clarifai_emulator.models.version_source import ModelSource
from clarifai_emulator.models.versions import TRAINED, is_on_trial
from clarifai_emulator.nodepools.deployment_targets import Targets
from clarifai_emulator.nodepools.fleet import Fleet, Fleets, ReplicaRecord, ReplicaState, Target
from clarifai_emulator.nodepools.fleet_scaling import FleetScaling
from clarifai_emulator.nodepools.own_runners import OwnRunners, is_of
from clarifai_emulator.nodepools.replacement import Replacement
from clarifai_emulator.nodepools.replicas import Replicas
from clarifai_emulator.nodepools.rollouts import Rollout, Rollouts
from clarifai_emulator.nodepools.supervisor_reports import (
    Reporter,
    cannot_be_placed,
    cannot_be_seen_to,
    deleted,
    superseded,
)
from clarifai_emulator.nodepools.worklist import Worklist
from clarifai_emulator.store import Key, Kind, Store

# The runner's own number of threads when neither config.yaml nor the emulator's configuration says.
_RUNNER_THREADS = 16


class Supervisor:
    """Starts, drains and restarts replicas. Runs in the emulator's event loop."""

    def __init__(
        self,
        *,
        config: EmulatorConfig,
        store: Store,
        targets: Targets,
        dispatcher: Dispatcher,
        replicas: Replicas,
        own_runners: OwnRunners,
        reporter: Reporter,
        clock: Clock,
        on_rollout: Callable[[], None],
        on_failure: Callable[[str, Exception], object],
    ) -> None:
        self.fleets = Fleets()
        self._rollouts = Rollouts(on_rollout)
        self._on_failure = on_failure
        self._stop_first: set[Key] = set()
        self._config = config
        self._store = store
        self._targets = targets
        self._dispatcher = dispatcher
        self._replicas = replicas
        self._own_runners = own_runners
        self._report = reporter
        self._clock = clock
        self._worklist = Worklist()
        self._scaling = FleetScaling(
            config=config,
            replicas=replicas,
            rollouts=self._rollouts,
            reporter=reporter,
            clock=clock,
            worklist=self._worklist,
        )
        self._stale: set[Key] = set()
        self._task: asyncio.Task[None] | None = None
        store.watch(self._store_changed)

    # ── what wakes it ──────────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Begin to reconcile."""
        self._task = begin(self._loop(), "supervisor", self._loop_failed)

    async def stop(self, *, grace: float) -> None:
        """Stop reconciling and end every replica: SIGTERM, and after ``grace`` seconds SIGKILL."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await asyncio.gather(
            self._end_all(grace=grace), self._replicas.end_all(self._replicas.warm_pool, grace=grace)
        )

    async def reset(self, *, keep_warm: bool = False) -> None:
        """End every replica at once and forget every fleet. ``keep_warm``: replicas with nothing to do are kept,
        for the next deployment of the same code."""
        if keep_warm:
            await self._replicas.park_idle(list(self.fleets.values()))
        else:
            await self._replicas.end_all(self._replicas.warm_pool, grace=0)
        await self._end_all(grace=0)
        while any(fleet.records for fleet in self.fleets.values()):
            await self._end_all(grace=0)  # what a request or a new deployment has started meanwhile
        for fleet in self.fleets.values():
            self._replicas.forget_runners(fleet)
        self.fleets.clear()
        self._rollouts.clear()
        self._worklist.clear()
        self._stale.clear()

    async def release(self, is_whose: Callable[[str], bool]) -> list[ReplicaRecord]:
        """Forget the fleets of these users, and keep their idle replicas warm; gives the others, to be ended. What
        other users run goes on."""
        return await self._release(
            [fleet for key, fleet in self.fleets.items() if key.user_id and is_whose(key.user_id)]
        )

    async def release_deployments(self, keys: Iterable[tuple[str, str]]) -> list[ReplicaRecord]:
        """Release these deployments (user and id), as ``release`` does."""
        return await self._release([fleet for key in keys for fleet in self.fleets.of_deployment(*key)])

    async def _release(self, mine: Sequence[Fleet]) -> list[ReplicaRecord]:
        await self._replicas.park_idle(mine)
        kept = {record.runner_key for record in self._replicas.warm_pool}
        for fleet in mine:
            key = fleet.lane.key
            fleet.retired = True
            self._worklist.drop(key)
            self.fleets.pop(key, None)
            self._rollouts.put(key[:2], None)
            self._replicas.forget_runners(fleet)
            self._dispatcher.abandon(key, deleted(fleet.target), keep=kept)
        return [record for fleet in mine for record in fleet.records.values()]

    async def _end_all(self, *, grace: float) -> None:
        self._worklist.cancel_timers()
        for fleet in self.fleets.values():
            fleet.retired = True
        records = [record for fleet in self.fleets.values() for record in fleet.records.values()]
        await self._replicas.end_all(records, grace=grace)

    def _store_changed(self, kind: Kind, key: Key) -> None:
        if kind == Kind.DEPLOYMENT:
            self._stale.add(key)
        elif kind in (Kind.NODEPOOL, Kind.MODEL_VERSION, Kind.SOURCE):
            self._stale.update(self._targets.deployments_touched_by(kind, key))
        else:
            return
        self._worklist.wake.set()

    def demanded(self, lane: Lane) -> None:
        """Look at a lane that has work and no free replica."""
        self._worklist.mark(lane.key)

    def replica_changed(self, replica: Replica) -> None:
        """Look at a replica that has become ready, or is lost."""
        fleet = self.fleets.get(replica.runner_link.lane.key)
        if fleet is not None:
            self._replicas.connected(fleet, replica)
            self._worklist.mark(fleet.lane.key)

    def replicas_changed(self, fleet: Fleet) -> None:
        """Look at a fleet whose replicas have changed, and at those that wait for room: there may be some now."""
        self._worklist.mark(fleet.lane.key)
        self._worklist.mark_those_without_room()

    async def _loop(self) -> None:
        while True:
            await self._worklist.wake.wait()
            self._worklist.wake.clear()
            self._refresh()
            while (key := self._worklist.take()) is not None:
                try:
                    self._reconcile(key)
                except Exception as error:
                    self._failed(key[:2], error)

    def _failed(self, deployment: tuple[str, str], error: Exception) -> None:
        """Tell those who wait for this deployment that it cannot be seen to. Whoever asks again lets it be tried
        again."""
        self._on_failure(f"supervisor of deployment '{deployment[1]}'", error)
        refusal = cannot_be_seen_to(deployment[1], described(error))
        for lane in self._dispatcher.lanes_of(*deployment):
            lane.refuse(refusal)
            lane.accept()

    def _loop_failed(self, reason: str) -> None:
        """Tell everybody who waits, and begin again."""
        for lane in self._dispatcher.lanes():
            lane.refuse(cannot_be_seen_to(lane.key.deployment_id, reason))
            lane.accept()
        self.start()

    # ── which fleets there should be ───────────────────────────────────────────────────────────────────

    def _refresh(self) -> None:
        """Bring the fleets of changed deployments up to what their deployment now says. What serves goes on until
        that does."""
        failed: set[Key] = set()
        while self._stale:
            deployment = self._stale.pop()
            try:
                self._bring_up_to(deployment[0], deployment[1])
            except Exception as error:
                failed.add(deployment)  # whatever wakes the supervisor next lets it be tried again
                self._failed((deployment[0], deployment[1]), error)
        self._stale |= failed

    def _bring_up_to(self, user_id: str, deployment_id: str) -> None:
        """Bring the fleets of one deployment up to what it now says."""
        target = self._targets.of_deployment(user_id, deployment_id)
        current, rollout = None, None
        if target is not None:
            current = LaneKey(user_id, deployment_id, target.version.id)
            rollout = self._rollout_to(current, target)
            self._aim(current, target)
        self._stop_first.discard((user_id, deployment_id))
        self._rollouts.put((user_id, deployment_id), rollout)
        for fleet in self.fleets.of_deployment(user_id, deployment_id):
            is_old = rollout is not None and fleet is rollout.old
            if fleet.lane.key != current and not fleet.warming and not is_old:
                fleet.retired = True
                self._worklist.note(fleet.lane.key)

    def _rollout_to(self, new: LaneKey, target: Target) -> Rollout | None:
        """Return what serves, and has to go on until this target does; None where that serves already, or nothing
        does."""
        fleet = self.fleets.get(new)
        if self._moves_at_once(target):
            return None
        if new[:2] in self._stop_first or (fleet is not None and not fleet.retired and fleet.serves(target)):
            return None
        known = self._rollouts.get(new[:2])
        if known is not None:
            candidates = [(known.old, known.served)]
        else:
            fleets = self.fleets.of_deployment(new.user_id, new.deployment_id)
            candidates = [(each, each.target) for each in fleets if not each.retired and not each.warming]
        for old, before in candidates:
            served = self._targets.still(before)
            if served is not None and old.serves(served):
                return Rollout(old, served, new)
        return None

    def _moves_at_once(self, target: Target) -> bool:
        """Tell whether a deployment that follows the newest version leaves what serves before that one does."""
        follows = target.deployment is not None and target.deployment.deploy_latest_version
        return follows and self._config.behaviour.latest_version == "at-once"

    @property
    def rollouts(self) -> Rollouts:
        """Deployments on their way from what serves to what was asked for."""
        self._refresh()
        return self._rollouts

    def stop_first(self, deployment: Key) -> None:
        """End what serves before the next version that this deployment is told starts."""
        self._stop_first.add(deployment)

    def settle(self, key: LaneKey) -> bool:
        """Tell whether the fleet serves as its deployment says; then requests go there from now on."""
        self._refresh()  # what was just stored counts
        fleet = self.fleets.get(key)
        if fleet is None or fleet.retired or not fleet.serves(fleet.target):
            return False
        self._take_over(fleet)
        return True

    def _take_over(self, fleet: Fleet) -> None:
        """Let a fleet take over that serves: what served before ends, once that has done what it has."""
        key = fleet.lane.key
        rollout = self._rollouts.towards(key)
        if rollout is not None:
            self._rollouts.put(key[:2], None)
            fleet.stuck = None
            if not rollout.moves:
                rollout.old.retired = True
            rollout.old.lane.hand_over(fleet.lane, fleet.target.nodepool_keys)
            self._report.fleet(fleet, "deployment.rolled_out", "a replica is live; what served before ends")
            self._worklist.mark(rollout.old.lane.key)
        self._approve(fleet.target)

    def _approve(self, target: Target) -> None:
        """A version that was to be tried out serves: requests that name no version may mean it."""
        if not is_on_trial(target.version):
            return
        version = ModelVersion()
        version.CopyFrom(target.version)
        version.status.code, version.status.description = StatusCode.MODEL_TRAINED, TRAINED
        key = (*target.model_key, version.id)
        if self._store.get(Kind.MODEL_VERSION, key) is not None:
            self._store.put(Kind.MODEL_VERSION, key, version)

    def _aim(self, key: LaneKey, target: Target) -> None:
        fleet = self.fleets.get(key)
        if fleet is None:
            fleet = self.fleets[key] = Fleet(self._dispatcher.lane(key), target)
        elif fleet.retired or fleet.target != target:
            fleet.failures, fleet.retry_at, fleet.stuck = 0, 0.0, None
            fleet.lane.accept()
        fleet.target = target
        fleet.retired = fleet.warming = False
        fleet.slots_per_replica = self._config.num_threads or target.version.num_threads or _RUNNER_THREADS
        self._own_runners.hand_to(fleet)
        self._worklist.note(key)

    def replacement(
        self, key: LaneKey, version: ModelVersion | None = None, source: ModelSource | None = None
    ) -> Replacement:
        """Fresh replicas for a fleet, loaded beside those that serve; with a version, which is no resource yet, in
        a fleet of that version: its deployment is moved there once they are live. Raises ``KeyError`` without such
        a fleet, and ``CallerError`` for a version that none of its nodepools has what it needs for."""
        fleet = self.fleets[key]
        if version is None:
            return Replacement(self._replicas, fleet, fleet)
        self._require_fit_somewhere(fleet.target, version)
        new_key = key._replace(version_id=version.id)
        self._aim(new_key, replace(fleet.target, version=version, source=source))
        self.fleets[new_key].warming = True
        return Replacement(self._replicas, fleet, self.fleets[new_key])

    def cool(self, fleet: Fleet) -> None:
        """A fleet that was warmed is not wanted after all."""
        if fleet.warming:
            fleet.warming, fleet.retired = False, True
            self._worklist.mark(fleet.lane.key)

    def require_fit(
        self, key: Key, nodepool: Nodepool, required: ComputeInfo, name: str, config_key: str = ""
    ) -> None:
        """Raise ``CallerError`` where a replica that needs ``required`` can never start in this nodepool. ``name``:
        what it is for, ``config_key``: where config.yaml says what it needs."""
        reason = self._replicas.why_never(nodepool, required)
        if reason and not self._targets.is_user_run((key[0], key[1], key[2])):
            is_strict = self._scaling.is_strict([nodepool])
            raise cannot_be_placed(f"{name}: {reason}", required, is_strict=is_strict, config_key=config_key)

    def _require_fit_somewhere(self, target: Target, version: ModelVersion) -> None:
        refusals: list[CallerError] = []
        for key, nodepool in target.nodepools:
            try:
                self.require_fit(key, nodepool, version.inference_compute_info, target.name)
            except CallerError as refusal:
                refusals.append(refusal)
        if refusals and len(refusals) == len(target.nodepools):
            raise refusals[0]

    def use_shared(self, nodepool: NodepoolKey, model: Key, version_id: str) -> Lane:
        """The lane of a model on shared compute; made on first use, with default autoscaling."""
        key = LaneKey("", "/".join(nodepool), version_id)
        if key not in self.fleets:
            self._aim(key, self._targets.on_shared(nodepool, model, version_id))
        return self.fleets[key].lane

    def runs_version(self, version: Key) -> bool:
        """Tell whether a replica of this model version (user, app, model, version) has not ended yet."""
        found = (fleet for fleet in self.fleets.values() if fleet.target.version.id == version[3] and fleet.records)
        return any((each.target.model.app_id, each.target.model.id) == version[1:3] for each in found)

    def serves(self, model: Key) -> bool:
        """Tell whether a replica of this model (user, app, model), of whichever version, takes work."""
        found = (fleet for fleet in self.fleets.values() if fleet.target.model_key == model and not fleet.retired)
        return any(fleet.live or fleet.adopted for fleet in found)

    def look_again(self) -> None:
        """Reconsider every fleet now: the clock was turned."""
        for key in self.fleets:
            self._worklist.mark(key)

    def fleet_of_runner(self, key: RunnerKey) -> Fleet | None:
        """The fleet that this runner was made for."""
        return self._replicas.fleet_of_runner(key)

    def adopt(self, key: RunnerKey, runner: Runner) -> RunnerLink:
        """Let a runner that its user started serve the deployment of its version in its nodepool; without one, who
        names its nodepool."""
        nodepool = key[:3]
        for fleet in self.fleets.values():
            if not fleet.retired and nodepool in fleet.target.nodepool_keys and is_of(runner, fleet.target):
                return self._dispatcher.add_runner(key, fleet.lane)
        return self._own_runners.adopt(nodepool, runner)

    # ── what faults ask for ────────────────────────────────────────────────────────────────────────────

    def lose_replica(self, replica: Replica, why: str) -> None:
        """End a replica as a crash would. One that its user started is only cut off, and connects again."""
        fleet = self.fleets.get(replica.runner_link.lane.key)
        record = fleet.records.get(replica.replica_id) if fleet is not None else None
        if record is not None:
            self._replicas.kill(record, why)
        else:
            self._dispatcher.lose(replica.runner_link, replica.replica_id, why)
            asyncio.get_running_loop().call_soon(replica.dismiss)  # soon: the slot at hand is not idle yet

    def scale_to_zero(self, key: LaneKey, reason: str) -> None:
        """End every replica of a lane once it is idle; what is wanted after that is decided as ever."""
        fleet = self.fleets.get(key)
        if fleet is not None:
            for record in fleet.active:
                self._replicas.drain(fleet, record, reason)
            self._worklist.mark(key)

    # ── one fleet ──────────────────────────────────────────────────────────────────────────────────────

    def _reconcile(self, key: LaneKey) -> None:
        fleet = self.fleets.get(key)
        if fleet is None:
            return
        now = self._clock.monotonic()
        self._scaling.reclaim(fleet, now)
        if fleet.warming:
            return
        if fleet.retired:
            self._retire(fleet)
            return
        if fleet.reloading:
            return
        if any(record.was_healthy(now) for record in fleet.live):
            fleet.failures = 0
        if fleet.live:
            fleet.lane.accept()
        if fleet.serves(fleet.target):
            self._take_over(fleet)
        self._scaling.scale(fleet, now)

    def _retire(self, fleet: Fleet) -> None:
        """The deployment is gone, disabled or at another version: nothing new; end when what runs is done."""
        is_deleted = self._store.get(Kind.DEPLOYMENT, fleet.lane.key[:2]) is None
        if is_deleted:
            self._dispatcher.close_lane(fleet.lane.key, deleted(fleet.target))
        elif fleet.lane.waiting:
            self._hand_over(fleet)
            fleet.lane.refuse(superseded(fleet.target))
            fleet.lane.accept()
        for record in fleet.records.values():
            if record.state is not ReplicaState.DRAINING:
                self._replicas.drain(fleet, record, "its deployment no longer wants it", at_once=is_deleted)
        for record in fleet.records.values():
            if is_deleted and record.replica is not None:
                record.replica.drained.set()  # nobody waits for what it still works on
        if not fleet.records:
            self.fleets.pop(fleet.lane.key, None)
            self._own_runners.take_back(fleet)
            self._replicas.forget_runners(fleet)
            self._dispatcher.close_lane(fleet.lane.key, superseded(fleet.target))

    def _hand_over(self, fleet: Fleet) -> None:
        """Hand waiting work over to the version that replaces this one, if that is live already."""
        for other in self.fleets.of_deployment(*fleet.lane.key[:2]):
            if not other.retired and other.live:
                fleet.lane.hand_over(other.lane, other.target.nodepool_keys)
