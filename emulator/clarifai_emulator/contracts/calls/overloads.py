"""Finds the wrong argument where the type checker only says that no form of a method takes them together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from clarifai_emulator.contracts.stubs import stub_types

NO_OVERLOAD = re.compile(
    r"No matching overload found for function `[\w.]*?(?P<owner>(?:Async)?(?:Model|Client)_(?P<index>\d+))"
    r"\.(?P<name>\w+)` called with arguments: \((?P<given>.*)\)"
)
_KEYWORD = re.compile(r"(\w+)=(?!=)")
# What the SDK takes for each data type, among the types that have a name of their own.
_TAKEN = {
    "STR": {"str"},
    "BYTES": {"bytes"},
    "INT": {"int", "bool"},
    "FLOAT": {"float", "int", "bool"},
    "BOOL": {"bool"},
    "JSON_DATA": {"dict", "list"},
    "TEXT": {"str", "dict"},
    "CONCEPT": {"str"},
    "NDARRAY": {"list", "tuple", "int", "float", "bool"},
    "LIST": {"list", "tuple", "set", "frozenset", "Iterator", "Generator"},
    "TUPLE": {"tuple", "list"},
    "NAMED_FIELDS": {"dict"},
}
_NAMED = {"str", "bytes", "int", "float", "bool", "dict", "list", "tuple", "set", "frozenset", "None"}
_ITERATORS = ("Iterator", "Generator", "chain", "map", "filter", "zip", "enumerate", "reversed", "islice")


def suspects(given: str, fields: list[Any]) -> Iterator[tuple[str, str]]:
    """Yield (parameter, type) of the arguments that cannot be what their parameter takes. ``given``: as the checker
    writes them, ``str, n=Literal['3']``."""
    for position, text in enumerate(_split(given)):
        keyword = _KEYWORD.match(text)
        name = keyword[1] if keyword else ""
        tp = text[keyword.end() :] if keyword else text
        field = next((each for each in fields if each.name == name), None) if name else _at(fields, position)
        if field is not None and not all(_fits(part, field) for part in _split(tp, "|")):
            yield str(field.name), tp


def _at(fields: list[Any], position: int) -> Any:
    return fields[position] if position < len(fields) else None


def _fits(tp: str, field: Any) -> bool:
    tp = tp.strip()
    base = base_of(tp)
    if base == "None":
        return not field.required and field.default == "null"
    if field.iterator:
        return base not in _NAMED and not (base.endswith(_ITERATORS) and not _fits_inside(tp, field))
    kind = stub_types.kind(field)
    if base not in _NAMED:
        return True
    if kind == "LIST" and base in ("list", "set", "frozenset"):
        return all(_fits(part, field.type_args[0]) for part in _split(_inside(tp), "|"))
    return base in _TAKEN.get(kind, set[str]())


def _fits_inside(tp: str, field: Any) -> bool:
    item = type(field)()
    item.CopyFrom(field)
    item.iterator = False
    first = _split(_inside(tp))[:1]
    return not first or all(_fits(part, item) for part in _split(first[0], "|"))


def base_of(tp: str) -> str:
    """Return the type itself: ``list`` for ``list[str]``, ``str`` for ``Literal['a']``."""
    literal = re.match(r"Literal\[(.*)\]$", tp)
    if literal is None:
        return "str" if tp == "LiteralString" else tp.partition("[")[0].rpartition(".")[2]
    value = literal[1]
    if value[:1] in "'\"":
        return "str"
    if value[:2] in ("b'", 'b"'):
        return "bytes"
    return "bool" if value in ("True", "False") else "int"


def _inside(tp: str) -> str:
    return tp.partition("[")[2].removesuffix("]")


def _split(text: str, separator: str = ",") -> list[str]:
    """Return the parts of a text that the separator divides outside of brackets and quotes."""
    parts: list[str] = []
    depth, quote, part = 0, "", ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "[(":
            depth += 1
        elif character in "])":
            depth -= 1
        if character == separator and depth == 0 and not quote:
            parts.append(part.strip())
            part = ""
        else:
            part += character
    return [*parts, part.strip()] if part.strip() else parts
