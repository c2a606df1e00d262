"""Reads client files into pieces of Python: a file is one piece, a notebook one for each cell of code."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PYTHON = (".py", ".ipynb")


@dataclass(frozen=True, slots=True)
class Piece:
    """Python source. ``cell`` is the number of a notebook's cell, from 1, as the checker counts; 0 in a file."""

    cell: int
    text: str
    tree: ast.Module


def pieces(path: Path) -> Iterator[Piece]:
    """Yield what of a file can be parsed. Lines of a shell and magics become blank lines."""
    for cell, text in sources(path):
        try:
            yield Piece(cell, text, ast.parse(text, type_comments=False))
        except SyntaxError:
            continue


def sources(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the number and the source of each piece."""
    if path.suffix == ".py":
        yield 0, path.read_text(errors="replace")
    elif path.suffix == ".ipynb":
        for number, cell in enumerate(json.loads(path.read_text(errors="replace"))["cells"], 1):
            if cell.get("cell_type") == "code":
                yield number, without_magics(cell_source(cell))


def cell_source(cell: Mapping[str, Any]) -> str:
    """Return the source of a notebook's cell, which a notebook keeps as lines or as one text."""
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


def without_magics(source: str) -> str:
    """Blank out what only a notebook understands; lines keep their numbers."""
    if source.lstrip().startswith("%%"):
        return ""
    lines = source.split("\n")
    return "\n".join("" if each.lstrip().startswith(("!", "%", "?")) else each for each in lines)
