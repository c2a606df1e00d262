"""Finds out what becomes of a coroutine in a client: whether anything may await it."""

from __future__ import annotations

import ast

from clarifai_emulator.contracts.calls.call_sites import function_of, is_awaited, loads
from clarifai_emulator.contracts.calls.client_source import Source

# Called with a stream or a coroutine, they show or refuse the object itself.
VALUE_FUNCTIONS = frozenset(
    {"print", "str", "repr", "len", "int", "float", "bool", "format", "round", "abs", "hash", "json.dumps"}
)

# Methods that show what they are given: of loggers, of files, of pages.
SHOWING = frozenset({"debug", "info", "warning", "error", "exception", "critical", "log", "write"})


class Coroutines:
    """Looks at the coroutines of one file."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def is_shown(self, node: ast.expr) -> bool:
        """Tell whether a coroutine is used as a value where it stands, or not at all."""
        parent = self._source.parents.get(node)
        if isinstance(parent, ast.Call) and node in parent.args:
            return _shows_what_it_gets(parent)
        if isinstance(parent, ast.Subscript | ast.Attribute):
            return parent.value is node
        return isinstance(parent, ast.Expr | ast.FormattedValue | ast.BinOp | ast.Compare)

    def is_lost(self, once: ast.Await) -> bool:
        """Tell whether nothing awaits what an `await` gives. What is handed on, or kept, may be awaited."""
        parent = self._source.parents.get(once)
        if self.is_shown(once) or isinstance(parent, ast.For | ast.AsyncFor | ast.comprehension):
            return True
        if isinstance(parent, ast.Assign) and len(parent.targets) == 1 and isinstance(parent.targets[0], ast.Name):
            scope = function_of(self._source, once) or self._source.tree
            uses = loads(scope, parent.targets[0].id)
            return all(self._shows(each) for each in uses)
        if isinstance(parent, ast.Return):
            return not self._is_awaited_by_callers(once)
        return self._is_lost_in(once, parent)

    def _is_lost_in(self, once: ast.Await, parent: ast.AST | None) -> bool:
        """Tell whether a container that a coroutine is put into is shown only."""
        if isinstance(parent, ast.List | ast.Tuple | ast.Set | ast.Dict):
            if self._shows_all(parent):
                return True
            outer = self._source.parents.get(parent)
            names = outer.targets if isinstance(outer, ast.Assign) else []
        elif (
            isinstance(parent, ast.Call) and isinstance(parent.func, ast.Attribute) and parent.func.attr == "append"
        ):
            names = [parent.func.value]
        else:
            return False
        if len(names) != 1 or not isinstance(names[0], ast.Name):
            return False
        uses = loads(function_of(self._source, once) or self._source.tree, names[0].id)
        rest = [each for each in uses if not self._is_appended_to(each)]
        return bool(rest) and all(self._shows_all(each) for each in rest)

    def _shows_all(self, node: ast.expr) -> bool:
        """Tell whether what a container holds is shown with it."""
        parent = self._source.parents.get(node)
        if isinstance(parent, ast.Call) and node in parent.args:
            return _shows_what_it_gets(parent)
        return isinstance(parent, ast.Expr | ast.FormattedValue)

    def _is_appended_to(self, node: ast.expr) -> bool:
        parent = self._source.parents.get(node)
        return isinstance(parent, ast.Attribute) and parent.attr == "append"

    def _shows(self, node: ast.expr) -> bool:
        return self.is_shown(node) or isinstance(self._source.parents.get(node), ast.Return | ast.For)

    def _is_awaited_by_callers(self, node: ast.expr) -> bool:
        """Tell whether a call of the function around it is awaited twice, or awaited and handed on."""
        function = function_of(self._source, node)
        name = getattr(function, "name", None)
        for call in self._source.calls:
            called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", None)
            once = self._source.parents.get(call)
            if called != name or not isinstance(once, ast.Await):
                continue
            if is_awaited(self._source, once) or not (
                self.is_shown(once) or isinstance(self._source.parents.get(once), ast.Return | ast.Assign)
            ):
                return True
        return False


def _shows_what_it_gets(call: ast.Call) -> bool:
    is_showing = isinstance(call.func, ast.Attribute) and call.func.attr in SHOWING
    return is_showing or ast.unparse(call.func) in VALUE_FUNCTIONS
