"""Computes how many replicas a deployment should have in a nodepool now: pure autoscaling, no clock, no state.

The platform publishes the knobs (``AutoscaleConfig``) and what each delays, not the algorithm; docs/fidelity.md
lists what is our choice. The supervisor asks after every change of demand, and again after ``recheck_in``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from clarifai_grpc.grpc.api.resources_pb2 import AutoscaleConfig

# The platform's defaults (documentation, "Request Routing"); zero on the wire means "not set".
MAX_REPLICAS = 5
TRAFFIC_HISTORY_SECONDS = 300
SCALE_UP_DELAY_SECONDS = 300
SCALE_DOWN_DELAY_SECONDS = 300
SCALE_TO_ZERO_DELAY_SECONDS = 1800

FIRST_CRASH_DELAY = 0.5
LONGEST_CRASH_DELAY = 30.0
CRASHES_UNTIL_FAILED = 3


@dataclass(frozen=True, slots=True)
class Demand:
    """The demand on one deployment in one nodepool.

    ``in_flight`` requests are with replicas that take more, ``queued`` ones wait. ``peak`` is the most of both
    together during the last ``traffic_history_seconds``. ``last_request_ago``: seconds since a request last came or
    ended, None before the first.
    """

    in_flight: int = 0
    queued: int = 0
    slots_per_replica: int = 1
    peak: int = 0
    last_request_ago: float | None = None

    @property
    def is_idle(self) -> bool:
        """True when nothing runs and nothing waits."""
        return self.in_flight + self.queued == 0


@dataclass(frozen=True, slots=True)
class ScalingAdvice:
    """The wanted number of replicas, one sentence why, and in how many seconds the answer may change by
    itself (None: only when something happens)."""

    desired: int
    reason: str
    recheck_in: float | None = None


def replica_bounds(config: AutoscaleConfig | None) -> tuple[int, int]:
    """Least and most replicas: ``min_replicas`` + ``soft_min_replicas``, never above ``max_replicas``."""
    config = config or AutoscaleConfig()
    most = config.max_replicas or MAX_REPLICAS
    return min(config.min_replicas + config.soft_min_replicas, most), most


def desired_replicas(
    config: AutoscaleConfig | None,
    demand: Demand,
    current: int,
    last_scale_up_ago: float | None = None,
    last_scale_down_ago: float | None = None,
) -> ScalingAdvice:
    """Compute how many replicas there should be, given that ``current`` are wanted now.

    ``*_ago``: seconds since the number last grew or shrank, None if it never did; where nothing is known, a delay
    starts now.
    """
    config = config or AutoscaleConfig()
    least, most = replica_bounds(config)
    if current < least:
        return ScalingAdvice(least, f"at least {least} by min_replicas and soft_min_replicas")
    if current > most:
        return ScalingAdvice(most, f"at most {most} by max_replicas")
    needed = _replicas_for(demand.in_flight + demand.queued, demand)
    if needed > current:
        return _scale_up(config, demand, current, min(needed, most), last_scale_up_ago)
    if demand.is_idle and current and not least:
        return _scale_towards_zero(config, demand, current, last_scale_up_ago, last_scale_down_ago)
    surplus_to = max(least, _replicas_for(max(demand.in_flight + demand.queued, demand.peak), demand), 1)
    if surplus_to < current:
        return _scale_down(config, demand, current, surplus_to, last_scale_up_ago, last_scale_down_ago)
    if max(least, needed, 1) < current:
        history = _history(config)
        return ScalingAdvice(current, f"kept for the peak of {demand.peak} in the last {history:g} s", history)
    # Fewer requests at once are no event that anybody tells of, only the end of the last one is.
    recheck_in = _history(config) if current > max(least, 1) else None
    return ScalingAdvice(current, "demand and replicas match", recheck_in)


def crash_delay(failures: int) -> float:
    """Seconds to wait before a replica that has crashed ``failures`` times in a row is started again."""
    if failures < 1:
        return 0.0
    return min(FIRST_CRASH_DELAY * 2.0 ** min(failures - 1, 16), LONGEST_CRASH_DELAY)


def is_failed(failures: int) -> bool:
    """True when a replica has crashed so often in a row that its deployment counts as failed."""
    return failures >= CRASHES_UNTIL_FAILED


def _scale_up(
    config: AutoscaleConfig, demand: Demand, current: int, needed: int, last_scale_up_ago: float | None
) -> ScalingAdvice:
    if needed <= current:
        return ScalingAdvice(current, f"{demand.queued} queued, but max_replicas is reached")
    if current == 0:
        return ScalingAdvice(needed, "from zero at the first request")
    # "without burst" is the proto's condition on the delay: a burst is more than one more full load waiting.
    if demand.queued > current * demand.slots_per_replica:
        return ScalingAdvice(needed, f"burst: {demand.queued} queued for {current} replica(s)")
    delay = float(config.scale_up_delay_seconds or SCALE_UP_DELAY_SECONDS)
    if last_scale_up_ago is not None and last_scale_up_ago < delay:
        wait = delay - last_scale_up_ago
        return ScalingAdvice(current, f"{demand.queued} queued; scale_up_delay_seconds not over", wait)
    recheck_in = delay if needed > current + 1 else None
    return ScalingAdvice(current + 1, f"{demand.queued} queued, one replica more", recheck_in)


def _scale_towards_zero(
    config: AutoscaleConfig,
    demand: Demand,
    current: int,
    last_scale_up_ago: float | None,
    last_scale_down_ago: float | None,
) -> ScalingAdvice:
    idle_for = _shortest(demand.last_request_ago, last_scale_up_ago)
    to_zero = float(config.scale_to_zero_delay_seconds or SCALE_TO_ZERO_DELAY_SECONDS)
    if idle_for >= to_zero:
        return ScalingAdvice(0, f"idle for scale_to_zero_delay_seconds ({to_zero:g} s)")
    left = to_zero - idle_for
    surplus_to = max(_replicas_for(demand.peak, demand), 1)
    if surplus_to < current:
        advice = _scale_down(config, demand, current, surplus_to, last_scale_up_ago, last_scale_down_ago)
        return ScalingAdvice(advice.desired, advice.reason, min(left, advice.recheck_in or left))
    recheck_in = min(left, _history(config)) if current > 1 else left
    return ScalingAdvice(current, "idle; scale_to_zero_delay_seconds not over", recheck_in)


def _scale_down(
    config: AutoscaleConfig,
    demand: Demand,
    current: int,
    target: int,
    last_scale_up_ago: float | None,
    last_scale_down_ago: float | None,
) -> ScalingAdvice:
    since_request = demand.last_request_ago if demand.is_idle else None
    quiet_for = _shortest(since_request, last_scale_up_ago, last_scale_down_ago)
    delay = float(config.scale_down_delay_seconds or SCALE_DOWN_DELAY_SECONDS)
    if quiet_for >= delay:
        return ScalingAdvice(target, f"{target} are enough; scale_down_delay_seconds ({delay:g} s) is over")
    return ScalingAdvice(current, "more than needed; scale_down_delay_seconds not over", delay - quiet_for)


def _history(config: AutoscaleConfig) -> float:
    return float(config.traffic_history_seconds or TRAFFIC_HISTORY_SECONDS)


def _replicas_for(requests: int, demand: Demand) -> int:
    return math.ceil(requests / max(demand.slots_per_replica, 1))


def _shortest(*ago: float | None) -> float:
    return min((each for each in ago if each is not None), default=0.0)
