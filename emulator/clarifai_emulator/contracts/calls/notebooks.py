"""Reads a notebook as one Python text: its code cells one after the other, and where each line came from."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

# What a notebook knows and Python does not: magics, shell commands, help.
_MAGIC = re.compile(r"^(\s*)(?:[%!?]|.*\?\s*$)")
_ASSIGNED_MAGIC = re.compile(r"^(\s*[\w, ]+=\s*)[%!]")


@dataclass(frozen=True, slots=True)
class Cells:
    """The code of a notebook. ``text`` is Python; ``places`` gives (cell, line in the cell) for each line, both
    from 1."""

    text: str
    places: tuple[tuple[int, int], ...]


def read_notebook(content: str) -> Cells:
    """Return the code cells of a notebook. Cells are counted as the notebook shows them, text cells included.

    Raises ``ValueError`` where it is no notebook.
    """
    document = json.loads(content)
    if not isinstance(document, dict) or not isinstance(document.get("cells"), list):
        raise ValueError("it has no cells")
    lines: list[str] = []
    places: list[tuple[int, int]] = []
    for number, cell in enumerate(document["cells"], 1):
        if cell.get("cell_type") != "code":
            continue
        source = cell.get("source", "")
        code = source if isinstance(source, str) else "".join(source)
        foreign = code.lstrip().startswith("%%")
        for line_number, line in enumerate(code.split("\n"), 1):
            lines.append("" if foreign else _python(line))
            places.append((number, line_number))
    return Cells("\n".join(lines) + "\n", tuple(places))


def _python(line: str) -> str:
    """Return the line; in place of one that is not Python, something harmless with the same indentation."""
    assigned = _ASSIGNED_MAGIC.match(line)
    if assigned is not None:
        return f"{assigned[1]}..."
    magic = _MAGIC.match(line)
    return f"{magic[1]}pass" if magic is not None else line
