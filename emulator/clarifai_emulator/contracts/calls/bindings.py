"""Lists the names that one scope of a client binds, and what each is bound to."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from clarifai_emulator.contracts.calls.syntax_walk import FUNCTIONS

Bound = ast.expr | ast.alias | None


class Bindings:
    """The names of one scope and what each is bound to: an expression, or ``None`` for anything else. ``froms``:
    the statement of each name that is imported; ``changed``: names that loops and `+=` bind."""

    def __init__(self, scope: ast.AST, binding: Iterable[ast.AST]) -> None:
        """Read a scope. ``binding``: the nodes in it that bind names."""
        self.names: dict[str, list[Bound]] = {}
        self.froms: dict[ast.alias, ast.ImportFrom | ast.Import] = {}
        self.classes: dict[str, ast.ClassDef] = {}
        self.changed: set[str] = set()
        if isinstance(scope, FUNCTIONS):
            given = scope.args
            for each in (*given.posonlyargs, *given.args, given.vararg, *given.kwonlyargs, given.kwarg):
                if each is not None:
                    self.bind(each.arg, None)
        for node in binding:
            self._readers[type(node)](self, node)

    def bind(self, name: str, value: Bound) -> None:
        """Note what a name is bound to."""
        self.names.setdefault(name, []).append(value)

    def _assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            self._target(target, node.value)

    def _one(self, node: ast.AnnAssign | ast.NamedExpr) -> None:
        if node.value is not None:
            self._target(node.target, node.value)

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            self.froms[alias] = node
            self.bind(alias.asname or alias.name.partition(".")[0], alias)

    def _name(self, node: ast.Name) -> None:
        # Loops, with, augmented assignments; plain ones are bound above.
        self.names.setdefault(node.id, [])

    def _change(self, node: ast.AugAssign | ast.For | ast.AsyncFor) -> None:
        self.changed.update(each.id for each in ast.walk(node.target) if isinstance(each, ast.Name))

    def _class(self, node: ast.ClassDef) -> None:
        self.classes[node.name] = node
        self.bind(node.name, None)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.bind(node.name, None)

    def _outer(self, node: ast.Global | ast.Nonlocal) -> None:
        for name in node.names:
            self.bind(name, None)

    def _caught(self, node: ast.ExceptHandler) -> None:
        if node.name:
            self.bind(node.name, None)

    def _pattern(self, node: ast.MatchAs | ast.MatchStar) -> None:
        """Leave it out: what a pattern binds a name to is not looked at."""

    def _target(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self.bind(target.id, value)
        elif isinstance(target, ast.Tuple | ast.List):
            same = isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts)
            for index, each in enumerate(target.elts):
                if isinstance(each, ast.Name):
                    self.bind(each.id, value.elts[index] if same else None)  # pyright: ignore[reportAttributeAccessIssue]

    _readers: ClassVar[dict[type[ast.AST], Callable[[Bindings, Any], None]]] = {
        ast.Assign: _assign,
        ast.AnnAssign: _one,
        ast.NamedExpr: _one,
        ast.Import: _import,
        ast.ImportFrom: _import,
        ast.Name: _name,
        ast.AugAssign: _change,
        ast.For: _change,
        ast.AsyncFor: _change,
        ast.ClassDef: _class,
        ast.FunctionDef: _function,
        ast.AsyncFunctionDef: _function,
        ast.Global: _outer,
        ast.Nonlocal: _outer,
        ast.ExceptHandler: _caught,
        ast.MatchAs: _pattern,
        ast.MatchStar: _pattern,
    }
