"""Shows how to call models whose methods carry messages of OpenAI's API or of MCP: with the clients of those."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_OPENAI = """\
from openai import OpenAI

client = OpenAI(base_url="{url}/v2/ext/openai/v1", api_key="{pat}")
messages = [{{"role": "user", "content": "Hello"}}]
print(client.chat.completions.create(model="{model_url}", messages=messages))"""
_MCP = "{url}/v2/ext/mcp/v1/users/{model_user_id}/apps/{app_id}/models/{model_id}"
_CALLS = {
    "openai_transport": ("With OpenAI's client", _OPENAI),
    "mcp_transport": ("With an MCP client, over streamable HTTP, the token as Bearer", _MCP),
}
_CARRIERS = (*_CALLS, "openai_stream_transport")


def is_carrier(signature: Mapping[str, Any]) -> bool:
    """Tell whether a method takes the messages of another protocol."""
    return signature["name"] in _CARRIERS


def endpoint_calls(deployed: Mapping[str, Any], *, url: str, pat: str) -> Iterator[tuple[str, str]]:
    """Yield what to paste for a deployed model, each with its heading. ``url`` and ``pat``: of the emulator."""
    for signature in deployed["signatures"]:
        if signature["name"] in _CALLS:
            title, text = _CALLS[signature["name"]]
            yield title, text.format(url=url, pat=pat, **deployed)
