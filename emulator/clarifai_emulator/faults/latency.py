"""Delays a request by a fault: for a fixed time, or one drawn from a distribution. Written ``normal:0.3,0.1``."""

from __future__ import annotations

import math
from dataclasses import dataclass

# Names of the numbers that each distribution is written with.
_NUMBERS: dict[str, tuple[str, ...]] = {
    "fixed": ("seconds",),
    "uniform": ("least", "most"),
    "normal": ("mean", "deviation"),
    "exponential": ("mean",),
}
FORMS = "SECONDS, uniform:LEAST,MOST, normal:MEAN,DEVIATION or exponential:MEAN"
LONGEST = 86_400.0


@dataclass(frozen=True, slots=True)
class Latency:
    """A distribution of seconds. ``numbers`` as in ``_NUMBERS``, all in seconds."""

    distribution: str
    numbers: tuple[float, ...]

    def seconds(self, chance: float) -> float:
        """The delay at which the distribution has reached ``chance`` (0 ≤ chance < 1); never below 0.

        Inverse transform: the same chance gives the same delay in every version of Python.
        """
        first, *rest = self.numbers
        match self.distribution:
            case "uniform":
                drawn = first + (rest[0] - first) * chance
            case "normal":
                drawn = first + rest[0] * _normal(chance)
            case "exponential":
                drawn = -first * math.log1p(-chance)
            case _:
                drawn = first
        return max(drawn, 0.0)

    def __str__(self) -> str:
        numbers = [f"{number:g}" for number in self.numbers]
        if self.distribution == "fixed":
            return f"{numbers[0]} s"
        named = " ".join(
            f"{name} {number}" for name, number in zip(_NUMBERS[self.distribution], numbers, strict=True)
        )
        return f"{self.distribution}, {named} s"


def _normal(chance: float) -> float:
    """The quantile of the standard normal distribution."""
    from statistics import NormalDist  # 10 ms to import, for few

    return NormalDist().inv_cdf(max(chance, 2.0**-54))


def read_latency(value: float | str) -> Latency:
    """The latency that a number of seconds, or a text such as ``uniform:0.1,0.5``, means. Raises ``ValueError``
    that says what is wrong."""
    name, _, listed = value.partition(":") if isinstance(value, str) else ("fixed", "", value)
    if isinstance(value, str) and ":" not in value:
        name, listed = "fixed", value
    names = _NUMBERS.get(name.strip())
    if names is None:
        raise ValueError(f"there is no distribution {name!r}; write {FORMS}")
    try:
        numbers = tuple(float(each) for each in str(listed).split(","))
    except ValueError:
        raise ValueError(f"{value!r} has something that is no number; write {FORMS}") from None
    if len(numbers) != len(names):
        raise ValueError(f"{name} takes {' and '.join(names)}, found {len(numbers)} number(s) in {value!r}")
    if not all(0 <= number <= LONGEST for number in numbers):
        raise ValueError(f"{value!r} must have numbers of seconds from 0 to {LONGEST:g}")
    if name == "uniform" and numbers[0] > numbers[1]:
        raise ValueError(f"the least of {value!r} is above its most")
    return Latency(name.strip(), numbers)
