"""Reports calls that a model may be behind and that the type checker did not understand, as not checked."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Collection, Iterator

from clarifai_emulator.contracts.calls.call_sites import PASSING, CallSite
from clarifai_emulator.contracts.calls.client_source import Source
from clarifai_emulator.contracts.calls.coroutines import SHOWING
from clarifai_emulator.contracts.calls.flow.held_models import HeldModels, May
from clarifai_emulator.contracts.calls.flow.outside_flow import FOLLOWED
from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.finding import Finding
from clarifai_emulator.contracts.stubs.sdk_surface import ASYNC_FORWARDED, FORWARDED, OF_ONE_INPUT
from clarifai_emulator.spelling import nearest

# Functions that look at what they are given, and do not call it.
_NOT_CALLING = frozenset({"callable", "isinstance", "type", "id", "signature", "help", "iscoroutinefunction"})
_USUAL = frozenset({*FORWARDED, *ASYNC_FORWARDED, *OF_ONE_INPUT})
_HANDING_ON = (ast.Call, ast.keyword, ast.Dict, ast.List, ast.Tuple, ast.Set, ast.Return, ast.Lambda)
# A model is kept under a name that others use for texts, lists and dicts.
_KEPT_BESIDE = (str, list, dict, set)


class Unresolved:
    """Looks for them in one file. ``methods``: the names that a method of a given model has; ``own``: those of the
    SDK's ``Model`` itself."""

    def __init__(self, source: Source, held: HeldModels, methods: Collection[str], own: Collection[str]) -> None:
        self._source = source
        self._held = held
        self._methods = {*methods, *_USUAL}
        self._own = {*own} - _USUAL
        self._replaced = replaced_methods(source)
        self._guarded = guarded_names(source) - self._methods

    def calls(self, understood: Collection[ast.expr], said: Collection[tuple[int, int]]) -> Iterator[Finding]:
        """Calls that a model may be behind, and that are neither understood nor spoken of. ``said``: where lines
        and columns of findings end."""
        for node in self._source.calls:
            if self._is_getattr(node):
                yield from self._dynamic(node)
                continue
            function = node.func
            if function in understood or self._source.end(function) in said:
                continue
            if self._held.may_be_method(function) and not self._is_model_method(function):
                # Of what is passed to a function, it is said where it is passed.
                if not self._held.is_parameter(function):
                    yield self._unresolved(f"'{ast.unparse(function)}' may be a method of a model", function, "")
            elif isinstance(function, ast.Attribute):
                yield from self._method(function)
            yield from self._by_name(node)
            yield from self._handed_on(node)

    def named(self, understood: Collection[ast.expr], said: Collection[tuple[int, int]]) -> Iterator[Finding]:
        """Methods that a model may have, and that are named and not called, neither understood nor spoken of."""
        for node in self._source.attributes:
            parent = self._source.parents.get(node)
            if not isinstance(node.ctx, ast.Load) or node in understood or self._source.end(node) in said:
                continue
            if self._is_handed_on(node, parent) and not self._is_no_method(node.attr):
                yield from self._method(node)

    def _is_handed_on(self, node: ast.Attribute, parent: ast.AST | None) -> bool:
        """Tell whether what is named may be a method that is called elsewhere."""
        may = self._held.may(node.value)
        is_known = node.attr in self._methods or self._may_be_misspelt(may, node.attr)
        if isinstance(parent, ast.Assign | ast.AnnAssign):
            return is_known and (node.attr in self._methods or bool(nearest(node.attr, self._methods)))
        if not isinstance(parent, _HANDING_ON) or (isinstance(parent, ast.Call) and parent.func is node):
            return False
        return is_known or may is May.MODEL or (isinstance(parent, ast.Call) and _name(parent.func) in PASSING)

    def _by_name(self, node: ast.Call) -> Iterator[Finding]:
        """Report `methodcaller("predict", …)(model)`."""
        maker = node.func
        if (
            not isinstance(maker, ast.Call)
            or _name(maker.func) != "methodcaller"
            or not node.args
            or not maker.args
        ):
            return
        if self._held.may(node.args[0]) in (May.KEPT, May.TAINTED):
            named = ast.unparse(maker.args[0])
            yield self._unresolved(f"{named} is called by its name, on what may be a model", maker, "")

    def _is_model_method(self, function: ast.expr) -> bool:
        return isinstance(function, ast.Attribute) and self._held.may(function.value) is May.MODEL

    def _method(self, function: ast.Attribute) -> Iterator[Finding]:
        name, what = function.attr, ast.unparse(function.value)
        may = self._held.may(function.value)
        if name in self._guarded:
            return
        if may is May.MODEL and name in self._replaced:
            reason = f"{name}() is replaced in this file, by a mock for instance"
            yield self._unresolved(reason, function, name)
        elif may is May.MODEL and name not in self._own and not name.startswith("_"):
            yield self._unresolved(f"'{what}' may be more than one model, or something else", function, name)
        elif name not in self._methods and not self._may_be_misspelt(may, name):
            return
        elif may in (May.TAINTED, May.KEPT):
            yield self._unresolved(f"'{what}' may be a model that other code has handed on", function, name)
        elif may is May.UNKNOWN and (name in _USUAL or _sounds_like_model(what)):
            yield self._unresolved(f"It is not known what '{what}' is", function, name)

    def _may_be_misspelt(self, may: May, name: str) -> bool:
        """Tell whether a method that no model has may be meant for one of a model."""
        if may is May.KEPT:
            return not self._is_no_method(name)
        return may is May.TAINTED and not self._is_no_method(name) and bool(nearest(name, self._methods))

    def _is_no_method(self, name: str) -> bool:
        """Tell whether no method of a model has this name: one of the SDK's own, or of what else is kept."""
        return name in self._own or name.startswith("_") or any(hasattr(each, name) for each in _KEPT_BESIDE)

    def _unresolved(self, reason: str, function: ast.expr, name: str) -> Finding:
        shown = f"{name}()" if name else "it"
        return found(
            "unresolved-call", f"{reason}, so {shown} is not checked.", self._source.location(function), method=name
        )

    def _handed_on(self, node: ast.Call) -> Iterator[Finding]:
        """Report a model that is given to code of another package, which may call it."""
        if not self._held.is_outside(node.func):
            return
        name = ast.unparse(node.func)
        last = name.rpartition(".")[2]
        # A method that has the name of a builtin keeps what it is given out of sight: `session.set("m", model)`.
        is_followed = last in FOLLOWED and not ("." in name and hasattr(builtins, last))
        if last in SHOWING or is_followed or last in PASSING or last.startswith("assert"):
            return
        for each in (*node.args, *(keyword.value for keyword in node.keywords)):
            if self._held.may(each) is May.MODEL:
                yield found(
                    "passed-model",
                    f"The model is handed to {name}(): what calls it there, and with what, is not checked.",
                    self._source.location(each),
                )

    def passed(self, site: CallSite, model: str) -> Iterator[Finding]:
        """Report a method that is named and not called."""
        parent = self._source.parents.get(site.node)
        if isinstance(parent, ast.Call) and ast.unparse(parent.func).rpartition(".")[2] in _NOT_CALLING:
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
        may = self._held.may(owner)
        if may in (May.MODEL, May.KEPT, May.TAINTED) or (
            may is May.UNKNOWN and _sounds_like_model(ast.unparse(owner))
        ):
            yield found(
                "dynamic-method",
                f"The method is named by {ast.unparse(name)}: the call is not checked.",
                self._source.location(node.func),
            )


def replaced_methods(source: Source) -> frozenset[str]:
    """Return the names of attributes that a file sets on objects, or patches: `setattr(model, "predict", …)`,
    `patch.object(Model, "predict")`, `patch("….Model.predict")`, `model.predict = …`."""
    names = {
        node.attr
        for node in source.attributes
        if isinstance(node.ctx, ast.Store) and not (isinstance(node.value, ast.Name) and node.value.id == "self")
    }
    for call in source.calls:
        name = _name(call.func)
        if name in ("setattr", "object", "patch"):
            given = call.args[0 if name == "patch" else 1 : 2]
            names.update(
                each.value.rpartition(".")[2]
                for each in given[:1] or call.args[:1]
                if isinstance(each, ast.Constant) and isinstance(each.value, str)
            )
    return frozenset(names)


def guarded_names(source: Source) -> frozenset[str]:
    """Return the names of attributes that a file looks for before it uses them: `if hasattr(model, "rank")`."""
    return frozenset(
        str(each.args[1].value)
        for each in source.calls
        if _name(each.func) == "hasattr" and len(each.args) == 2 and isinstance(each.args[1], ast.Constant)
    )


def _name(node: ast.expr | None) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _sounds_like_model(name: str) -> bool:
    lower = name.lower()
    return any(word in lower for word in ("model", "client", "clarifai", "llm"))
