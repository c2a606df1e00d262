"""Figures as a table: on the terminal, and as Markdown for ``docs/performance.md``."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from benchmarks.figures import Figure

_COLUMNS = ("figure", "value", "compared with", "ratio", "target", "met", "repeats")


def show(figures: Sequence[Figure]) -> None:
    """Print the table."""
    table = Table(*_COLUMNS)
    for figure in figures:
        table.add_row(*_cells(figure))
    Console().print(table)


def markdown(figures: Sequence[Figure]) -> str:
    """The same as a Markdown table."""
    rows = [_COLUMNS, ("---",) * len(_COLUMNS), *(_cells(figure) for figure in figures)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _cells(figure: Figure) -> tuple[str, ...]:
    return (
        figure.name,
        _quantity(figure.value, figure.unit),
        "" if figure.baseline is None else _quantity(figure.baseline, figure.unit),
        "" if figure.ratio is None else f"{figure.ratio:.2f}×",
        figure.bound,
        {True: "yes", False: "no", None: ""}[figure.met],
        str(figure.repeats),
    )


def _quantity(value: float, unit: str) -> str:
    """Three figures are all that a measurement here is good for."""
    return f"{value:.0f} {unit}" if value >= 1000 else f"{value:.3g} {unit}"
