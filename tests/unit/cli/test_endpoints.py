"""Models of other protocols are shown by ``deploy`` with the calls of their own clients."""

from __future__ import annotations

from typing import Any

from clarifai_emulator.cli.endpoints import endpoint_calls, is_carrier

DEPLOYED: dict[str, Any] = {
    "model_url": "https://clarifai.com/me/demo/models/tools",
    "model_user_id": "me",
    "app_id": "demo",
    "model_id": "tools",
    "signatures": [{"name": "mcp_transport"}, {"name": "predict"}],
}


def test_an_mcp_server_has_a_url() -> None:
    assert list(endpoint_calls(DEPLOYED, url="http://127.0.0.1:7878", pat="token")) == [
        (
            "With an MCP client, over streamable HTTP, the token as Bearer",
            "http://127.0.0.1:7878/v2/ext/mcp/v1/users/me/apps/demo/models/tools",
        )
    ]


def test_methods_of_its_own_are_called_with_the_sdk() -> None:
    assert [each["name"] for each in DEPLOYED["signatures"] if not is_carrier(each)] == ["predict"]
    assert list(endpoint_calls({**DEPLOYED, "signatures": [{"name": "predict"}]}, url="", pat="")) == []
