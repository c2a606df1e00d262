"""Tells whether another replica may come to a fleet, for a request that none of those there can ever serve."""

from __future__ import annotations

from clarifai_emulator.nodepools.fleet import Fleet, ReplicaState
from clarifai_emulator.nodepools.scaling import (
    TRAFFIC_HISTORY_SECONDS,
    desired_replicas,
    is_failed,
    replica_bounds,
)


def why_no_more(fleet: Fleet, now: float, within: float) -> str:
    """Say why no further replica comes within so many seconds, as a sentence goes on; empty where one may."""
    if fleet.target.is_user_run:
        return "its replicas are started by its user"
    config = fleet.target.autoscale
    active = fleet.active
    is_changing = fleet.retired or fleet.warming or fleet.reloading
    if is_changing or any(record.state is ReplicaState.STARTING for record in active):
        return ""
    most = replica_bounds(config)[1]
    if len(active) >= most:
        return f"no further replica can start (max_replicas is {most})"
    if fleet.no_room_since is not None:
        return f"no further replica can start ({fleet.lane.pending_reason})"
    if is_failed(fleet.failures):
        return "no further replica starts, because the last ones have failed"
    demand = fleet.demand(now, config.traffic_history_seconds or TRAFFIC_HISTORY_SECONDS)
    grew_ago = None if fleet.last_scale_up is None else now - fleet.last_scale_up
    shrank_ago = None if fleet.last_scale_down is None else now - fleet.last_scale_down
    advice = desired_replicas(config, demand, len(active), grew_ago, shrank_ago)
    if advice.desired > len(active) or (advice.recheck_in is not None and advice.recheck_in <= within):
        return ""
    return f"no further replica starts for now ({advice.reason})"
