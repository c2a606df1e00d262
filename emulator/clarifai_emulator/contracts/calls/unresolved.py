"""Reports calls that look like a model's and that the type checker did not understand, as not checked."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator

from clarifai_emulator.contracts.calls.call_sites import CallSite
from clarifai_emulator.contracts.calls.client_source import Source
from clarifai_emulator.contracts.calls.constants import Evaluator
from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.finding import Finding
from clarifai_emulator.contracts.stubs.sdk_surface import ASYNC_FORWARDED, FORWARDED

# They call it with one value of a collection, which the type checker knows the type of.
_TYPED_PASSING = frozenset({"map", "filter"})
_USUAL = frozenset({*FORWARDED, *ASYNC_FORWARDED})


class Unresolved:
    """Looks for them in one file. ``methods``: the names that a method of a model, or of the SDK's Model, has."""

    def __init__(
        self,
        source: Source,
        evaluator: Evaluator,
        methods: Collection[str],
        built: Collection[ast.Call],
        is_reported: Callable[[ast.expr], bool],
    ) -> None:
        self._source = source
        self._evaluator = evaluator
        self._methods = methods
        self._built = built
        self._is_reported = is_reported

    def calls(self, understood: Collection[ast.expr], said: Collection[tuple[int, int]]) -> Iterator[Finding]:
        """Calls of such a name that are neither understood nor spoken of. ``said``: where lines and columns of
        findings end."""
        for node in self._source.calls:
            if self._is_getattr(node):
                yield from self._dynamic(node)
                continue
            function = node.func
            if (
                isinstance(function, ast.Attribute)
                and function.attr in self._methods
                and function not in understood
                and self._source.end(function) not in said
                and not self._is_reported(function.value)
                and self._may_be_model(function.value, function.attr)
            ):
                what = ast.unparse(function.value)
                yield found(
                    "unresolved-call",
                    f"It is not known what '{what}' is, so {function.attr}() is not checked.",
                    self._source.location(function),
                    method=function.attr,
                )

    def passed(self, site: CallSite, model: str) -> Iterator[Finding]:
        """Report a method that is named and not called."""
        parent = self._source.parents.get(site.node)
        if isinstance(parent, ast.Call) and ast.unparse(parent.func).rpartition(".")[2] in _TYPED_PASSING:
            return
        if isinstance(parent, ast.Assign | ast.Expr | ast.Attribute | ast.Compare | ast.AnnAssign):
            return
        yield found(
            "passed-method",
            f"{site.method}() is passed on: what calls it, and with what, is not checked.",
            self._source.location(site.node),
            model=model,
            method=site.method,
        )

    def _is_getattr(self, node: ast.Call) -> bool:
        return isinstance(node.func, ast.Call) and _name(node.func.func) == "getattr" and len(node.func.args) >= 2

    def _dynamic(self, node: ast.Call) -> Iterator[Finding]:
        assert isinstance(node.func, ast.Call)
        owner, name = node.func.args[:2]
        if not self._may_be_model(owner) and not self._is_built(owner):
            return
        shown = ast.unparse(name)
        yield found(
            "dynamic-method",
            f"The method is named by {shown}: the call is not checked.",
            self._source.location(node.func),
        )

    def _is_built(self, node: ast.expr) -> bool:
        """Tell whether the name is bound to a call that makes a model."""
        value = self._evaluator.once(node) if isinstance(node, ast.Name) else None
        return isinstance(value, ast.Call) and value in self._built

    def _may_be_model(self, node: ast.expr, method: str = "") -> bool:
        """Tell whether the value may be a model: nothing says what it is (a parameter without a type, something
        taken out of a collection, or an attribute), and it is called what a model is called."""
        if isinstance(node, ast.Await):
            return False
        if isinstance(node, ast.Subscript):
            return self._may_be_model(node.value, method)
        if self._is_built(node) or (isinstance(node, ast.Attribute) and self._is_built(node.value)):
            return True
        if isinstance(node, ast.Attribute):
            return isinstance(node.value, ast.Name) and _sounds_like_model(node.attr)
        if isinstance(node, ast.Call):
            return _sounds_like_model(_name(node.func))
        if not isinstance(node, ast.Name) or node.id in ("self", "cls", "super"):
            return False
        return self._is_open(node, method)

    def _is_open(self, node: ast.Name, method: str) -> bool:
        found_ = self._evaluator.bound(node)
        if found_ is None:
            return False
        scope, values = found_
        if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
            given = scope.args
            for each in (*given.posonlyargs, *given.args, *given.kwonlyargs):
                if each.arg == node.id:
                    usual = method in _USUAL or _sounds_like_model(node.id)
                    return usual and (each.annotation is None or _name(each.annotation) in ("Any", "object"))
        # A loop over models, a `with`, an element of a collection: bound, and to nothing that says what it is.
        if not values:
            return _sounds_like_model(node.id)
        value = values[-1]
        if isinstance(value, ast.Call):
            return _name(value.func) in ("getattr", "next", "eval") or (
                _sounds_like_model(node.id) and self._is_local(value.func)
            )
        return isinstance(value, ast.Subscript) or (value is None and _sounds_like_model(node.id))

    def _is_local(self, function: ast.expr) -> bool:
        """Tell whether the function that gave the value is of this file."""
        if not isinstance(function, ast.Name):
            return False
        found_ = self._evaluator.bound(function)
        return found_ is not None and not any(isinstance(each, ast.alias) for each in found_[1])


def _name(node: ast.expr | None) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _sounds_like_model(name: str) -> bool:
    lower = name.lower()
    return any(word in lower for word in ("model", "client", "clarifai", "llm"))
