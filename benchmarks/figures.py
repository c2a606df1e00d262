"""Defines a figure, and times two things side by side: in interleaved rounds, so that both see the same noise."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured number. ``baseline`` is the thing it is compared with, in the same unit; ``target`` bounds
    ``ratio`` (value / baseline), or ``value`` itself where there is no baseline: from above, or from below where
    more is better (``at_least``)."""

    name: str
    value: float
    unit: str
    baseline: float | None
    ratio: float | None
    target: float | None
    met: bool | None
    repeats: int
    at_least: bool = False

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def bound(self) -> str:
        """Return the target for people, ``≤ 1.6×``; empty where there is none."""
        if self.target is None:
            return ""
        return (
            f"{'≥' if self.at_least else '≤'} {self.target:g}{'×' if self.ratio is not None else ' ' + self.unit}"
        )


def compared(
    name: str,
    values: Sequence[float],
    baselines: Sequence[float],
    *,
    unit: str,
    target: float | None,
    quantile: float = 0.5,
    at_least: bool = False,
) -> Figure:
    """Return the figure of a quantile of both series and their ratio."""
    value, baseline = quantile_of(values, quantile), quantile_of(baselines, quantile)
    ratio = value / baseline
    met = _is_met(ratio, target, at_least)
    return Figure(
        name, round(value, 3), unit, round(baseline, 3), round(ratio, 2), target, met, len(values), at_least
    )


def alone(
    name: str,
    values: Sequence[float],
    *,
    unit: str,
    target: float | None,
    quantile: float = 0.5,
    at_least: bool = False,
) -> Figure:
    """Return the figure of a quantile of one series."""
    value = quantile_of(values, quantile)
    met = _is_met(value, target, at_least)
    return Figure(name, round(value, 3), unit, None, None, target, met, len(values), at_least)


def interleave(
    ours: Callable[[], object],
    theirs: Callable[[], object],
    *,
    rounds: int,
    calls: int,
    warmup: int = 50,
    measure: Callable[[Callable[[], object]], float] | None = None,
) -> tuple[list[float], list[float]]:
    """Return ``measure`` (by default: milliseconds) of each call of both, in alternating rounds of ``calls``."""
    measure = measure or milliseconds
    for _ in range(warmup):
        ours()
        theirs()
    our_values: list[float] = []
    their_values: list[float] = []
    for number in range(rounds):
        order = [(ours, our_values), (theirs, their_values)]
        for call, values in order if number % 2 else reversed(order):
            for _ in range(calls):
                values.append(measure(call))
    return our_values, their_values


def milliseconds(call: Callable[[], object]) -> float:
    """Measure how long one call takes."""
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def quantile_of(values: Sequence[float], quantile: float) -> float:
    """Return the value that this share of the values does not exceed; 0.5 is the median."""
    ordered = sorted(values)
    if quantile == 0.5 and len(ordered) % 2 == 0:
        middle = len(ordered) // 2
        return (ordered[middle - 1] + ordered[middle]) / 2
    return ordered[min(int(len(ordered) * quantile), len(ordered) - 1)]


def _is_met(value: float, target: float | None, at_least: bool) -> bool | None:
    if target is None:
        return None
    return value >= target if at_least else value <= target
