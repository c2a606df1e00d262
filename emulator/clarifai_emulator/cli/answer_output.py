"""Renders a model's answers as text for people and as JSON."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any


def as_text(value: Any) -> str:
    """Render text as it is, data as JSON, and media and arrays in words."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return _bytes_text(value)
    if type(value).__module__.startswith("clarifai.") and type(value).__name__ == "Text":
        return str(value.text)
    if value is None or isinstance(value, (bool, int, float, list, tuple, dict)):
        try:
            return json.dumps(value, ensure_ascii=False)
        except TypeError:
            return repr(value)
    return repr(value)


def as_json_value(value: Any) -> Any:
    """Convert a value of any type that a method can answer to JSON; bytes become base64."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        return {str(name): as_json_value(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json_value(each) for each in value]
    if hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "to_proto"):
        from clarifai_emulator.messages.json import as_dict

        return as_dict(value.to_proto())
    if hasattr(value, "items"):
        return {str(name): as_json_value(each) for name, each in value.items()}
    return repr(value)


def _bytes_text(value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return f"<{len(value)} bytes>"
    return text if text.isprintable() else f"<{len(value)} bytes>"
