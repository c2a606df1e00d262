"""Writes the beginning of a JSON value that came over the wire: of a large one, no more is read than is shown."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from typing import Any

from clarifai_emulator.api.secret_texts import HIDDEN, is_secret_name

Hide = Callable[[str], str]
_INDENT = "  "
_HOLDS_TEXT = ("string_value", "struct_value", "list_value")


def json_pieces(value: Any, hide: Hide, depth: int = 0) -> Iterator[str]:
    """Give the text of a ``Struct``, a ``ListValue`` or a ``Value``, piece by piece, indented; texts without
    secrets."""
    kind = value.DESCRIPTOR.name
    if kind == "Value":
        yield from _value_pieces(value, hide, depth)
    elif kind == "ListValue":
        yield from _between("[]", (("", each) for each in value.values), hide, depth)
    else:
        yield from _between("{}", ((name, value.fields[name]) for name in sorted(value.fields)), hide, depth)


def json_content(struct: Any) -> Any:
    """Return the value that a ``Struct`` holds: itself, or the list that the SDK put into it."""
    is_list = set(struct.fields) == {"_list"} and struct.fields["_list"].HasField("list_value")
    return struct.fields["_list"].list_value if is_list else struct


def _value_pieces(value: Any, hide: Hide, depth: int) -> Iterator[str]:
    kind = value.WhichOneof("kind")
    if kind in ("struct_value", "list_value"):
        yield from json_pieces(getattr(value, kind), hide, depth)
    elif kind == "string_value":
        yield json.dumps(hide(value.string_value), ensure_ascii=False)
    elif kind == "number_value":
        yield number_text(value.number_value)
    elif kind == "bool_value":
        yield "true" if value.bool_value else "false"
    else:
        yield "null"


def number_text(number: float) -> str:
    """Return a number of JSON: whole ones without a fraction, as they were before they went over the wire."""
    if not math.isfinite(number):
        return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"
    return str(int(number)) if number.is_integer() and abs(number) < 2**53 else repr(number)


def _between(ends: str, items: Iterator[tuple[str, Any]], hide: Hide, depth: int) -> Iterator[str]:
    inner = "\n" + _INDENT * (depth + 1)
    before = ends[0]
    for name, each in items:
        yield before + inner
        before = ","
        if ends == "{}":
            yield f"{json.dumps(hide(name), ensure_ascii=False)}: "
        if name and is_secret_name(name) and each.WhichOneof("kind") in _HOLDS_TEXT:
            yield json.dumps(HIDDEN)
        else:
            yield from _value_pieces(each, hide, depth + 1)
    yield ends if before == ends[0] else "\n" + _INDENT * depth + ends[1]
