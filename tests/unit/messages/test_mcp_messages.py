"""Messages of MCP in the calls of a model's transport method."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clarifai_emulator.messages.mcp_messages import called_tool

CALL: dict[str, Any] = {"method": "tools/call", "params": {"name": "add", "arguments": {"left": 2}}}


def test_a_call_of_a_tool() -> None:
    assert called_tool("mcp_transport", {"msg": json.dumps(CALL)}) == ("add", {"left": 2})
    without = {"method": "tools/call", "params": {"name": "now"}}
    assert called_tool("mcp_transport", {"msg": json.dumps(without)}) == ("now", {})


@pytest.mark.parametrize(
    "message",
    [
        '{"method": "tools/list", "params": {"name": "tools/call"}}',
        '["tools/call"]',
        '"tools/call',
        '{"method": "tools/call"}',
        '{"method": "tools/call", "params": {"name": 3}}',
        '{"method": "tools/call", "params": []}',
        "",
    ],
)
def test_any_other_message_calls_none(message: str) -> None:
    assert called_tool("mcp_transport", {"msg": message}) == ("", {})


def test_other_methods_call_none() -> None:
    assert called_tool("predict", {"msg": json.dumps(CALL)}) == ("", {})
    assert called_tool("mcp_transport", {}) == ("", {})
