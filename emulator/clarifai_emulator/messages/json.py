"""Writes protobuf messages as plain JSON values, those included that JSON has no form for.

Models answer what the wire can hold and JSON cannot: infinite numbers in a ``Struct``, times after the year 9999.
They are written as near as JSON comes to them, so that one such value does not hide all others.
"""

from __future__ import annotations

import math
from typing import Any

from google.protobuf.json_format import MessageToDict, SerializeToJsonError

from clarifai_emulator.messages.descriptors import is_repeated
from clarifai_emulator.messages.empty_fields import add_empty_fields

_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799  # the years 1 to 9999


def as_dict(message: Any, *, numeric_enums: bool = False, as_answered: bool = False) -> dict[str, Any]:
    """Return a message with the names of its fields as they stand in the proto; unset fields are left out.

    ``as_answered``: with the empty fields that the platform's REST answers have."""
    content = _as_dict(message, numeric_enums)
    if as_answered:
        add_empty_fields(message, content)
    return content


def _as_dict(message: Any, numeric_enums: bool) -> dict[str, Any]:
    try:
        return MessageToDict(message, preserving_proto_field_name=True, use_integers_for_enums=numeric_enums)
    except (SerializeToJsonError, ValueError):  # the second for a Struct by itself
        writable = type(message)()
        writable.CopyFrom(message)
        _make_writable(writable)
        return MessageToDict(writable, preserving_proto_field_name=True, use_integers_for_enums=numeric_enums)


def _make_writable(message: Any) -> None:
    name = message.DESCRIPTOR.full_name
    if name == "google.protobuf.Value" and message.WhichOneof("kind") == "number_value":
        if not math.isfinite(message.number_value):
            message.string_value = _in_words(message.number_value)
    elif name == "google.protobuf.Timestamp":
        message.seconds = max(_FIRST_SECOND, min(message.seconds, _LAST_SECOND))
        message.nanos = max(0, min(message.nanos, 999_999_999))
    else:
        for inner in _messages_in(message):
            _make_writable(inner)


def _messages_in(message: Any) -> list[Any]:
    found: list[Any] = []
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            found += [each for each in value.values() if hasattr(each, "DESCRIPTOR")]
        else:
            found += value if is_repeated(field) else [value]
    return found


def _in_words(number: float) -> str:
    """Name the number as JSON has numbers of the proto's own types."""
    if math.isnan(number):
        return "NaN"
    return "Infinity" if number > 0 else "-Infinity"
