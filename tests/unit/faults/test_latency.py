"""Latencies of faults are read as they are written, and delays are drawn from them."""

from __future__ import annotations

import re
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarifai_emulator.faults.latency import read_latency

SPREAD = range(1, 1000)
chances = st.floats(min_value=0, max_value=1, exclude_max=True)
latencies = st.sampled_from(["0.3", "uniform:0.1,0.5", "normal:0.3,0.1", "normal:0.3,0", "exponential:0.2"])


@pytest.mark.parametrize(
    ("written", "text", "mean"),
    [
        (0.3, "0.3 s", 0.3),
        (2, "2 s", 2),
        ("0.3", "0.3 s", 0.3),
        ("fixed:0.3", "0.3 s", 0.3),
        ("uniform:0.1,0.5", "uniform, least 0.1 most 0.5 s", 0.3),
        ("normal:0.3,0.1", "normal, mean 0.3 deviation 0.1 s", 0.3),
        ("exponential: 0.2", "exponential, mean 0.2 s", 0.2),
    ],
)
def test_a_latency_has_the_mean_it_is_written_with(written: float | str, text: str, mean: float) -> None:
    latency = read_latency(written)
    assert str(latency) == text
    assert fmean(latency.seconds(each / 1000) for each in SPREAD) == pytest.approx(mean, rel=0.02)


def test_the_spread_is_that_of_the_distribution() -> None:
    normal = read_latency("normal:10,2")
    assert normal.seconds(0.5) == pytest.approx(10)
    assert normal.seconds(0.8413447) == pytest.approx(12, abs=1e-4)
    assert read_latency("uniform:1,3").seconds(0.25) == 1.5
    assert read_latency("exponential:2").seconds(0.5) == pytest.approx(1.386294)


@given(latencies, chances, chances)
def test_a_delay_is_never_negative_and_grows_with_the_chance(written: str, one: float, other: float) -> None:
    latency = read_latency(written)
    low, high = latency.seconds(min(one, other)), latency.seconds(max(one, other))
    assert 0 <= low <= high < float("inf")


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("gauss:1,2", "there is no distribution 'gauss'; write SECONDS, uniform:LEAST,MOST, normal:"),
        ("soon", "'soon' has something that is no number; write SECONDS, "),
        ("", "'' has something that is no number"),
        ("normal:1", "normal takes mean and deviation, found 1 number(s) in 'normal:1'"),
        ("uniform:2,1", "the least of 'uniform:2,1' is above its most"),
        (-1, "-1 must have numbers of seconds from 0 to 86400"),
        ("nan", "'nan' must have numbers of seconds from 0 to 86400"),
        (float("inf"), "inf must have numbers of seconds from 0 to 86400"),
    ],
)  # fmt: skip
def test_a_mistake(written: float | str, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        read_latency(written)
