"""Finds what the calls of a function in the same file give one of its parameters, and its default."""

from __future__ import annotations

import ast
from collections.abc import Sequence

Function = ast.FunctionDef | ast.AsyncFunctionDef
_MOST = 20


def given_arguments(function: Function, name: str, calls: Sequence[ast.Call]) -> list[ast.expr]:
    """Return the expressions. ``calls``: those of the function in the same file."""
    given = function.args
    if name not in [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]:
        return []
    found: list[ast.expr] = []
    default = _default(function, name)
    if default is not None:
        found += _provided(default) or [default]
    position = _position(function, name)
    for call in calls:
        named = next((each.value for each in call.keywords if each.arg == name), None)
        if named is not None:
            found.append(named)
        elif position is not None and position < len(call.args):
            found.append(call.args[position])
    return found[:_MOST]


def _provided(default: ast.expr) -> list[ast.expr]:
    """Return the call that FastAPI makes for ``Depends(function)``."""
    if isinstance(default, ast.Call) and isinstance(default.func, ast.Name | ast.Attribute):
        name = default.func.attr if isinstance(default.func, ast.Attribute) else default.func.id
        if name == "Depends" and default.args:
            made = ast.Call(func=default.args[0], args=[], keywords=[])
            return [ast.copy_location(made, default)]
    return []


def _position(function: Function, name: str) -> int | None:
    names = [each.arg for each in (*function.args.posonlyargs, *function.args.args)]
    if names[:1] in (["self"], ["cls"]):
        names = names[1:]
    return names.index(name) if name in names else None


def _default(function: Function, name: str) -> ast.expr | None:
    given = function.args
    plain = [*given.posonlyargs, *given.args]
    for argument, value in zip(reversed(plain), reversed(given.defaults), strict=False):
        if argument.arg == name:
            return value
    for argument, value in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        if argument.arg == name:
            return value
    return None
