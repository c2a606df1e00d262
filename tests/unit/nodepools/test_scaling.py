"""Autoscaling: how many replicas there should be, why, and when to ask again."""

from __future__ import annotations

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import AutoscaleConfig
from hypothesis import given
from hypothesis import strategies as st

from clarifai_emulator.nodepools.scaling import (
    Demand,
    ScalingAdvice,
    crash_delay,
    desired_replicas,
    is_failed,
    replica_bounds,
)

CONFIG = AutoscaleConfig(
    max_replicas=4,
    scale_up_delay_seconds=10,
    scale_down_delay_seconds=20,
    scale_to_zero_delay_seconds=60,
    traffic_history_seconds=30,
)


def with_min(least: int, soft: int = 0) -> AutoscaleConfig:
    config = AutoscaleConfig()
    config.CopyFrom(CONFIG)
    config.min_replicas, config.soft_min_replicas = least, soft
    return config


# Bounds


def test_defaults_are_the_platforms() -> None:
    assert replica_bounds(None) == (0, 5)
    busy = Demand(in_flight=1, queued=50)
    assert desired_replicas(None, busy, 0).desired == 5


@pytest.mark.parametrize(("least", "soft", "floor"), [(1, 0, 1), (1, 2, 3), (3, 3, 4), (9, 0, 4)])
def test_soft_min_replicas_come_on_top_of_min_replicas_and_never_above_max(
    least: int, soft: int, floor: int
) -> None:
    advice = desired_replicas(with_min(least, soft), Demand(), 0)
    assert advice == ScalingAdvice(floor, f"at least {floor} by min_replicas and soft_min_replicas")


def test_more_than_max_replicas_shrink_at_once() -> None:
    assert desired_replicas(CONFIG, Demand(in_flight=9), 9) == ScalingAdvice(4, "at most 4 by max_replicas")


# Up


def test_from_zero_the_first_request_starts_a_replica_at_once() -> None:
    assert desired_replicas(CONFIG, Demand(queued=1), 0, 1, 1) == ScalingAdvice(1, "from zero at the first request")


def test_a_full_replica_with_a_short_queue_gets_help_after_scale_up_delay() -> None:
    demand = Demand(in_flight=4, queued=1, slots_per_replica=4, last_request_ago=0)
    waiting = desired_replicas(CONFIG, demand, 1, last_scale_up_ago=4)
    assert waiting == ScalingAdvice(1, "1 queued; scale_up_delay_seconds not over", 6)
    assert desired_replicas(CONFIG, demand, 1, last_scale_up_ago=10) == ScalingAdvice(
        2, "1 queued, one replica more"
    )


def test_without_burst_replicas_come_one_by_one() -> None:
    demand = Demand(in_flight=2, queued=2, slots_per_replica=1, last_request_ago=0)
    assert desired_replicas(CONFIG, demand, 2) == ScalingAdvice(3, "2 queued, one replica more", 10)


def test_a_burst_does_not_wait() -> None:
    demand = Demand(in_flight=1, queued=3, last_request_ago=0)
    advice = desired_replicas(CONFIG, demand, 1, last_scale_up_ago=0)
    assert advice == ScalingAdvice(4, "burst: 3 queued for 1 replica(s)")


def test_max_replicas_is_the_ceiling() -> None:
    demand = Demand(in_flight=4, queued=9, last_request_ago=0)
    assert desired_replicas(CONFIG, demand, 4) == ScalingAdvice(4, "9 queued, but max_replicas is reached")


def test_free_slots_need_no_replica() -> None:
    demand = Demand(in_flight=3, slots_per_replica=4, peak=3, last_request_ago=0)
    assert desired_replicas(CONFIG, demand, 1) == ScalingAdvice(1, "demand and replicas match")


def test_more_replicas_than_the_least_are_looked_at_again_when_the_history_has_passed() -> None:
    demand = Demand(in_flight=2, peak=2, last_request_ago=0)
    assert desired_replicas(CONFIG, demand, 2).recheck_in == CONFIG.traffic_history_seconds
    assert desired_replicas(with_min(2), demand, 2).recheck_in is None


# Down


def test_surplus_replicas_go_after_scale_down_delay() -> None:
    demand = Demand(in_flight=1, peak=1, last_request_ago=0)
    early = desired_replicas(CONFIG, demand, 3, last_scale_up_ago=15)
    assert early == ScalingAdvice(3, "more than needed; scale_down_delay_seconds not over", 5)
    late = desired_replicas(CONFIG, demand, 3, last_scale_up_ago=20)
    assert late == ScalingAdvice(1, "1 are enough; scale_down_delay_seconds (20 s) is over")


def test_a_recent_peak_keeps_replicas() -> None:
    demand = Demand(in_flight=1, peak=3, last_request_ago=0)
    advice = desired_replicas(CONFIG, demand, 3, last_scale_up_ago=100)
    assert advice == ScalingAdvice(3, "kept for the peak of 3 in the last 30 s", 30)


def test_idle_replicas_go_down_to_one_first() -> None:
    demand = Demand(last_request_ago=20)
    advice = desired_replicas(CONFIG, demand, 3, last_scale_up_ago=100)
    assert advice == ScalingAdvice(1, "1 are enough; scale_down_delay_seconds (20 s) is over", 40)


def test_the_last_replica_goes_after_scale_to_zero_delay() -> None:
    assert desired_replicas(CONFIG, Demand(last_request_ago=59.5), 1, last_scale_up_ago=100) == ScalingAdvice(
        1, "idle; scale_to_zero_delay_seconds not over", 0.5
    )
    assert desired_replicas(CONFIG, Demand(last_request_ago=60), 1, last_scale_up_ago=100) == ScalingAdvice(
        0, "idle for scale_to_zero_delay_seconds (60 s)"
    )


def test_min_replicas_keeps_replicas_however_long_they_idle() -> None:
    advice = desired_replicas(with_min(1), Demand(last_request_ago=1e6), 1, last_scale_up_ago=1e6)
    assert advice == ScalingAdvice(1, "demand and replicas match")


def test_a_replica_that_never_had_a_request_idles_since_it_was_started() -> None:
    assert desired_replicas(CONFIG, Demand(), 1, last_scale_up_ago=60).desired == 0
    assert desired_replicas(CONFIG, Demand(), 1) == ScalingAdvice(
        1, "idle; scale_to_zero_delay_seconds not over", 60
    )


def test_nothing_to_do_at_zero() -> None:
    assert desired_replicas(CONFIG, Demand(), 0) == ScalingAdvice(0, "demand and replicas match")


# Always


@given(
    config=st.builds(
        AutoscaleConfig,
        min_replicas=st.integers(0, 4),
        max_replicas=st.integers(0, 4),
        soft_min_replicas=st.integers(0, 3),
        scale_up_delay_seconds=st.integers(0, 40),
        scale_down_delay_seconds=st.integers(0, 40),
        scale_to_zero_delay_seconds=st.integers(0, 40),
    ),
    demand=st.builds(
        Demand,
        in_flight=st.integers(0, 20),
        queued=st.integers(0, 20),
        slots_per_replica=st.integers(0, 5),
        peak=st.integers(0, 20),
        last_request_ago=st.none() | st.floats(0, 100),
    ),
    current=st.integers(0, 8),
    up=st.none() | st.floats(0, 100),
    down=st.none() | st.floats(0, 100),
)
def test_advice_stays_within_bounds_and_never_leaves_a_request_without_a_replica(
    config: AutoscaleConfig, demand: Demand, current: int, up: float | None, down: float | None
) -> None:
    advice = desired_replicas(config, demand, current, up, down)
    least, most = replica_bounds(config)
    assert least <= advice.desired <= most
    assert advice.reason
    assert advice.recheck_in is None or advice.recheck_in > 0
    if not demand.is_idle:
        assert advice.desired >= 1


# Crashes


def test_crashing_replicas_are_restarted_ever_later() -> None:
    assert [crash_delay(failures) for failures in range(9)] == [0, 0.5, 1, 2, 4, 8, 16, 30, 30]
    assert crash_delay(10**9) == 30


def test_three_crashes_in_a_row_are_a_failure() -> None:
    assert [is_failed(failures) for failures in range(5)] == [False, False, False, True, True]
