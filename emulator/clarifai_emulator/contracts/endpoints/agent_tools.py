"""Judges the MCP servers that a client gives an agent: ``extra_body={"mcp_servers": ["https://clarifai.com/…"]}``.

The SDK's AgenticModelClass takes the address of a model for that of its MCP server.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from clarifai_emulator.contracts.calls.given_models import unreadable_model
from clarifai_emulator.contracts.endpoints.known_endpoints import EndpointModels
from clarifai_emulator.contracts.endpoints.named_model import NamedModel, named_models
from clarifai_emulator.contracts.endpoints.openai_request import Destination, OpenAiRequest
from clarifai_emulator.contracts.endpoints.platform_urls import MCP_MARK, model_address
from clarifai_emulator.contracts.endpoints.written_value import WrittenValue, shown_texts
from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.client_call import ClientCall
from clarifai_emulator.contracts.rules.finding import Finding
from clarifai_emulator.messages.mcp_paths import TRANSPORT
from clarifai_emulator.messages.openai_paths import NEEDS_METHOD

_SHOWN = "MCP server of an agent"
_HOW_TO_NAME = "a tool server is named by its URL, as https://clarifai.com/USER/APP/models/MODEL."


def judge_tool_servers(request: OpenAiRequest, models: EndpointModels) -> Iterator[ClientCall]:
    """Yield each server that a request to the platform names by the address of its model. Those that are named by
    the address of the server itself are found wherever they stand."""
    if request.destination is not Destination.PLATFORM:
        return
    given = request.extra.values.get("mcp_servers") or request.arguments.values.get("mcp_servers")
    for value in (given.elements or [given]) if given is not None else ():
        texts = tuple(each for each in value.texts if MCP_MARK not in each and model_address(each) is not None)
        if texts:
            yield _judged(value, texts, models)


def _judged(value: WrittenValue, texts: tuple[str, ...], models: EndpointModels) -> ClientCall:
    findings: list[Finding] = []
    name = shown_texts(texts)
    for named in named_models(NamedModel(_SHOWN, replace(value, texts=texts), texts, _HOW_TO_NAME), models):
        if isinstance(named, Finding):
            findings.append(named)
            continue
        name = named.name
        if not named.is_readable:
            findings.append(unreadable_model(named.known))
        elif not named.speaks_mcp:
            methods = ", ".join(each.signature.name for each in named.known.methods)
            message = f"Model '{name}' has no method {TRANSPORT}; it has {methods}. {NEEDS_METHOD}"
            findings.append(found("no-mcp", message, value.location, model=name))
    return ClientCall(value.location, _SHOWN, name, tuple(findings))
