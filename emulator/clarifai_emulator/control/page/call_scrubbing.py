"""Takes the secrets out of messages of calls, so that whatever is written of them has none."""

from __future__ import annotations

from typing import Any

from clarifai_emulator.api.secret_texts import HIDDEN, SecretTexts, is_secret_name

_MEDIA = ("base64", "buffer", "decoded_bytes")
_HOLDS_TEXT = ("string_value", "struct_value", "list_value")


def scrubbed(message: Any, secrets: SecretTexts) -> tuple[Any, bool]:
    """Return a message without secrets, and whether there were any."""
    copy = type(message)()
    copy.CopyFrom(message)
    _scrub(copy, secrets)
    return copy, copy != message


def _scrub(message: Any, secrets: SecretTexts) -> None:
    kind = message.DESCRIPTOR.full_name
    if kind == "google.protobuf.Struct":
        _scrub_fields(message, secrets)
        return
    if message.DESCRIPTOR.name == "Part" and is_secret_name(message.id):
        _hide_part(message.data)
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            if not field.message_type.GetOptions().map_entry:
                for each in [value] if hasattr(value, "ListFields") else value:
                    _scrub(each, secrets)
        elif isinstance(value, str):
            setattr(message, field.name, secrets.hide(value))
        elif isinstance(value, bytes) and field.name not in _MEDIA:
            setattr(message, field.name, secrets.hide_in_bytes(value))


def _scrub_fields(struct: Any, secrets: SecretTexts) -> None:
    for name in list(struct.fields):
        value = struct.fields[name]
        if is_secret_name(name) and value.WhichOneof("kind") in _HOLDS_TEXT:
            value.string_value = HIDDEN
        else:
            _scrub(value, secrets)


def _hide_part(data: Any) -> None:
    """Hide a text, and everything that can hold one; numbers are no secrets."""
    has_text = bool(data.string_value)
    if data.int_value or data.float_value or data.bool_value:
        return
    data.Clear()
    if has_text:
        data.string_value = HIDDEN
