"""Finds places in Python source: a method by its first line, its parameters, its annotations, its result."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from clarifai_emulator.contracts.rules.finding import Location
from clarifai_emulator.python_source import parse_module

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class MethodPlace:
    """The place of one method. ``parameters`` and ``annotations`` are by name; the result is ``return``. ``texts``:
    those whose annotation is text. ``docstring`` is as it is written."""

    location: Location
    parameters: Mapping[str, Location] = field(default_factory=dict[str, Location])
    annotations: Mapping[str, Location] = field(default_factory=dict[str, Location])
    texts: frozenset[str] = frozenset()
    docstring: str = ""

    def of(self, parameter: str) -> Location:
        """Return the annotation of a parameter, or the parameter, or the method."""
        return self.annotations.get(parameter) or self.parameters.get(parameter) or self.location


def place_of(file: Path, line: int, name: str) -> MethodPlace:
    """Return the method whose first line, decorators included, is ``line``; only the line where there is no
    source."""
    for function in _functions(file):
        if line in (_first_line(function), function.lineno) and function.name == name:
            return _place(file, function)
    return MethodPlace(Location(file, line))


def class_location(file: Path, name: str) -> Location | None:
    """Return where the file defines this class at its top level."""
    tree = parsed(file)
    for node in tree.body if tree is not None else ():
        if isinstance(node, ast.ClassDef) and node.name == name:
            return Location(file, node.lineno, node.col_offset + 1)
    return None


def future_import(file: Path) -> Location | None:
    """Return where the file turns its annotations into text."""
    tree = parsed(file)
    for node in tree.body if tree is not None else ():
        names = node.names if isinstance(node, ast.ImportFrom) and node.module == "__future__" else ()
        if any(alias.name == "annotations" for alias in names):
            return _location(file, node)
    return None


@lru_cache(maxsize=256)
def _parsed(file: Path, _stamp: tuple[int, int]) -> ast.Module | None:
    try:
        return parse_module(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None


def parsed(file: Path) -> ast.Module | None:
    """Return the file's syntax tree; None when there is none."""
    try:
        stat = file.stat()
    except OSError:
        return None
    return _parsed(file, (stat.st_mtime_ns, stat.st_size))


def _functions(file: Path) -> Iterator[Function]:
    tree = parsed(file)
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def _first_line(function: Function) -> int:
    return min((each.lineno for each in function.decorator_list), default=function.lineno)


def _place(file: Path, function: Function) -> MethodPlace:
    keyword = "async def " if isinstance(function, ast.AsyncFunctionDef) else "def "
    column = function.col_offset + len(keyword) + 1
    location = Location(file, function.lineno, column, function.lineno, column + len(function.name))
    given = function.args
    every = [*given.posonlyargs, *given.args, given.vararg, *given.kwonlyargs, given.kwarg]
    arguments = [each for each in every if each is not None and each.arg not in ("self", "cls")]
    types = {each.arg: each.annotation for each in arguments} | {"return": function.returns}
    annotations = {name: _location(file, each) for name, each in types.items() if each is not None}
    texts = frozenset(name for name, each in types.items() if _is_text(each))
    parameters = {each.arg: _location(file, each) for each in arguments}
    docstring = ast.get_docstring(function, clean=False) or ""
    return MethodPlace(location, parameters, annotations, texts, docstring)


def _is_text(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _location(file: Path, node: ast.expr | ast.stmt | ast.arg) -> Location:
    return Location(file, node.lineno, node.col_offset + 1, node.end_lineno or 0, (node.end_col_offset or -1) + 1)
