"""Shows figures as a table: on the terminal, and as Markdown for ``docs/performance.md``."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks.figures import Figure

_COLUMNS = ("figure", "value", "compared with", "ratio", "target", "met", "of floor", "repeats")
_ANY_WIDTH = 10_000


def show(figures: Sequence[Figure], console: Console | None = None) -> None:
    """Print the table, with whole names: in a terminal too narrow for it, each above its numbers."""
    console = console or Console()
    rows = [_cells(figure) for figure in figures]
    table = Table(*_COLUMNS)
    for row in rows:
        table.add_row(*map(Text, row))
    anywhere = console.options.update(max_width=_ANY_WIDTH)
    if console.measure(table, options=anywhere).maximum <= console.width:
        console.print(table)
    else:
        _show_narrow(rows, console)


def _show_narrow(rows: Sequence[tuple[str, ...]], console: Console) -> None:
    widths = [max(map(len, cells)) for cells in zip(_COLUMNS, *rows, strict=True)][1:]
    for name, *numbers in (_COLUMNS, *rows):
        line = "  ".join(f"{number:<{width}}" for number, width in zip(numbers, widths, strict=True))
        console.print(f"{name}\n    {line.rstrip()}", markup=False, highlight=False, soft_wrap=True)


def markdown(figures: Sequence[Figure]) -> str:
    """Return the same as a Markdown table."""
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
        "" if figure.of_floor is None else f"{figure.of_floor:.2f}×",
        str(figure.repeats),
    )


def _quantity(value: float, unit: str) -> str:
    """Return a value with three figures: a measurement here is good for no more."""
    return f"{value:.0f} {unit}" if value >= 1000 else f"{value:.3g} {unit}"
