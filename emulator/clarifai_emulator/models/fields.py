"""Parses a section of config.yaml into a protobuf message field by field, so that every bad field is named."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message

from clarifai_emulator.messages.descriptors import is_repeated
from clarifai_emulator.spelling import nearest


def parse_section(where: str, section: dict[str, Any], message: Message, *, skip: Iterable[str] = ()) -> list[str]:
    """Fill ``message`` from ``section``; the problems found, as sentences that begin with ``where.field``.

    Fields in ``skip`` are parsed and not reported: their caller checks them with a sentence of its own.
    """
    problems: list[str] = []
    names = [found.name for found in message.DESCRIPTOR.fields]
    known = {*names, *(found.json_name for found in message.DESCRIPTOR.fields)}
    for key, value in section.items():
        if key not in known:
            near = nearest(str(key), names)
            fix = f"did you mean {near}?" if near else "remove it"
            problems.append(f"{where}.{key} is not a known field; {fix}")
            continue
        try:
            json_format.ParseDict({key: value}, message)
        except json_format.ParseError:
            if key not in skip:
                problems.append(f"{where}.{key} must be {_expected(message, key)}, got {shown(value)}")
    return problems


def shown(value: object) -> str:
    """Show a value as a person wrote it, with its YAML type where that is what went wrong."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"the truth value {str(value).lower()}"
    if isinstance(value, int | float):
        return f"the number {value}"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _expected(message: Message, key: str) -> str:
    found = next(f for f in message.DESCRIPTOR.fields if key in (f.name, f.json_name))
    kinds = {
        found.CPPTYPE_STRING: "text",
        found.CPPTYPE_UINT32: "a whole number >= 0",
        found.CPPTYPE_BOOL: "true or false",
        found.CPPTYPE_MESSAGE: "a section of indented keys",
    }
    kind = kinds.get(found.cpp_type, "another type of value")
    return f"a list of {kind} values" if is_repeated(found) else kind
