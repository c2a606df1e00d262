"""Explains why JSON does not fit a message: each unknown field, and each value of a wrong type."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.timestamp_pb2 import Timestamp

from clarifai_emulator.messages.descriptors import is_repeated
from clarifai_emulator.spelling import nearest

# Each kind of integer, and the range it has.
_INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
_ENUM_RANGE = _INTEGERS[FieldDescriptor.CPPTYPE_INT32]
_FLOATS = {FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE}
_INTEGER_TEXT = re.compile(r"-?\d+")
_NUMBER_TEXT = re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d+)?|NaN|-?Infinity")
# Both alphabets, in lines or not. What comes in between in a large value is not looked at.
_BASE64 = re.compile(r"[A-Za-z0-9+/_\-\s]*[=\s]*")
_LOOKED_AT = 200
_DEEPEST = 100


def find_misfits(descriptor: Any, content: Any, *, most: int) -> list[str]:
    """Return one phrase for each misfit, in the order of the document, for ``most`` of them; empty where no usual
    kind is found."""
    return list(islice(_of_message(descriptor, content, "", 0), most))


def kind_of(value: Any) -> str:
    """A JSON value's type, in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "an array" if isinstance(value, list) else "an object"


def _of_message(descriptor: Any, content: Any, where: str, depth: int) -> Iterator[str]:
    if descriptor.full_name.startswith("google.protobuf."):
        yield from _of_well_known(descriptor.full_name, content, where)
        return
    if depth > _DEEPEST:
        yield f"{where}: nested too deeply"
    elif not isinstance(content, dict):
        yield f"{where or 'it'} must be an object, got {kind_of(content)}"
    else:
        for name, value in content.items():
            field = descriptor.fields_by_name.get(name) or descriptor.fields_by_camelcase_name.get(name)
            at = f"{where}.{name}" if where else name
            if field is None:
                near = nearest(name, descriptor.fields_by_name)
                meant = f" (did you mean '{near}'?)" if near else ""
                yield f"{descriptor.name} has no field '{at}'{meant}"
            elif value is not None:
                yield from _of_field(field, value, at, depth)


def _of_well_known(name: str, content: Any, where: str) -> Iterator[str]:
    """Messages that have a JSON form of their own."""
    if name == "google.protobuf.Struct" and not isinstance(content, dict):
        yield f"{where} must be an object, got {kind_of(content)}"
    elif name == "google.protobuf.Timestamp" and not _is_time(content):
        got = f"'{content[:50]}'" if isinstance(content, str) else kind_of(content)
        yield f"{where} must be a time as '2030-01-31T12:00:00Z', got {got}"


def _is_time(content: Any) -> bool:
    try:
        Timestamp().FromJsonString(content)
    except (AttributeError, TypeError, ValueError):
        return False
    return True


def _of_field(field: Any, value: Any, at: str, depth: int) -> Iterator[str]:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        if not isinstance(value, dict):
            yield f"{at} must be an object, got {kind_of(value)}"
            return
        entry = field.message_type.fields_by_name["value"]
        for key, each in value.items():
            yield from _of_value(entry, each, f"{at}.{key}", depth)
    elif is_repeated(field):
        if not isinstance(value, list):
            yield f"{at} must be an array, got {kind_of(value)}"
            return
        for position, each in enumerate(value):
            yield from _of_value(field, each, f"{at}[{position}]", depth)
    else:
        yield from _of_value(field, value, at, depth)


def _of_value(field: Any, value: Any, at: str, depth: int) -> Iterator[str]:
    if field.message_type is not None:
        yield from _of_message(field.message_type, value, at, depth + 1)
        return
    expected = _expected(field, value)
    if expected:
        got = f"'{value[:50]}'" if isinstance(value, str) else kind_of(value)
        yield f"{at} must be {expected}, got {got}"


def _expected(field: Any, value: Any) -> str:
    """Say what a scalar must be, where ``value`` is not; else empty."""
    kind = field.cpp_type
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return "" if isinstance(value, bool) else "true or false"
    if kind in _INTEGERS:
        return _expected_integer(value, _INTEGERS[kind])
    if kind in _FLOATS:
        fits = is_number or (isinstance(value, str) and _NUMBER_TEXT.fullmatch(value))
        return "" if fits else "a number"
    if kind == FieldDescriptor.CPPTYPE_ENUM:
        known = field.enum_type.values_by_name
        if (isinstance(value, str) and value in known) or not _expected_integer(value, _ENUM_RANGE):
            return ""
        return f"a number or one of {', '.join(list(known)[:8])}"
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _expected_base64(value)
    return "" if isinstance(value, str) else "a string"


def _expected_base64(value: Any) -> str:
    """Say what base64 must be, where ``value`` is not valid as far as its beginning and end show; else empty."""
    if not isinstance(value, str):
        return "base64 text"
    if value.startswith("data:"):
        return "base64 text, without 'data:…,' before it"
    is_base64 = all(_BASE64.fullmatch(part) for part in (value[:_LOOKED_AT], value[-_LOOKED_AT:]))
    return "" if is_base64 else "base64 text"


def _expected_integer(value: Any, limits: tuple[int, int]) -> str:
    """Say what an integer must be, where ``value`` is not; else empty. Text is read as well as numbers."""
    number = _number(value)
    if number is None or not (isinstance(number, int) or number.is_integer()):
        return "a whole number"
    lowest, highest = limits
    return "" if lowest <= number <= highest else f"a whole number from {lowest} to {highest}"


def _number(value: Any) -> int | float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if not isinstance(value, str):
        return value
    try:
        return int(value) if _INTEGER_TEXT.fullmatch(value) else float(value)
    except ValueError:
        return None
