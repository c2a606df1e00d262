"""Finds the places in a client that call a method of a model, as the type checker understood them."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from clarifai_emulator.contracts.calls.checking_stubs import CALL_MARK, IN_NOTEBOOKS, MODEL_MARK, OPEN, SDK_MARK
from clarifai_emulator.contracts.calls.client_source import Position, Source
from clarifai_emulator.contracts.calls.constants import Evaluator
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
    (`async_predict`), ``notebook`` (that in a notebook), ``async-client``, or ``passed`` to what calls it.
    ``is_open``: of what it is given, no type is known, so that it may be one input, a batch, or messages.
    """

    node: ast.expr
    call: ast.Call | None
    model: int
    method: str
    kind: str
    way: str
    is_open: bool = False


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
            passing = _passing(source, node) if call is None and node is not None else None
            if node is not None:
                index, (way, name) = int(refused["index"]), _asynchronous(refused["name"])
                way = "async-client" if refused["owner"].startswith("Async") else way
                way = "passed" if passing is not None else way
                sites[node] = CallSite(node, call or passing, index, name, kind_of(index, name), way)
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
        elif node is not None and int(mark[1]) >= 0:
            passing = _passing(source, node) if call is None else None
            way = "passed" if passing is not None else "".join(each for each in mark[4:] if each != OPEN)
            is_open = OPEN in mark[4:]
            sites[node] = CallSite(node, call or passing, int(mark[1]), mark[2], mark[3], way, is_open)
    return Understood(tuple(sites.values()), tuple(sdk.values()), tuple(built.items()))


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
                found.append(CallSite(node, _passing(source, node), index, node.attr, kind, "passed"))
    return found


def _passing(source: Source, node: ast.expr) -> ast.Call | None:
    """Return the call that a function makes of its arguments: ``to_thread(f, x)`` is ``f(x)``."""
    outer = source.parents.get(node)
    if not isinstance(outer, ast.Call):
        return None
    skipped = PASSING.get(ast.unparse(outer.func).rpartition(".")[2])
    if skipped is None or outer.args[skipped : skipped + 1] != [node]:
        return None
    call = ast.Call(node, outer.args[skipped + 1 :], outer.keywords)
    return ast.copy_location(call, outer)


def mapped(source: Source, evaluator: Evaluator, node: ast.expr) -> list[ast.Call] | None:
    """Return the calls that ``map(f, values)`` makes, where its values are written in sight; None otherwise."""
    outer = source.parents.get(node)
    if not isinstance(outer, ast.Call) or outer.args[:1] != [node] or len(outer.args) < 2:
        return None
    if ast.unparse(outer.func).rpartition(".")[2] not in ("map", "filter"):
        return None
    columns = [_elements(evaluator, each) for each in outer.args[1:]]
    if any(each is None for each in columns):
        return None
    rows = zip(*(each or [] for each in columns), strict=False)
    return [ast.copy_location(ast.Call(node, list(values), []), outer) for values in rows]


def _elements(evaluator: Evaluator, node: ast.expr) -> list[ast.expr] | None:
    value = evaluator.once(node) if isinstance(node, ast.Name) else node
    is_sequence = isinstance(value, ast.List | ast.Tuple)
    return value.elts if is_sequence and not any(isinstance(each, ast.Starred) for each in value.elts) else None


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
