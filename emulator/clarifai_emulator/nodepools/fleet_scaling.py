"""Brings the replicas of one fleet to the number that is wanted: starts, drains and replaces them.

demand, autoscaling ─► scaling.py: how many ─► launch (placing.py: where) │ drain the least busy
                                                 └─ no room ─► wait, refuse, or end what blocks it first
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from clarifai_grpc.grpc.api.resources_pb2 import Nodepool

from clarifai_emulator.catalogue import LOCAL_INSTANCE
from clarifai_emulator.clock import Clock
from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.errors import CallerError, NoRoom
from clarifai_emulator.models.versions import is_building
from clarifai_emulator.nodepools.fleet import Fleet, ReplicaRecord, ReplicaState
from clarifai_emulator.nodepools.replicas import Replicas
from clarifai_emulator.nodepools.rollouts import Rollout, Rollouts
from clarifai_emulator.nodepools.scaling import TRAFFIC_HISTORY_SECONDS, desired_replicas, replica_bounds
from clarifai_emulator.nodepools.supervisor_reports import (
    Reporter,
    cannot_be_placed,
    has_ports,
    holds_the_accelerators,
    no_code,
)
from clarifai_emulator.nodepools.worklist import Worklist

# How soon a replica that found no room is tried again, when nothing else wakes the supervisor before.
_PENDING_SECONDS = 1.0
# A runner whose streams have all ended opens the next ones at once, or, short of processor time, after a while.
_RETURN_SECONDS = 30.0


class FleetScaling:
    """Scale the fleets of one emulator, one at a time, when the supervisor goes over them."""

    def __init__(
        self,
        *,
        config: EmulatorConfig,
        replicas: Replicas,
        rollouts: Rollouts,
        reporter: Reporter,
        clock: Clock,
        worklist: Worklist,
    ) -> None:
        self._config = config
        self._replicas = replicas
        self._rollouts = rollouts
        self._report = reporter
        self._clock = clock
        self._worklist = worklist

    def reclaim(self, fleet: Fleet, now: float) -> None:
        """Replace replicas that serve nobody: their model does not come back from a request that nobody waits for,
        or they have hung up and do not end."""
        patience = self._config.reclaim_seconds
        for record in tuple(fleet.records.values()):
            replica = record.replica
            if replica is None or replica.hung:
                continue
            if replica.gone_since is not None and not replica.lost and record.state is ReplicaState.LIVE:
                grace = self._config.stop_seconds if replica.hung_up else _RETURN_SECONDS
                left = replica.gone_since + grace - now
                if left <= 0:
                    what = "closed its connection, but" if replica.hung_up else "asks for no more work, and"
                    self._replicas.kill(record, f"it {what} its process had not ended {grace:g} s later")
                else:
                    self._worklist.mark_later(fleet.lane.key, left)
            if not replica.abandoned:
                continue
            left = min(replica.abandoned.values()) + patience - now
            if left <= 0:
                self._replicas.replace_hung(fleet, record, replica)
            elif left < math.inf:
                self._worklist.mark_later(fleet.lane.key, left)

    def scale(self, fleet: Fleet, now: float) -> None:
        """Start or drain replicas of a fleet, as its demand and its deployment ask for."""
        config = fleet.target.autoscale
        is_new = self._rollouts.towards(fleet.lane.key) is not None
        elsewhere = [each for each in fleet.active if each.nodepool not in fleet.target.nodepool_keys]
        for record in elsewhere:
            if not is_new:
                self._replicas.drain(fleet, record, "its nodepool is no longer one of the deployment's")
        active = [each for each in fleet.active if each not in elsewhere]
        demand = fleet.demand(now, config.traffic_history_seconds or TRAFFIC_HISTORY_SECONDS)
        fleet.lane.tell_idle(not demand.is_idle)
        advice = desired_replicas(
            config,
            demand,
            len(active),
            None if fleet.last_scale_up is None else now - fleet.last_scale_up,
            None if fleet.last_scale_down is None else now - fleet.last_scale_down,
        )
        fleet.wanted = advice.desired
        if advice.recheck_in is not None:
            self._worklist.mark_later(fleet.lane.key, advice.recheck_in)
        missing = advice.desired - len(active)
        if is_new and not active:
            missing = max(missing, 1)  # also of one that starts on demand: else the old one could never end
        if missing <= 0 and not is_new and fleet.unserved_nodepools() and len(active) < replica_bounds(config)[1]:
            missing = 1
        if missing > 0:
            self._grow(fleet, missing, now)
            return
        if not fleet.target.is_user_run:  # that one holds until its user starts a runner
            fleet.lane.pend("")
            fleet.no_room_since = None
        if missing < 0:
            fleet.last_scale_down = now
            for record in self._least_busy(fleet, -missing):
                self._replicas.drain(fleet, record, advice.reason)

    def _grow(self, fleet: Fleet, count: int, now: float) -> None:
        if now < fleet.retry_at:
            self._worklist.mark_later(fleet.lane.key, fleet.retry_at - now)
            return
        if fleet.held_ports and len(fleet.records) > len(fleet.active):
            return  # until those that end have given their ports back, which is told
        if fleet.target.is_user_run:
            fleet.lane.pend("its nodepool has no nodes of its own: start the runner yourself")
            return
        if fleet.target.source is None and is_building(fleet.target.version):
            fleet.lane.pend("its model version is being built")
            return
        if fleet.target.source is None:
            fleet.lane.refuse(no_code(fleet.target))
            return
        grown_before = bool(fleet.active)
        rollout = self._rollouts.towards(fleet.lane.key)
        old = list(rollout.old.active) if rollout is not None else []
        ports = [port for record in old for port in record.held_ports()]
        if rollout is not None and ports:
            self._stop_first(fleet, rollout, f"its model's server {has_ports(ports)}")
            return
        for _ in range(count):
            try:
                self._replicas.launch(fleet, instead_of=old)
            except NoRoom as no_room:
                self._pend(fleet, no_room)
                return
        if grown_before:
            fleet.last_scale_up = now
        fleet.lane.pend("")
        fleet.no_room_since = None

    def _pend(self, fleet: Fleet, no_room: NoRoom) -> None:
        """A wanted replica has no room. Others may serve; with none, callers wait or are told at once."""
        reason = f"{fleet.target.name}: {no_room}"
        if reason != fleet.lane.pending_reason:
            fleet.lane.pend(reason)
            self._report.pending(fleet, reason, no_room, self._replicas.queued_runner(fleet))
        if self._blocks_itself(fleet, no_room):
            return
        if no_room.for_good and not fleet.active:
            fleet.lane.refuse(self._cannot_be_placed(fleet, reason))
        elif no_room.for_good and not fleet.serves(fleet.target):
            fleet.stuck = self._cannot_be_placed(fleet, reason)
        elif not no_room.for_good:
            if fleet.no_room_since is None:
                fleet.no_room_since = self._clock.monotonic()
            self._worklist.wait_for_room(fleet.lane.key)
            self._worklist.mark_later(fleet.lane.key, _PENDING_SECONDS)

    def _cannot_be_placed(self, fleet: Fleet, reason: str) -> CallerError:
        required, nodepools = fleet.target.version.inference_compute_info, fleet.target.nodepools
        is_strict = self.is_strict([message for _, message in nodepools])
        return cannot_be_placed(reason, required, is_strict=is_strict)

    def _blocks_itself(self, fleet: Fleet, no_room: NoRoom) -> bool:
        """Tell whether a fleet waits for the accelerators of what it is to replace: waiting would never end. A
        graceful deployment is told so; of others the old replicas end first."""
        key = fleet.lane.key
        rollout = self._rollouts.towards(key)
        if rollout is None or no_room.for_good:
            return False
        wanted = fleet.target.version.inference_compute_info.num_accelerators
        if not wanted or not any(record.devices for record in rollout.old.active):
            return False
        if fleet.target.deployment is not None and fleet.target.deployment.graceful_deploy:
            fleet.stuck = holds_the_accelerators(fleet.target, str(no_room))
            return False
        self._stop_first(fleet, rollout, str(no_room))
        return True

    def _stop_first(self, fleet: Fleet, rollout: Rollout, reason: str) -> None:
        """End what serves before the fleet that takes its place starts."""
        key = fleet.lane.key
        self._report.fleet(fleet, "deployment.stops_first", f"what serves ends first: {reason}")
        self._rollouts.put(key[:2], None)
        if not rollout.moves:
            rollout.old.retired = True
        self._worklist.mark(rollout.old.lane.key)
        self._worklist.mark_later(key, _PENDING_SECONDS)

    def is_strict(self, nodepools: Iterable[Nodepool]) -> bool:
        """Tell whether only --strict-capacity keeps CPUs and memory of this machine from being overcommitted
        there."""
        names = (each.id for nodepool in nodepools for each in nodepool.instance_types)
        return self._config.strict_capacity and LOCAL_INSTANCE in names

    def _least_busy(self, fleet: Fleet, count: int) -> Sequence[ReplicaRecord]:
        """Return the cheapest to stop: not-ready replicas first, then the least busy."""
        return sorted(fleet.active, key=lambda record: (record.state is ReplicaState.LIVE, record.busy))[:count]
