"""Finds the line at which a model directory defines a method."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from clarifai_emulator.python_source import parse_module

_FOLDER = "1"
_FIRST = "model.py"
_MOST_FILES = 50
_MOST_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class MethodPlace:
    """A line of a model directory. ``file``: relative to the directory."""

    file: str
    line: int


def method_place(directory: Path, method: str) -> MethodPlace | None:
    """Return where a method is defined: in ``model.py``, or in a module beside it, where its class has a base.
    Reads files. None where no module defines it, or the directory is gone."""
    for path in _modules(directory / _FOLDER):
        line = _lines(path, path.stat().st_mtime_ns).get(method)
        if line is not None:
            return MethodPlace(path.relative_to(directory).as_posix(), line)
    return None


def _modules(folder: Path) -> Iterator[Path]:
    try:
        found = sorted(folder.rglob("*.py"), key=lambda path: (path.name != _FIRST, path.as_posix()))[:_MOST_FILES]
        yield from (path for path in found if path.stat().st_size <= _MOST_BYTES)
    except OSError:
        return


@lru_cache(maxsize=200)
def _lines(path: Path, changed: int) -> dict[str, int]:
    """Return the lines of the methods in a file; those that a model publishes go before others of their name."""
    try:
        tree = parse_module(path.read_bytes(), str(path))
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    methods = [
        each
        for holder in ast.walk(tree)
        if isinstance(holder, ast.ClassDef)
        for each in holder.body
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    found: dict[str, int] = {}
    for each in sorted(methods, key=_is_published):
        found[each.name] = each.lineno
    return found


def _is_published(method: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(ast.unparse(each).endswith(".method") for each in method.decorator_list)
