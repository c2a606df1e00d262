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
    more is better (``at_least``). ``floor`` is the best that ``value`` could be on this machine, in the same
    unit; ``script`` the module that measured it."""

    name: str
    value: float
    unit: str
    baseline: float | None
    ratio: float | None
    target: float | None
    met: bool | None
    repeats: int
    at_least: bool = False
    floor: float | None = None
    script: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def of_floor(self) -> float | None:
        """Return how far the value is from its floor, as a factor that is 1 at best."""
        if self.floor is None:
            return None
        return self.floor / self.value if self.at_least else self.value / self.floor

    @property
    def worth(self) -> float:
        """Return what is compared between two runs: the ratio, or the value where there is none."""
        return self.value if self.ratio is None else self.ratio

    @property
    def measure(self) -> str:
        """Return what ``worth`` is counted in: ``×``, or the unit."""
        return f" {self.unit}" if self.ratio is None else "×"

    @property
    def bound(self) -> str:
        """Return the target for people, ``≤ 1.6×``; empty where there is none."""
        if self.target is None:
            return ""
        return f"{'≥' if self.at_least else '≤'} {self.target:g}{self.measure}"


def compared(
    name: str,
    values: Sequence[float],
    baselines: Sequence[float],
    *,
    unit: str,
    target: float | None,
    quantile: float = 0.5,
    at_least: bool = False,
    floor: Callable[[float], float] | None = None,
) -> Figure:
    """Return the figure of a quantile of both series and their ratio. ``floor`` makes one of the baseline."""
    value, baseline = quantile_of(values, quantile), quantile_of(baselines, quantile)
    ratio = value / baseline
    met = _is_met(ratio, target, at_least)
    lowest = round(floor(baseline), 3) if floor else None
    return Figure(
        name, round(value, 3), unit, round(baseline, 3), round(ratio, 2), target, met, len(values), at_least, lowest
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
