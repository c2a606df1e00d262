"""Finds the places in a client that call a method of a model, as the type checker understood them."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from clarifai_emulator.contracts.calls.checking_stubs import CALL_MARK, IN_NOTEBOOKS, MODEL_MARK, OPEN, SDK_MARK
from clarifai_emulator.contracts.calls.client_source import Position, Source
from clarifai_emulator.contracts.calls.overloads import NO_OVERLOAD
from clarifai_emulator.contracts.calls.type_checker import Diagnostic
from clarifai_emulator.contracts.stubs.sdk_surface import FORWARDED

# Functions that call what they are given with the arguments behind it, and how many stand before it.
PASSING = {"to_thread": 0, "submit": 0, "partial": 0, "run_sync": 0, "run_in_executor": 1}

KindOf = Callable[[int, str], str]


@dataclass(frozen=True, slots=True)
class CallSite:
    """A place that names a method of a given model. ``call`` is ``None`` where it is named and not called.

    ``way``: empty for an ordinary call, ``batch``, ``protos`` (a list of messages), ``async`` and ``async-protos``
    (`async_predict`), ``notebook`` (that in a notebook), ``async-client``, ``passed`` to what calls it, or
    ``mapped``: called with each value of what is given. ``answer``: where a method that is passed
    on is called in the end, and its answer is.
    ``is_open``: of what it is given, no type is known, so that it may be one input, a batch, or messages.
    """

    node: ast.expr
    call: ast.Call | None
    model: int
    method: str
    kind: str
    way: str
    is_open: bool = False
    answer: ast.Call | None = None

    @property
    def is_partial(self) -> bool:
        """Tell whether more arguments may follow: those of ``partial(model.predict, …)`` are not all."""
        return self.way == "passed" and isinstance(self.call, _PartialCall)

    @property
    def is_handed_on(self) -> bool:
        """Tell whether the rest of the arguments is out of sight."""
        return isinstance(self.call, _HandedOnCall)


class _PartialCall(ast.Call):
    """A call of which not all arguments may be given yet."""


class _HandedOnCall(_PartialCall):
    """A call of which nobody sees where the rest of its arguments is given."""


class _MappedCall(ast.Call):
    """Calls with the values of each argument, one after the other."""


@dataclass(frozen=True, slots=True)
class SdkSite:
    """A place that names a function of the SDK's own ``Model``. ``call`` is ``None`` where it is named and not
    called; ``model`` is -1 where nobody knows which it is."""

    node: ast.expr
    call: ast.Call | None
    model: int
    name: str


@dataclass(frozen=True, slots=True)
class Understood:
    """The meaning of the type checker's marks in one file. ``built``: the calls that make a model, and which; -1
    for an unknown one. ``sdk``: calls of the SDK's own functions."""

    sites: tuple[CallSite, ...]
    sdk: tuple[SdkSite, ...]
    built: tuple[tuple[ast.Call, int], ...]


def understood(source: Source, diagnostics: Iterable[Diagnostic], kind_of: KindOf) -> Understood:
    """Return the marks among the diagnostics, at their nodes. ``kind_of`` is asked for calls that fit no form of
    their method: those bear no mark."""
    diagnostics = list(diagnostics)
    calls, names = _ends(source, {source.original(at)[0] for each in diagnostics for at in (each.start, each.end)})
    sites: dict[ast.expr, CallSite] = {}
    sdk: dict[ast.expr, SdkSite] = {}
    built: dict[ast.Call, int] = {}
    for each in diagnostics:
        refused = NO_OVERLOAD.search(each.text) if each.kind == "no-matching-overload" else None
        if refused is not None:
            end = source.original(each.start)
            call = calls.get(end)
            node = call.func if call is not None else names.get(end)
            passed = passing(source, node) if call is None and node is not None else None
            # Of `partial(…)(…)`, it is said where the method is.
            is_spoken_of = isinstance(node, ast.Call) and _passing_name(node) == "partial"
            if node is not None and not is_spoken_of and not is_of_class(node):
                index, (way, name) = int(refused["index"]), _asynchronous(refused["name"])
                way = "async-client" if refused["owner"].startswith("Async") else way
                way = "passed" if passed is not None else way
                sites[node] = _site(node, call, passed, (index, name, kind_of(index, name), way))
        if each.kind != "deprecated":
            continue
        mark = each.detail.rpartition("\n")[2].split()
        if len(mark) < 2 or mark[0] not in (CALL_MARK, MODEL_MARK, SDK_MARK):
            continue
        # A plain method is marked where it is named, an overload where its arguments are.
        place = each.start if each.text.startswith("Call to deprecated overload") else each.end
        end = source.original(place)
        call = calls.get(end)
        if mark[0] == MODEL_MARK:
            if call is not None:
                built[call] = int(mark[1])
            continue
        node = call.func if call is not None else names.get(end)
        if mark[0] == SDK_MARK:
            if node is not None:
                sdk[node] = SdkSite(node, call, int(mark[1]), mark[2])
        elif node is not None and int(mark[1]) >= 0 and not is_of_class(node):
            passed = passing(source, node) if call is None else None
            way = "passed" if passed is not None else "".join(each for each in mark[4:] if each != OPEN)
            meant = (int(mark[1]), mark[2], mark[3], way)
            sites[node] = _site(node, call, passed, meant, is_open=OPEN in mark[4:])
    return Understood(tuple(sites.values()), tuple(sdk.values()), tuple(built.items()))


def _site(
    node: ast.expr,
    call: ast.Call | None,
    passed: tuple[ast.Call, ast.Call | None] | None,
    meant: tuple[int, str, str, str],
    *,
    is_open: bool = False,
) -> CallSite:
    """Return the place of a call, or of a method that is passed on. ``meant``: its model, method, kind and way."""
    made, answer = passed or (None, None)
    index, method, kind, way = meant
    way = "mapped" if call is None and isinstance(made, _MappedCall) else way
    return CallSite(node, call or made, index, method, kind, way, is_open, answer)


def _asynchronous(name: str) -> tuple[str, str]:
    """Return the way of the call and the method of `async_predict`, and of its name in the copies of notebooks."""
    way, _, method = name.partition("_")
    return (way, method) if way in ("async", IN_NOTEBOOKS) and method in FORWARDED else ("", name)


def named(
    source: Source, model_of: Callable[[ast.expr], int | None], kind_of: KindOf, known: Understood
) -> list[CallSite]:
    """Methods that are named and not called: the type checker marks no overload that is not called. ``model_of``
    says which model an expression is, where the name shows it."""
    seen = {site.node for site in known.sites}
    found: list[CallSite] = []
    for node in source.attributes:
        if isinstance(node.ctx, ast.Load) and node not in seen:
            parent = source.parents.get(node)
            called = isinstance(parent, ast.Call) and parent.func is node
            index = None if called else model_of(node.value)
            kind = kind_of(index, node.attr) if index is not None else ""
            if index is not None and kind:
                found.append(_site(node, None, passing(source, node), (index, node.attr, kind, "passed")))
    return found


def passing(source: Source, node: ast.expr) -> tuple[ast.Call, ast.Call | None] | None:
    """Return the call that a function makes of its arguments, ``f(x)`` of ``to_thread(f, x)``, and where its answer
    is, if that is known: of ``partial(f, x)()``."""
    outer = source.parents.get(node)
    if not isinstance(outer, ast.Call):
        return None
    name = _passing_name(outer)
    if is_mapped(outer) and outer.args[0] is node:
        return ast.copy_location(_MappedCall(node, outer.args[1:], []), outer), None
    skipped = PASSING.get(name)
    if skipped is None or outer.args[skipped : skipped + 1] != [node]:
        return None
    args, keywords = outer.args[skipped + 1 :], outer.keywords
    if name != "partial":
        return ast.copy_location(ast.Call(node, args, keywords), outer), None
    last = last_call(source, outer)
    if last is None:
        made = _PartialCall if _is_called_by_name(source, outer) else _HandedOnCall
        return ast.copy_location(made(node, args, keywords), outer), None
    more = last.args[PASSING[_passing_name(last)] + 1 :] if outer in last.args else last.args
    call = ast.Call(node, [*args, *more], [*keywords, *last.keywords])
    return ast.copy_location(call, outer), None if outer in last.args else last


def is_of_class(node: ast.expr) -> bool:
    """Tell whether a method is taken from a model's class, ``type(model).predict``, so that the model comes first
    among its arguments."""
    owner = node.value if isinstance(node, ast.Attribute) else None
    if isinstance(owner, ast.Call):
        return isinstance(owner.func, ast.Name) and owner.func.id == "type"
    return isinstance(owner, ast.Attribute) and owner.attr == "__class__"


def is_mapped(call: ast.Call) -> bool:
    """Tell whether a call is ``map(f, …)``, or ``pool.map(f, …)`` with one collection."""
    if len(call.args) < 2 or any(isinstance(each, ast.Starred) for each in call.args):
        return False
    return _is_builtin_map(call.func) or (
        isinstance(call.func, ast.Attribute) and call.func.attr == "map" and len(call.args) == 2
    )


def _is_builtin_map(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "map"


def last_call(source: Source, partial: ast.Call) -> ast.Call | None:
    """Return what calls a ``partial(…)`` in the end, with the rest of the arguments: ``partial(…)(…)``, one call of
    the name that it is bound to, ``run_in_executor(None, partial(…))``."""
    parent = source.parents.get(partial)
    if isinstance(parent, ast.Call):
        if parent.func is partial:
            return parent
        skipped = PASSING.get(_passing_name(parent))
        return parent if skipped is not None and parent.args[skipped : skipped + 1] == [partial] else None
    called = _calls_by_name(source, partial)
    return called[0] if called is not None and len(called) == 1 else None


def _is_called_by_name(source: Source, partial: ast.Call) -> bool:
    """Tell whether all that becomes of a ``partial(…)`` is calls of the name that it is bound to."""
    return bool(_calls_by_name(source, partial))


def _calls_by_name(source: Source, partial: ast.Call) -> list[ast.Call] | None:
    """Return the calls of the name that a ``partial(…)`` is bound to; ``None`` where it has other uses, too."""
    parent = source.parents.get(partial)
    if (
        not isinstance(parent, ast.Assign)
        or len(parent.targets) != 1
        or not isinstance(parent.targets[0], ast.Name)
    ):
        return None
    scope, name = function_of(source, parent) or source.tree, parent.targets[0].id
    names = [each for each in ast.walk(scope) if isinstance(each, ast.Name) and each.id == name]
    loaded = [each for each in names if isinstance(each.ctx, ast.Load)]
    calls = [
        outer for each in loaded if isinstance(outer := source.parents.get(each), ast.Call) and outer.func is each
    ]
    return calls if len(calls) == len(loaded) == len(names) - 1 else None


def _passing_name(call: ast.Call) -> str:
    return ast.unparse(call.func).rpartition(".")[2]


def _ends(
    source: Source, lines: Collection[int]
) -> tuple[Mapping[Position, ast.Call], Mapping[Position, ast.expr]]:
    """Return calls by where the called expression ends, and names by where they end, those that end in these
    lines."""
    calls = {source.end(node.func): node for node in source.calls if node.func.end_lineno in lines}
    names = {
        source.end(node): node
        for node in source.nodes
        if isinstance(node, ast.Attribute | ast.Name) and node.end_lineno in lines
    }
    return calls, names


def is_awaited(source: Source, node: ast.AST) -> bool:
    return isinstance(source.parents.get(node), ast.Await)


def function_of(source: Source, node: ast.AST) -> ast.AST | None:
    """Return the innermost function that the node runs in."""
    functions = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    return next((each for each in source.above(node) if isinstance(each, functions)), None)


def loads(scope: ast.AST, name: str) -> Sequence[ast.Name]:
    """Return where the scope reads the name, in the order of the text."""
    found = [
        node
        for node in ast.walk(scope)
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
    ]
    return sorted(found, key=lambda node: (node.lineno, node.col_offset))
