"""Says what an attack is, what is measured of it, and how the figures become a verdict."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Verdict = Literal["survived", "bounded", "failed", "not tried"]


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure of an attack. Up to ``unnoticed`` nobody notices anything; ``most`` is the stated bound (None: it is
    told, and not judged); ``peer`` is the same at a server of grpcio."""

    what: str
    value: float
    unit: str = ""
    most: float | None = 0
    unnoticed: float | None = None
    peer: float | None = None
    which: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        if self.most is None:
            return "survived"
        if not self.value <= self.most:  # what is no number fails, too
            return "failed"
        return "survived" if self.value <= (self.most if self.unnoticed is None else self.unnoticed) else "bounded"

    @property
    def bound(self) -> str:
        """Return the stated bound for people; empty where there is none."""
        return "" if self.most is None else f"{self.what} ≤ {quantity(self.most, self.unit)}"

    def __str__(self) -> str:
        named = f" ({', '.join(self.which[:5])}{', …' * (len(self.which) > 5)})" if self.which else ""
        return f"{self.what} {quantity(self.value, self.unit)}{named}"

    @property
    def of_peer(self) -> str:
        """Return what a server of grpcio comes to, for people; empty where it was not asked."""
        return "" if self.peer is None else f"{self.what} {quantity(self.peer, self.unit)}"


@dataclass(frozen=True, slots=True)
class NotTried:
    """Says why an attack cannot be made here."""

    why: str


@dataclass(frozen=True, slots=True)
class Attack:
    """An attack: what is sent or done (``sends``), and what makes and measures it. ``short``: CI makes it, too."""

    name: str
    sends: str
    make: Callable[[Any], Sequence[Measure] | NotTried]
    short: bool

    @property
    def area(self) -> str:
        return self.name.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Attacked:
    """Holds what an attack came to."""

    attack: Attack
    measures: tuple[Measure, ...] = ()
    not_tried: str = ""
    seconds: float = 0.0

    @property
    def verdict(self) -> Verdict:
        if self.not_tried:
            return "not tried"
        verdicts = {each.verdict for each in self.measures}
        return "failed" if "failed" in verdicts else "bounded" if "bounded" in verdicts else "survived"

    @property
    def broken(self) -> list[str]:
        """Return a sentence for each bound that did not hold."""
        return [f"{each}, and the bound is {each.bound}" for each in self.measures if each.verdict == "failed"]


ATTACKS: dict[str, Attack] = {}


def attack(name: str, *, short: bool = False) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
    """Put a function into the table of attacks; its docstring says what is sent."""

    def enter(make: Callable[[Any], Any]) -> Callable[[Any], Any]:
        assert name not in ATTACKS, name
        ATTACKS[name] = Attack(name, " ".join((make.__doc__ or "").split()).rstrip("."), make, short)
        return make

    return enter


def count(what: str, found: Sequence[str], peer: Sequence[str] | None = None, *, most: float = 0) -> Measure:
    """Return the measure of a list that should be empty."""
    return Measure(what, len(found), most=most, peer=None if peer is None else len(peer), which=tuple(found))


def quantity(value: float, unit: str) -> str:
    """Write a figure with two or three digits: a measurement here is good for no more."""
    if math.isnan(value) or math.isinf(value):
        return str(value)
    number = f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.2g}"
    return number if not unit else f"{number}{unit}" if unit in ("×", "%") else f"{number} {unit}"
