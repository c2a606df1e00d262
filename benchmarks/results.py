"""Keeps what a run measured, with what the machine was worth, and compares two runs, of one machine or of two."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.machine import Machine

# How many times what it was in the base a figure may be: less is noise.
SLOWER = 1.3


@dataclass(slots=True)
class Results:
    """Holds the figures of a run."""

    machine: Machine
    figures: list[Figure] = field(default_factory=list[Figure])

    def as_json(self) -> str:
        figures = [figure.as_dict() for figure in self.figures]
        return json.dumps({"machine": self.machine.as_dict(), "figures": figures}, indent=1) + "\n"

    def take_better(self, figures: list[Figure]) -> None:
        """Replace each figure by the one of the same name, where that is better."""
        again = {figure.name: figure for figure in figures}
        self.figures = [_better(figure, again.get(figure.name, figure)) for figure in self.figures]


def _better(one: Figure, other: Figure) -> Figure:
    return (max if one.at_least else min)(one, other, key=lambda figure: figure.worth)


def read(path: Path) -> Results:
    """Return the results in a file that ``as_json`` was written to."""
    saved = json.loads(path.read_text())
    return Results(Machine(**saved["machine"]), [Figure(**figure) for figure in saved["figures"]])


def slower(base: Results, now: Results) -> Iterator[tuple[Figure, float]]:
    """Yield each figure that is slower than in the base, and how many times.

    Ratios are compared as they are; times without one as if both machines ran Python equally fast."""
    pace = now.machine.python / base.machine.python
    before = {figure.name: figure for figure in base.figures}
    for figure in now.figures:
        if (old := before.get(figure.name)) is None or not old.worth:
            continue
        factor = old.worth / figure.worth if figure.at_least else figure.worth / old.worth
        if figure.ratio is None and figure.unit in ("s", "ms", "µs"):
            factor /= pace
        if factor > SLOWER:
            yield figure, factor
