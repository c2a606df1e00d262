"""Reads the values of a Python client, followed through names and other modules, as ``WrittenValue``."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urljoin

from clarifai_emulator.contracts.calls.constants import UnknownValue
from clarifai_emulator.contracts.endpoints.client_code import DEEPEST, ClientCode
from clarifai_emulator.contracts.endpoints.written_value import (
    MOST_TEXTS,
    UNSEEN,
    GivenValues,
    WrittenValue,
    joined_texts,
    known_value,
    unknown_value,
)

_ENVIRONMENT = frozenset({"os.environ.get", "os.getenv", "environ.get", "getenv", "os.environ.setdefault"})
_WRAPPING = frozenset({"str", "URL", "AnyUrl", "HttpUrl"})
_SAME = frozenset({"strip", "rstrip", "lstrip", "lower"})


def written(code: ClientCode, node: ast.expr, depth: int = 0) -> WrittenValue:
    """Return the value as the source writes it."""
    where, shown = code.source.location(node), shown_source(node)
    if depth > DEEPEST:
        return unknown_value(where, "it is too deep", shown)
    ends = list(code.followed(node))
    if len(ends) == 1:
        made = _structured(*ends[0], depth)
        if made is not None:
            is_changed = isinstance(node, ast.Name) and node.id in code.changed_names
            return replace(made, location=where, shown=shown, is_whole=made.is_whole and not is_changed)
    if len(ends) == 1 and isinstance(ends[0][1], ast.Constant):
        return known_value(ends[0][1].value, where, shown)
    texts = texts_of(code, node)
    if len(texts) == 1 and UNSEEN not in texts[0]:
        return known_value(texts[0], where, shown)
    if any(each.strip(UNSEEN) for each in texts):
        return WrittenValue(
            where, texts=tuple(texts), reason=f"'{shown}' depends on how the client runs", shown=shown
        )
    try:
        return known_value(code.evaluator.value(node), where, shown)
    except UnknownValue as error:
        return unknown_value(where, str(error), shown)


def arguments(code: ClientCode, call: ast.Call, positions: Sequence[str] = ()) -> GivenValues:
    """Return the arguments of a call by name. ``positions``: the names of those that are given by position."""
    values: dict[str, WrittenValue] = {}
    is_whole = True
    for index, each in enumerate(call.args):
        if isinstance(each, ast.Starred) or index >= len(positions):
            is_whole = False
            break
        values[positions[index]] = written(code, each)
    for keyword in call.keywords:
        value = written(code, keyword.value)
        if keyword.arg:
            values[keyword.arg] = value
        else:
            values.update(value.items or {})
            is_whole = is_whole and value.items is not None and value.is_whole
    return GivenValues(values, is_whole)


def _structured(code: ClientCode, node: ast.expr, depth: int) -> WrittenValue | None:
    where = code.source.location(node)
    if isinstance(node, ast.Dict):
        return _object(code, node, depth)
    if isinstance(node, ast.List | ast.Tuple):
        plain = [each for each in node.elts if not isinstance(each, ast.Starred)]
        elements = [written(code, each, depth + 1) for each in plain]
        return WrittenValue(where, elements=elements, is_whole=len(plain) == len(node.elts))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict" and not node.args:
        items = {each.arg: written(code, each.value, depth + 1) for each in node.keywords if each.arg}
        return WrittenValue(where, items=items, is_whole=all(each.arg for each in node.keywords))
    return None


def _object(code: ClientCode, node: ast.Dict, depth: int) -> WrittenValue:
    items: dict[str, WrittenValue] = {}
    is_whole = True
    for key, value in zip(node.keys, node.values, strict=True):
        made = written(code, value, depth + 1)
        if key is None:
            items.update(made.items or {})
            is_whole = is_whole and made.items is not None and made.is_whole
            continue
        names = texts_of(code, key)
        if len(names) == 1 and UNSEEN not in names[0]:
            items[names[0]] = made
        else:
            is_whole = False
    return WrittenValue(code.source.location(node), items=items, is_whole=is_whole)


def texts_of(code: ClientCode, node: ast.expr, depth: int = 0) -> list[str]:
    """Return the texts that the expression may be, with ``UNSEEN`` for the parts that are not known."""
    if node not in code.texts:
        code.texts[node] = [UNSEEN]  # an expression that depends on itself
        found: list[str] = []
        for other, end in code.followed(node, depth):
            found += _end_texts(other, end, depth + 1)
        code.texts[node] = list(dict.fromkeys(found))[:MOST_TEXTS] or [UNSEEN]
    return code.texts[node]


def _end_texts(code: ClientCode, node: ast.expr, depth: int) -> list[str]:
    if depth > DEEPEST:
        return [UNSEEN]
    if isinstance(node, ast.Constant):
        return [node.value if isinstance(node.value, str) else str(node.value)]
    if isinstance(node, ast.JoinedStr):
        return joined_texts([texts_of(code, each, depth) for each in node.values])
    if isinstance(node, ast.FormattedValue):
        return texts_of(code, node.value, depth)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return joined_texts([texts_of(code, node.left, depth), texts_of(code, node.right, depth)])
    if isinstance(node, ast.BoolOp):
        texts = [text for each in node.values for text in texts_of(code, each, depth) if text != UNSEEN]
        return texts or [UNSEEN]
    if isinstance(node, ast.Call):
        texts = _called_texts(code, node, depth)
        if texts is not None:
            return texts
    try:
        value = code.evaluator.value(node)
    except UnknownValue:
        return [UNSEEN]
    return [value] if isinstance(value, str) else [UNSEEN]


def _called_texts(code: ClientCode, node: ast.Call, depth: int) -> list[str] | None:
    function, given = node.func, node.args
    name = ast.unparse(function) if isinstance(function, ast.Attribute | ast.Name) else ""
    last = name.rpartition(".")[2]
    if name in _ENVIRONMENT:
        return texts_of(code, given[1], depth) if len(given) > 1 else [UNSEEN]
    if last in _WRAPPING and len(given) == 1:
        return texts_of(code, given[0], depth)
    if last == "urljoin" and len(given) == 2:
        bases, paths = (texts_of(code, each, depth) for each in given)
        return [UNSEEN if UNSEEN in base + path else urljoin(base, path) for base in bases for path in paths]
    if isinstance(function, ast.Attribute) and function.attr in _SAME:
        plain = [each.value for each in given if isinstance(each, ast.Constant)]
        return [getattr(text, function.attr)(*plain) for text in texts_of(code, function.value, depth)]
    if isinstance(function, ast.Attribute) and function.attr == "format":
        return [_formatted(code, text, node, depth) for text in texts_of(code, function.value, depth)]
    made = code.definition(function)
    if made is None or isinstance(made.node, ast.ClassDef):
        return None
    returned = made.code.returned(made.node)
    return [text for other, value in returned for text in texts_of(other, value, depth + 2)] or [UNSEEN]


def _formatted(code: ClientCode, text: str, node: ast.Call, depth: int) -> str:
    given = [texts_of(code, each, depth)[0] for each in node.args]
    named = {each.arg: texts_of(code, each.value, depth)[0] for each in node.keywords if each.arg}
    try:
        return text.format(*given, **named)
    except (LookupError, ValueError, AttributeError):
        return UNSEEN


def shown_source(node: ast.AST) -> str:
    """Return the source of a node, cut to what fits in a message."""
    text = ast.unparse(node)
    return text if len(text) <= 60 else f"{text[:59]}…"
