"""Gives the whole of one value of a message as a file: one that a browser shows or plays, or saves.

A value is named by its path in the message, as ``page_values.py`` gives it: ``parts.0.image``, and
``parts.1.parts.3.text`` for one in a list.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clarifai_emulator.api.secret_texts import SecretTexts, is_secret_name
from clarifai_emulator.control.page.array_values import as_npy
from clarifai_emulator.control.page.json_beginning import json_content, json_pieces
from clarifai_emulator.control.page.media_types import UNKNOWN, media_type
from clarifai_emulator.control.page.page_topics import PageFile

_TEXT = "text/plain; charset=utf-8"
_LISTS = ("parts", "frames")
_ATOMS = ("string_value", "bytes_value")
_MESSAGES = ("text", "image", "audio", "video", "struct_value", "ndarray")
_MOST_STEPS = 40


def value_file(data: Any, path: str, secrets: SecretTexts) -> PageFile | None:
    """Return a value of a ``Data`` message as a file; None where the path leads to none, or to a secret."""
    *steps, name = path.split(".")
    holder = _holder(data, steps)
    if holder is None or not _has(holder, name):
        return None
    value = getattr(holder, name)
    if name in ("string_value", "text"):
        text = value if name == "string_value" else value.raw
        return PageFile(secrets.hide(text).encode("utf-8", "surrogatepass"), _TEXT)
    if name == "struct_value":
        return PageFile("".join(json_pieces(json_content(value), secrets.hide)).encode(), _TEXT)
    if name == "ndarray":
        npy = as_npy(value)
        return PageFile(npy or value.buffer, UNKNOWN, "array.npy" if npy else "array.bin")
    if name == "bytes_value":
        return _bytes_file(value, "", secrets)
    return _bytes_file(value.base64, name, None)


def _bytes_file(data: bytes, wanted: str, secrets: SecretTexts | None) -> PageFile:
    kind = media_type(data, wanted)
    if kind != UNKNOWN:
        return PageFile(data, kind)
    return PageFile(secrets.hide_in_bytes(data) if secrets is not None else data, UNKNOWN, "value.bin")


def _holder(data: Any, steps: Sequence[str]) -> Any:
    """Return the ``Data`` message that holds a value."""
    if len(steps) > _MOST_STEPS or len(steps) % 2:
        return None
    for name, number in zip(steps[::2], steps[1::2], strict=True):
        if name not in _LISTS or not number.isdecimal() or not number.isascii() or len(number) > 9:
            return None
        items = getattr(data, name)
        if int(number) >= len(items):
            return None
        item = items[int(number)]
        if name == "parts" and is_secret_name(item.id):
            return None
        data = item.data
    return data


def _has(data: Any, name: str) -> bool:
    return name in _ATOMS or (name in _MESSAGES and data.HasField(name))
