"""Writes the copy of a client file that the type checker sees, in which every place of a model says which."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Collection, Iterator, Sequence

from clarifai_emulator.contracts.calls.call_sites import PASSING, is_mapped, last_call
from clarifai_emulator.contracts.calls.call_targets import CONTEXT, MODEL, Built
from clarifai_emulator.contracts.calls.checking_stubs import (
    ANYTHING,
    CAST_MODULE,
    CASTS,
    CONTRACT_ARGUMENT,
    EACH,
    IN_NOTEBOOKS,
    MAKES,
)
from clarifai_emulator.contracts.calls.client_source import Insertion, Position, Source
from clarifai_emulator.contracts.calls.flow.flow_graph import Held, Sort
from clarifai_emulator.contracts.calls.flow.held_models import HeldModels, May
from clarifai_emulator.contracts.stubs.sdk_surface import ASYNC_FORWARDED

_CASTS_OF = {Sort.MODEL: "Model", Sort.CLIENT: "Client", Sort.ASYNC_CLIENT: "AsyncClient"}
_IMPORT = f"import {CAST_MODULE}"


def typed_copy(source: Source, built: Sequence[Built], held: HeldModels, methods: Collection[str]) -> str:
    """Return the text of the copy. ``methods``: the names that a method of a given model has."""
    made = {each.call for each in built}
    insertions = [
        *(_made(source, each) for each in built if each.index is not None),
        *_calls_written_out(source, methods),
    ]
    if source.is_notebook:
        insertions += _of_notebook(source, held)
    insertions += _casts(source, made, held)
    if not any(CAST_MODULE in each.text for each in insertions):
        return source.insert(insertions)
    future = _last_future_import(source)
    if future is None:
        return source.insert(insertions, _IMPORT)
    return source.insert([*insertions, Insertion(*source.end(future), f"; {_IMPORT}")])


def _last_future_import(source: Source) -> ast.ImportFrom | None:
    """Return the last import that nothing but a docstring may stand before."""
    imports = [each for each in source.tree.body[:20] if isinstance(each, ast.ImportFrom)]
    return next((each for each in reversed(imports) if each.module == "__future__"), None)


def _casts(source: Source, made: Collection[ast.Call], held: HeldModels) -> Iterator[Insertion]:
    """Say of each object of a method call which model it is, where that is known: `cast(held.model).predict(…)`."""
    places, replaced = set[Position](), source.replaced_methods
    for node in source.attributes:
        owner = node.value
        if owner in made or node.attr in ("client", "async_client") or not isinstance(node.ctx, ast.Load):
            continue
        model = held.sure(owner)
        if model is None and node.attr not in replaced:
            continue
        start, end = source.start(owner), source.end(owner)
        if node.attr in replaced and held.may(owner) is May.MODEL and start not in places:
            places.add(start)
            yield Insertion(*start, f"{CAST_MODULE}.{ANYTHING}(")
            yield Insertion(*end, ")")
            continue
        if model is None or start in places or not _stands_there(source, owner):
            continue
        places.add(start)
        yield Insertion(*start, f"{CAST_MODULE}.{_cast(model, source)}(")
        yield Insertion(*end, ")")


def _cast(model: Held, source: Source) -> str:
    # In a notebook, methods of the asynchronous client are plain ones.
    sort = Sort.CLIENT if source.is_notebook and model.sort is Sort.ASYNC_CLIENT else model.sort
    return f"{CASTS[_CASTS_OF[sort]]}_{model.of}"


def _of_notebook(source: Source, held: HeldModels) -> Iterator[Insertion]:
    """Name `async_predict` and its likes as those of notebooks, where they give something else."""
    for node in source.attributes:
        if node.attr in ASYNC_FORWARDED and held.may(node.value) is May.MODEL:
            line, column = source.end(node)
            yield Insertion(line, column - len(node.attr), IN_NOTEBOOKS, len("async"))


def _stands_there(source: Source, node: ast.expr) -> bool:
    """Tell whether the text has the expression where its place says: before Python 3.12, within an f-string the
    places are others."""
    start, end = source.start(node), source.end(node)
    if start[0] != end[0] or not isinstance(node, ast.Name | ast.Attribute):
        around = itertools.takewhile(lambda each: not isinstance(each, ast.stmt), source.above(node))
        return not any(isinstance(each, ast.JoinedStr) for each in around)
    return source.lines[start[0] - 1][start[1] - 1 : end[1] - 1] == ast.unparse(node)


def _made(source: Source, built: Built) -> Insertion:
    """Say which model is built: by a function that makes no other, in the place of the SDK's name; where that
    cannot be replaced, by an argument before the closing bracket, for which the type checker goes through all
    models."""
    start, end = source.start(built.call.func), source.end(built.call.func)
    if start[0] == end[0] and _stands_there(source, built.call.func):
        sort = "Model" if built.builder in (MODEL, CONTEXT) else "Client"
        return Insertion(*start, f"{CAST_MODULE}.{MAKES[sort]}_{built.index}", end[1] - start[1])
    line, column = source.end(built.call)
    arguments = [*built.call.args, *(each.value for each in built.call.keywords)]
    comma = ""
    if arguments:
        last = max(source.end(each) for each in arguments)
        comma = "" if "," in _between(source, last, (line, column - 1)) else ", "
    return Insertion(line, column - 1, f"{comma}{CONTRACT_ARGUMENT}={built.index}")


def _between(source: Source, start: tuple[int, int], end: tuple[int, int]) -> str:
    """Return the text between two places, without comments."""
    lines = [*source.lines[start[0] - 1 : end[0]]]
    lines[-1] = lines[-1][: end[1] - 1]
    lines[0] = lines[0][start[1] - 1 :]
    return "\n".join(line.partition("#")[0] for line in lines)


def _calls_written_out(source: Source, methods: Collection[str]) -> Iterator[Insertion]:
    """Write ``to_thread(model.predict, text)`` as ``to_thread(lambda: model.predict(text))``: type checkers do not
    see which form of a method they are given the arguments of."""
    for outer in source.calls:
        name = outer.func.attr if isinstance(outer.func, ast.Attribute) else getattr(outer.func, "id", "")
        skipped = PASSING.get(name)
        if is_mapped(outer) and isinstance(outer.args[0], ast.Attribute) and outer.args[0].attr in methods:
            yield from _mapped(source, outer, outer.args[0])
        if skipped is None or len(outer.args) <= skipped or (name == "partial" and _takes_more(source, outer)):
            continue
        node = outer.args[skipped]
        if isinstance(node, ast.Attribute) and node.attr in methods:
            yield from _written_out(source, outer, node, more=len(outer.args) > skipped + 1 or bool(outer.keywords))


def _mapped(source: Source, outer: ast.Call, node: ast.Attribute) -> Iterator[Insertion]:
    """Write ``map(model.predict, texts)`` as ``map(*each(model.predict(a) for a in texts))``."""
    line, column = source.end(node)
    if not source.lines[line - 1][column - 1 :].startswith(","):
        return
    names = [f"clarifai_{number}" for number in range(len(outer.args) - 1)]
    several = len(names) > 1
    given = ", ".join(names)
    yield Insertion(*source.start(node), f"*{CAST_MODULE}.{EACH}(")
    yield Insertion(line, column, f"({given}) for {given} in{' zip(' if several else ''}", 1)
    yield Insertion(*source.end(outer.args[-1]), "))" if several else ")")


def _takes_more(source: Source, partial: ast.Call) -> bool:
    """Tell whether more arguments may be given to a ``partial(…)`` where it is called."""
    last = last_call(source, partial)
    if last is None:
        return True
    return len(last.args) > (last.args.index(partial) + 1 if partial in last.args else 0) or bool(last.keywords)


def _written_out(source: Source, outer: ast.Call, node: ast.Attribute, *, more: bool) -> Iterator[Insertion]:
    line, column = source.end(node)
    comma = source.lines[line - 1][column - 1 :]
    if more and not comma.startswith(","):
        return
    yield Insertion(*source.start(node), "lambda: ")
    yield Insertion(line, column, "(" if more else "()", 1 if more else 0)
    if more:
        end_line, end_column = source.end(outer)
        yield Insertion(end_line, end_column - 1, ")")
