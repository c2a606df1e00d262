"""Reads the messages of MCP that a model's transport method is called with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from clarifai_emulator.messages.mcp_paths import TRANSPORT

_CALL = "tools/call"


def called_tool(method: str, arguments: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the tool that a call of a model's method calls, and its arguments; empty where it calls none."""
    text = arguments.get("msg")
    if method != TRANSPORT or not isinstance(text, str) or _CALL not in text:
        return "", {}
    try:
        message = json.loads(text)
    except ValueError:
        return "", {}
    if not isinstance(message, dict) or message.get("method") != _CALL:
        return "", {}
    params = message.get("params")
    if not isinstance(params, dict) or not isinstance(params.get("name"), str):
        return "", {}
    given = params.get("arguments")
    return params["name"], dict(given) if isinstance(given, dict) else {}
