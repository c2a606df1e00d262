"""Lays out tables and paragraphs as wide as the terminal: long cells wrap in their column, and no word is broken.

Where stdout is no terminal (a pipe, a file), each row is one line, however long. Where even the longest words do
not fit beside each other, the table becomes a list of entries, one below the other.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Callable, Sequence

import click

Rows = Sequence[Sequence[str]]

_GAP = "  "
# Narrowest width of the last column; longer words stick out of it.
_NARROWEST_LAST = 24
_STYLED = re.compile(r"((?:\x1b\[[\d;]*m)+)(.*?)(\x1b\[0m)", re.DOTALL)


def output_width() -> int | None:
    """Return the number of columns of stdout; None if it is no terminal."""
    if not sys.stdout.isatty():
        return None
    import shutil  # imports the compression formats, which a pipe does not need

    return shutil.get_terminal_size().columns


def columns(rows: Rows, *, indent: str = "  ", heading: bool = False, width: int | None = None) -> list[str]:
    """Write the rows as lines with aligned columns; cells that a row lacks are empty. ``heading``: the first row
    names the columns. ``width``: of the output, by default that of the terminal."""
    width = output_width() if width is None else width
    natural = _widths(rows, _length)
    room = None if width is None else width - len(indent) - len(_GAP) * (len(natural) - 1)
    if room is None or sum(natural) <= room:
        return _laid_out(rows, natural, indent)
    least = _widths(rows, _longest_word)
    least[-1] = min(least[-1], _NARROWEST_LAST)
    if sum(least) > room:
        return _entries(rows, indent, heading=heading, width=width or 0)
    return _laid_out(rows, _fitted(natural, least, room), indent)


def paragraph(text: str, *, hanging: str = "  ", width: int | None = None) -> str:
    """Wrap each line of a text between words if the terminal is too narrow for it."""
    width = output_width() if width is None else width
    if width is None:
        return text
    return "\n".join(_wrapped(line, width, hanging) for line in text.split("\n"))


def _wrapped(line: str, width: int, hanging: str) -> str:
    if _length(line) <= width or "\x1b" in line:
        return line
    start = line[: len(line) - len(line.lstrip())]
    return "\n".join(_fill(line.strip(), width, start, start + hanging))


def _fill(text: str, width: int, first: str = "", others: str = "") -> list[str]:
    return textwrap.wrap(
        text,
        max(1, width),
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [""]


def _widths(rows: Rows, measure: Callable[[str], int]) -> list[int]:
    count = max((len(row) for row in rows), default=0)
    return [max((measure(row[n]) for row in rows if n < len(row)), default=0) for n in range(count)]


def _length(cell: str) -> int:
    return len(click.unstyle(cell))


def _longest_word(cell: str) -> int:
    return max((len(word) for word in click.unstyle(cell).split()), default=0)


def _fitted(natural: list[int], least: list[int], room: int) -> list[int]:
    """Take room from the widest column that has some to give, until all fit."""
    widths = list(natural)
    while sum(widths) > room:
        given = max((n for n in range(len(widths)) if widths[n] > least[n]), key=widths.__getitem__)
        widths[given] -= 1
    return widths


def _laid_out(rows: Rows, widths: list[int], indent: str) -> list[str]:
    lines: list[str] = []
    for row in rows:
        cells = [_cell_lines(cell, widths[n]) for n, cell in enumerate(row)]
        for number in range(max(map(len, cells), default=0)):
            parts = [lines_[number] if number < len(lines_) else "" for lines_ in cells]
            padded = (part + " " * (widths[n] - _length(part)) for n, part in enumerate(parts))
            lines.append((indent + _GAP.join(padded)).rstrip())
    return lines


def _cell_lines(cell: str, width: int) -> list[str]:
    """Wrap a cell in lines of this width; each keeps the cell's colour."""
    if _length(cell) <= width:
        return [cell]
    styled = _STYLED.fullmatch(cell)
    if styled is None:
        return _fill(click.unstyle(cell), width)
    return [f"{styled[1]}{line}{styled[3]}" for line in _fill(styled[2], width)]


def _entries(rows: Rows, indent: str, *, heading: bool, width: int) -> list[str]:
    """Lay out the rows one below the other: the first cell of each, then the others with their headings."""
    names = list(rows[0]) if heading else []
    lines: list[str] = []
    for row in rows[1:] if heading else rows:
        first, *others = row
        named = [(names[n] if heading else "", cell) for n, cell in enumerate(others, 1) if cell]
        parts = [click.unstyle(f"{name} {cell}".strip()) for name, cell in named]
        lines += _fill(click.unstyle(first), width, indent, indent)
        lines += (
            _joined(parts, width, indent + "  ")
            if heading
            else [line for part in parts for line in _fill(part, width, indent + "  ", indent + "  ")]
        )
    return lines


def _joined(parts: list[str], width: int, indent: str) -> list[str]:
    """Join as many parts in a line as fit; a part that is too long for a line is wrapped."""
    lines: list[str] = []
    for part in parts:
        longer = f"{lines[-1]}{_GAP}{part}" if lines else ""
        if lines and len(longer) <= width:
            lines[-1] = longer
        else:
            lines += _fill(part, width, indent, indent + "  ")
    return lines
