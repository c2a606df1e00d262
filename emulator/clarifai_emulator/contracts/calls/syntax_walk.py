"""Walks a syntax tree once, and keeps what everything else asks of it: parents, scopes, what each scope binds."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from clarifai_emulator.contracts.calls.client_reading import MOST_LEVELS, too_deep

# What has names of its own.
SCOPES = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_SCOPES = frozenset(SCOPES)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
# What binds names, besides names that are stored to.
_BINDING = frozenset(
    {
        ast.Assign, ast.AnnAssign, ast.AugAssign, ast.NamedExpr, ast.For, ast.AsyncFor, ast.Import, ast.ImportFrom,
        ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef, ast.Global, ast.Nonlocal, ast.ExceptHandler,
        ast.MatchAs, ast.MatchStar,
    }
)  # fmt: skip
# Fields that hold no node, or one that nobody asks for: contexts and operators, which nodes share.
_PLAIN = frozenset(
    {"id", "attr", "arg", "asname", "level", "module", "type_comment", "type_ignores", "kind", "conversion",
     "simple", "ctx", "op", "ops", "is_async", "rest", "kwd_attrs"}
)  # fmt: skip
# They hold values of Python, and no nodes.
_VALUES = (ast.Constant, ast.MatchSingleton)
_FIELDS: dict[type[ast.AST], tuple[str, ...]] = {}


class WalkedTree:
    """A syntax tree that was walked. ``parents``: the node that holds each node. ``nodes``: all of them, by one
    level of the tree after the other; walking it again for each question would take most of the time. ``inside``:
    the nodes of each scope, of scopes within it only their own node. ``binding``: those of them that bind names.
    ``scopes``: the scope that each node stands in."""

    __slots__ = ("binding", "inside", "nodes", "parents", "scopes")

    def __init__(self, tree: ast.Module) -> None:
        """Walk the tree. Raises ``UnreadableClient`` where it is nested too deep."""
        parents: dict[ast.AST, ast.AST] = {}
        nodes: list[ast.AST] = [tree]
        inside: dict[ast.AST, list[ast.AST]] = {tree: []}
        binding: dict[ast.AST, list[ast.AST]] = {tree: []}
        scopes: dict[ast.AST, ast.AST] = {}
        level, level_end = 0, 1
        for number, node in enumerate(nodes):  # grows while it is walked
            if number == level_end:
                level, level_end = level + 1, len(nodes)
                if level > MOST_LEVELS:
                    raise too_deep(getattr(node, "lineno", 0))
            scope = node if node in inside else scopes[node]
            among, binders = inside[scope], binding[scope]
            for child in _children(node):
                kind = type(child)
                if child is None or kind is str:
                    continue
                parents[child] = node
                scopes[child] = scope
                nodes.append(child)
                among.append(child)
                if kind is ast.Name:
                    if type(child.ctx) is not ast.Load:
                        binders.append(child)
                elif kind in _BINDING:
                    binders.append(child)
                if kind in _SCOPES:
                    inside[child], binding[child] = [], []
        self.parents, self.nodes, self.inside, self.binding, self.scopes = parents, nodes, inside, binding, scopes

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield the nodes that hold a node, from the inside out; nothing for one that is no node of the tree."""
        parents = self.parents
        current = parents.get(node)
        while current is not None:
            yield current
            current = parents.get(current)

    def scopes_of(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield the scopes that a name at this node is looked up in, from the inside. A class counts for its own
        body only."""
        scopes = self.scopes
        current = scopes.get(node)
        if current is not None:
            yield current
            current = scopes.get(current)
        while current is not None:
            if type(current) is not ast.ClassDef:
                yield current
            current = scopes.get(current)


def _children(node: ast.AST) -> list[Any]:
    """Return the nodes in the fields of a node, and what else stands among them."""
    kind = type(node)
    names = _FIELDS.get(kind)
    if names is None:
        is_plain = kind in _VALUES
        names = _FIELDS[kind] = () if is_plain else tuple(name for name in kind._fields if name not in _PLAIN)
    children: list[Any] = []
    for name in names:
        value = getattr(node, name, None)
        if type(value) is list:
            children += value
        else:
            children.append(value)
    return children
