"""Names what is given an address of the platform and is not understood: another package's class or function."""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Iterator

from clarifai_emulator.contracts.endpoints.client_code import ClientCode
from clarifai_emulator.contracts.endpoints.openai_frameworks import PROVIDERS
from clarifai_emulator.contracts.endpoints.openai_surface import CLIENTS
from clarifai_emulator.contracts.endpoints.platform_urls import litellm_name, model_address, read_platform_url
from clarifai_emulator.contracts.endpoints.written_python import texts_of
from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.client_call import ClientCall
from clarifai_emulator.messages.openai_paths import PREFIX

# Their calls are looked at elsewhere, or ask nothing of a model: the SDK and its messages, MCP, HTTP, settings,
# tests, and what shows a text.
LOOKED_AT_ELSEWHERE = frozenset(
    {
        *sys.stdlib_module_names,
        *("clarifai", "clarifai_grpc", "clarifai_utils", "clarifai_protocol", "google", "grpc"),
        *("mcp", "fastmcp", "requests", "httpx", "aiohttp", "urllib3"),
        *("pydantic", "pydantic_settings", "dotenv", "click", "typer", "yaml", "tenacity", "loguru", "rich"),
        *("pytest", "streamlit", "gradio", "IPython", "tqdm", "pandas", "numpy", "respx", "responses", "vcr"),
    }
)


def unclaimed(code: ClientCode, claimed: Collection[ast.AST]) -> Iterator[ClientCall]:
    """Yield, as not checked, each call of another package that is given the platform's address, or a model's, and
    that nothing else has understood. ``claimed``: the calls that were."""
    for call in code.source.calls:
        if call in claimed:
            continue
        name = code.name_of(call.func)
        # A client that another module uses is looked at there.
        if not name or name in CLIENTS | PROVIDERS or name.partition(".")[0] in LOOKED_AT_ELSEWHERE:
            continue
        text = next((each for node in _given(call) for each in texts_of(code, node) if _is_platform(each)), "")
        if text:
            shown = f"{name.rpartition('.')[2]}()"
            message = f"What {shown} asks of '{text}' is not known, so it is not checked."
            where = code.source.location(call.func)
            yield ClientCall(where, shown, findings=(found("unresolved-request", message, where, method=shown),))


def _given(call: ast.Call) -> Iterator[ast.expr]:
    for each in (*call.args, *(keyword.value for keyword in call.keywords)):
        for value in each.values if isinstance(each, ast.Dict) else (each,):
            if isinstance(value, ast.Constant | ast.Name | ast.Attribute | ast.JoinedStr | ast.BinOp):
                yield value


def _is_platform(text: str) -> bool:
    url = read_platform_url(text)
    if url is not None:
        return url.path.startswith(PREFIX.rpartition("/")[0])
    sent, is_clarifai = litellm_name(text)
    return (is_clarifai and sent != text) or ("clarifai.com/" in text and model_address(text) is not None)
