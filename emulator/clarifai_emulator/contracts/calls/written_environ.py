"""Recognises where code reads a variable: ``os.environ["URL"]``, ``os.getenv("URL", default)``."""

from __future__ import annotations

import ast
from dataclasses import dataclass

_MAPPINGS = frozenset({"os.environ", "environ"})
_FUNCTIONS = frozenset({"os.environ.get", "environ.get", "os.getenv", "getenv"})


@dataclass(frozen=True, slots=True)
class ReadVariable:
    """A reading of a variable. ``name``: the expression that names it; ``default``: what it is where it is not
    set."""

    name: ast.expr
    default: ast.expr | None = None


def read_variable(node: ast.expr) -> ReadVariable | None:
    """Return what the expression reads of the environment; ``None`` where it is something else."""
    if isinstance(node, ast.Subscript) and _dotted(node.value) in _MAPPINGS:
        return ReadVariable(node.slice)
    if isinstance(node, ast.Call) and node.args and _dotted(node.func) in _FUNCTIONS:
        named = [each.value for each in node.keywords if each.arg == "default"]
        default = next(iter([*node.args[1:2], *named]), None)
        return ReadVariable(node.args[0], default)
    return None


def _dotted(node: ast.expr) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""
