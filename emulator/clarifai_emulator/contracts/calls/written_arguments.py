"""Reads arguments that are not written in the call itself: dicts that are unpacked, lists that are batches."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from clarifai_emulator.contracts.calls.constants import Evaluator, UnknownValue

_DEEPEST = 20


def unpacked(node: ast.expr, evaluator: Evaluator, depth: int = 0) -> dict[str, ast.expr] | None:
    """Return the names and expressions that ``**node`` gives; ``None`` where not all of them are written."""
    if depth > _DEEPEST:
        return None
    if isinstance(node, ast.Name):
        once = evaluator.once(node) if not evaluator.is_changed(node) else None
        return None if once is None else unpacked(once, evaluator, depth + 1)
    if isinstance(node, ast.Dict):
        return _together(zip(node.keys, node.values, strict=True), evaluator, depth)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _together(((None, node.left), (None, node.right)), evaluator, depth)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict":
        given = [(None, each) for each in node.args]
        named = [(ast.Constant(each.arg) if each.arg else None, each.value) for each in node.keywords]
        return _together([*given, *named], evaluator, depth)
    return None


def is_merged(node: ast.expr, evaluator: Evaluator) -> bool:
    """Tell whether a dict that is unpacked is put together of others: the type checker knows one type for all
    its values."""
    if isinstance(node, ast.Name):
        once = evaluator.once(node)
        return once is not None and not isinstance(once, ast.Name) and is_merged(once, evaluator)
    if isinstance(node, ast.Call):
        return bool(node.args) or any(each.arg is None for each in node.keywords)
    return isinstance(node, ast.BinOp) or (isinstance(node, ast.Dict) and None in node.keys)


def is_known(node: ast.expr, evaluator: Evaluator) -> bool:
    """Tell whether the value of the expression is known."""
    try:
        evaluator.value(node)
    except UnknownValue:
        return False
    return True


def positions(args: Sequence[ast.expr], evaluator: Evaluator) -> Sequence[ast.expr]:
    """Return the arguments by position, with those of `*(…)` in its place where their values are known."""
    result: list[ast.expr] = []
    for each in args:
        inner = _elements(each.value, evaluator) if isinstance(each, ast.Starred) else None
        result += [each] if inner is None else inner
    return result


def _elements(node: ast.expr, evaluator: Evaluator) -> Sequence[ast.expr] | None:
    if isinstance(node, ast.Tuple):
        return None if any(isinstance(each, ast.Starred) for each in node.elts) else node.elts
    # The type checker knows the elements of a tuple alone, one by one.
    once = evaluator.once(node) if isinstance(node, ast.Name) and not evaluator.is_changed(node) else node
    if not isinstance(once, ast.List | ast.Tuple):
        return None
    return once.elts if is_known(once, evaluator) else None


def _together(
    pairs: Iterator[tuple[ast.expr | None, ast.expr]] | Sequence[tuple[ast.expr | None, ast.expr]],
    evaluator: Evaluator,
    depth: int,
) -> dict[str, ast.expr] | None:
    """Put keys and values together; a value without a key is unpacked."""
    result: dict[str, ast.expr] = {}
    for key, value in pairs:
        if isinstance(key, ast.Constant):
            result[str(key.value)] = value
            continue
        more = unpacked(value, evaluator, depth + 1) if key is None else None
        if more is None:
            return None
        result.update(more)
    return result


def may_give_messages(call: ast.Call, evaluator: Evaluator) -> bool:
    """Tell whether a call gives the SDK messages, `inputs=[…]`, and not the arguments of a method."""
    names = {each.arg for each in call.keywords if each.arg}
    more = (unpacked(each.value, evaluator) for each in call.keywords if each.arg is None)
    return bool(call.args) or "inputs" in names.union(*(each for each in more if each))


def batch_items(node: ast.expr, evaluator: Evaluator) -> Sequence[ast.expr] | None:
    """Return the items of a list, as far as they are written: one for all of a comprehension; ``None`` where it is
    no list, or where not all of them are written."""
    if isinstance(node, ast.Name):
        once = evaluator.once(node)
        appended = evaluator.appended(node)
        if not isinstance(once, ast.List) or appended is None:
            return [once.elt] if isinstance(once, ast.ListComp) and appended == [] else None
        return [*once.elts, *appended]
    if isinstance(node, ast.ListComp):
        return [node.elt]
    return node.elts if isinstance(node, ast.List) else None


def iterated(node: ast.expr | None) -> Sequence[ast.expr]:
    """Return the items of `iter([…])`, where they are written out."""
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "iter"
        and len(node.args) == 1
        and isinstance(node.args[0], ast.List | ast.Tuple)
    ):
        return node.args[0].elts
    return ()


def is_dict(node: ast.expr) -> bool:
    """Tell whether a dict is written here."""
    return isinstance(node, ast.Dict) or (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict"
    )


def dict_pairs(node: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    """Yield the keys and values of a dict that are written; of no other ones."""
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant):
                yield str(key.value), value
    elif isinstance(node, ast.Call):
        yield from ((each.arg, each.value) for each in node.keywords if each.arg)


def dict_keys(node: ast.expr) -> Iterator[str]:
    """Yield the keys of a dict that are written."""
    yield from (name for name, _ in dict_pairs(node))


def is_chat(batch: Sequence[ast.expr]) -> bool:
    """Tell whether these are messages of a chat, which the SDK does not take for a batch."""
    return bool(batch) and all({"role", "content"} <= set(dict_keys(each)) for each in batch)
