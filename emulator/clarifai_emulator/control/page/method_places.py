"""Finds the line at which a model directory defines a method."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from clarifai_emulator.contracts.signatures.model_source import parsed

_FOLDER = "1"
_FIRST = "model.py"
_MOST_FILES = 50
_MOST_BYTES = 1024 * 1024
_METHODS = (ast.FunctionDef, ast.AsyncFunctionDef)


def method_place(directory: Path, method: str) -> tuple[str, int] | None:
    """Return where a method is defined: a file of the directory, and the line. ``model.py`` goes first, then the
    modules beside it, where its class may have a base. Reads files. None where no module defines it."""
    for path in _modules(directory / _FOLDER):
        line = _line_of(path, method)
        if line is not None:
            return path.relative_to(directory).as_posix(), line
    return None


def _modules(folder: Path) -> Iterator[Path]:
    try:
        found = sorted(folder.rglob("*.py"), key=lambda path: (path.name != _FIRST, path.as_posix()))
        yield from (path for path in found[:_MOST_FILES] if path.stat().st_size <= _MOST_BYTES)
    except OSError:
        return


def _line_of(path: Path, method: str) -> int | None:
    """Return the line of a method; one that the model publishes goes before another of its name."""
    tree = parsed(path)
    holders = [each for each in ast.walk(tree) if isinstance(each, ast.ClassDef)] if tree is not None else []
    found = [
        (any(ast.unparse(decorator).endswith(".method") for decorator in each.decorator_list), each.lineno)
        for holder in holders
        for each in holder.body
        if isinstance(each, _METHODS) and each.name == method
    ]
    return max(found, key=lambda each: each[0])[1] if found else None
