"""Reports calls that a model may be behind and that the type checker did not understand, as not checked."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Collection, Iterator

from clarifai_emulator.contracts.calls.call_sites import PASSING, CallSite, is_of_class
from clarifai_emulator.contracts.calls.call_targets import Built
from clarifai_emulator.contracts.calls.client_source import Source
from clarifai_emulator.contracts.calls.coroutines import SHOWING
from clarifai_emulator.contracts.calls.flow.held_models import HeldModels, May
from clarifai_emulator.contracts.calls.flow.outside_flow import FOLLOWED
from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.client_call import ClientCall
from clarifai_emulator.contracts.rules.finding import Finding
from clarifai_emulator.contracts.stubs.sdk_surface import ASYNC_FORWARDED, FORWARDED, OF_ONE_INPUT
from clarifai_emulator.spelling import nearest

# Functions that look at what they are given, and do not call it.
_NOT_CALLING = frozenset({"callable", "isinstance", "type", "id", "signature", "help", "iscoroutinefunction"})
_GETTERS = frozenset({"__getattr__", "__getattribute__"})
_USUAL = frozenset({*FORWARDED, *ASYNC_FORWARDED, *OF_ONE_INPUT})
_LIKELY = (May.MODEL, May.KEPT, May.TAINTED)
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
        self._replaced = source.replaced_methods
        self._guarded = source.guarded_names - self._methods

    def calls(self, understood: Collection[ast.expr], said: Collection[tuple[int, int]]) -> Iterator[ClientCall]:
        """Yield, as not checked, calls that a model may be behind, and that are neither understood nor spoken of.
        ``said``: where lines and columns of findings end."""
        for node in self._source.calls:
            function = node.func
            if (asked := _asked_by_name(function)) is not None:
                yield from self._dynamic(function, *asked)
                continue
            if function in understood or self._source.end(function) in said:
                continue
            if self._held.may_be_method(function) and not self._is_model_method(function):
                # Of what is passed to a function, it is said where it is passed.
                if not self._held.is_parameter(function):
                    yield self._unresolved(f"'{ast.unparse(function)}' may be a method of a model", function, "")
            elif isinstance(function, ast.Attribute) and not is_of_class(function):
                yield from self._method(function)
            elif self._held.origins(self._source, function):
                yield self.of_unknown(function, ast.unparse(function))
            yield from self._by_its_insides(node)
            yield from self._by_name(node)
            yield from self._handed_on(node)

    def named(self, understood: Collection[ast.expr], said: Collection[tuple[int, int]]) -> Iterator[ClientCall]:
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
        if may is May.REPORTED:
            return False
        is_known = node.attr in self._methods or self._may_be_misspelt(may, node.attr)
        if isinstance(parent, ast.Assign | ast.AnnAssign):
            return is_known and (node.attr in self._methods or bool(nearest(node.attr, self._methods)))
        if not isinstance(parent, _HANDING_ON) or (isinstance(parent, ast.Call) and parent.func is node):
            return False
        return is_known or may is May.MODEL or (isinstance(parent, ast.Call) and _name(parent.func) in PASSING)

    def _by_name(self, node: ast.Call) -> Iterator[ClientCall]:
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

    def _by_its_insides(self, node: ast.Call) -> Iterator[ClientCall]:
        """Report a method that is reached by what Python keeps of a model: its class, its attributes, itself."""
        function = node.func
        owner: ast.expr | None = None
        if isinstance(function, ast.Attribute):
            inner = function.value
            if is_of_class(function) or (node.args and function.attr in self._methods and _is_class(inner)):
                owner = node.args[0] if node.args else None
            elif function.attr == "__call__" and isinstance(inner, ast.Attribute) and inner.attr in self._methods:
                owner = inner.value
        elif isinstance(function, ast.Subscript):
            kept = function.value
            if isinstance(kept, ast.Call) and _name(kept.func) == "vars" and kept.args:
                owner = kept.args[0]
            elif isinstance(kept, ast.Attribute) and kept.attr == "__dict__":
                owner = kept.value
        if owner is not None and self._held.may(owner) in _LIKELY:
            shown = ast.unparse(function)
            yield self._unresolved(
                f"'{shown}' reaches a method of a model by what Python keeps of it", function, ""
            )

    def _is_model_method(self, function: ast.expr) -> bool:
        return isinstance(function, ast.Attribute) and self._held.may(function.value) is May.MODEL

    def _method(self, function: ast.Attribute) -> Iterator[ClientCall]:
        name, what = function.attr, ast.unparse(function.value)
        may = self._held.may(function.value)
        is_own = name in self._own or name.startswith("_")
        if may is May.REPORTED and not is_own:
            yield self.of_unknown(function, name)
        elif name in self._guarded:
            # Where the model has no such method, the call is not reached.
            if may is May.MODEL and not is_own:
                yield ClientCall(self._source.location(function), f"{name}()")
        elif may is May.MODEL and name in self._replaced:
            reason = f"{name}() is replaced in this file, by a mock for instance"
            yield self._unresolved(reason, function, name)
        elif may is May.MODEL and not is_own:
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

    def of_unknown(self, function: ast.expr, name: str) -> ClientCall:
        """Return, as not checked, a call of a model of which nobody knows which it is. Where it was said of the
        place that builds it, that is the reason."""
        owner = function.value if isinstance(function, ast.Attribute) else function
        origins = self._held.origins(self._source, owner)
        if not origins:
            return self._unresolved(f"It is not known which model '{ast.unparse(owner)}' is", function, name)
        names = ", ".join(dict.fromkeys(built.address for _, built in origins if built.address.strip("-")))
        findings = tuple(unknown_model(source, built) for source, built in origins)
        return ClientCall(self._source.location(function), f"{name}()", names, findings)

    def _unresolved(self, reason: str, function: ast.expr, name: str) -> ClientCall:
        shown, where = f"{name}()" if name else "it", self._source.location(function)
        finding = found("unresolved-call", f"{reason}, so {shown} is not checked.", where, method=name)
        return ClientCall(where, shown if name else f"{ast.unparse(function)}()", findings=(finding,))

    def _handed_on(self, node: ast.Call) -> Iterator[ClientCall]:
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
                message = f"The model is handed to {name}(): what calls it there, and with what, is not checked."
                finding = found("passed-model", message, self._source.location(each))
                yield ClientCall(self._source.location(node.func), f"{name}()", findings=(finding,))

    def passed(self, site: CallSite, model: str) -> Iterator[ClientCall]:
        """Yield, as not checked, a method that is named and not called."""
        parent = self._source.parents.get(site.node)
        if isinstance(parent, ast.Call) and ast.unparse(parent.func).rpartition(".")[2] in _NOT_CALLING:
            return
        if isinstance(parent, ast.Assign | ast.Expr | ast.Attribute | ast.Compare | ast.AnnAssign):
            return
        message = f"{site.method}() is passed on: what calls it, and with what, is not checked."
        where = self._source.location(site.node)
        finding = found("passed-method", message, where, model=model, method=site.method)
        yield ClientCall(where, f"{site.method}()", model, (finding,))

    def _dynamic(self, asked: ast.expr, owner: ast.expr, name: ast.expr) -> Iterator[ClientCall]:
        may = self._held.may(owner)
        if may in _LIKELY or (may is May.UNKNOWN and _sounds_like_model(ast.unparse(owner))):
            message = f"The method is named by {ast.unparse(name)}: the call is not checked."
            where = self._source.location(asked)
            shown = ast.unparse(asked)
            yield ClientCall(where, f"{shown}()", findings=(found("dynamic-method", message, where),))


def _asked_by_name(node: ast.expr) -> tuple[ast.expr, ast.expr] | None:
    """Return whose attribute ``getattr(owner, name)`` or ``owner.__getattr__(name)`` asks for, and by what name."""
    if not isinstance(node, ast.Call):
        return None
    if isinstance(node.func, ast.Attribute) and node.func.attr in _GETTERS:
        return (node.func.value, node.args[0]) if len(node.args) == 1 else None
    return (node.args[0], node.args[1]) if _name(node.func) == "getattr" and len(node.args) >= 2 else None


def unknown_model(source: Source, built: Built) -> Finding:
    """Report a place that builds a model of which nobody knows which it is."""
    where = source.location(built.call)
    if built.address == "-":
        return found("wrong-url", f"{built.reason}.", where)
    if built.address:
        message = f"No --model was given for {built.address}: calls of it are not checked."
        return found("model-not-given", message, where, hint=f"Add --model DIR={built.address}.")
    return found("unknown-model", f"{built.builder}(…): {built.reason}.", where)


def _name(node: ast.expr | None) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _is_class(node: ast.expr) -> bool:
    """Tell whether an expression looks like the name of a class."""
    return _name(node)[:1].isupper()


def _sounds_like_model(name: str) -> bool:
    lower = name.lower()
    return any(word in lower for word in ("model", "client", "clarifai", "llm"))
