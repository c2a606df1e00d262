"""A figure, and how two things are timed side by side: interleaved rounds, so that both see the same noise."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number. ``baseline`` is the thing it is compared with, in the same unit; ``target`` bounds
    ``ratio`` (value / baseline), or ``value`` itself where there is no baseline."""

    name: str
    value: float
    unit: str
    baseline: float | None
    ratio: float | None
    target: float | None
    met: bool | None
    repeats: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def compared(
    name: str,
    values: list[float],
    baselines: list[float],
    *,
    unit: str,
    target: float | None,
    quantile: float = 0.5,
) -> Figure:
    """A quantile of both series and their ratio."""
    value, baseline = _quantile(values, quantile), _quantile(baselines, quantile)
    ratio = value / baseline
    met = None if target is None else ratio <= target
    return Figure(name, round(value, 3), unit, round(baseline, 3), round(ratio, 2), target, met, len(values))


def alone(name: str, values: list[float], *, unit: str, target: float | None) -> Figure:
    """The median of one series."""
    value = statistics.median(values)
    met = None if target is None else value <= target
    return Figure(name, round(value, 3), unit, None, None, target, met, len(values))


def interleave(
    ours: Callable[[], object], theirs: Callable[[], object], *, rounds: int, calls: int, warmup: int = 50
) -> tuple[list[float], list[float]]:
    """Milliseconds of each call of both, in alternating rounds of ``calls``."""
    for _ in range(warmup):
        ours()
        theirs()
    our_times: list[float] = []
    their_times: list[float] = []
    for number in range(rounds):
        order = [(ours, our_times), (theirs, their_times)]
        for call, times in order if number % 2 else reversed(order):
            for _ in range(calls):
                times.append(milliseconds(call))
    return our_times, their_times


def milliseconds(call: Callable[[], object]) -> float:
    """How long one call takes."""
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def _quantile(values: list[float], quantile: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * quantile), len(ordered) - 1)]
