"""Judges what clients ask of MCP servers: the address, the tool, and its arguments."""

from __future__ import annotations

from collections.abc import Iterator

from clarifai_emulator.contracts.endpoints.known_endpoints import EndpointModel, EndpointModels, shown_address
from clarifai_emulator.contracts.endpoints.mcp_python import ToolCall
from clarifai_emulator.contracts.endpoints.mcp_tools import McpTool, misfit
from clarifai_emulator.contracts.endpoints.platform_urls import MCP_MARK, mcp_address, read_platform_url
from clarifai_emulator.contracts.endpoints.written_value import UNSEEN, WrittenValue
from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.finding import Finding
from clarifai_emulator.messages.mcp_paths import TRANSPORT, no_such_path
from clarifai_emulator.messages.openai_paths import NEEDS_METHOD
from clarifai_emulator.spelling import did_you_mean, nearest


def judge_address(value: WrittenValue, models: EndpointModels) -> tuple[list[Finding], int]:
    """Return what is wrong with the address of a server, and 1 where it was held against a model."""
    findings: list[Finding] = []
    calls = 0
    for text in value.texts:
        said = _judge_text(text, value, models)
        findings += said
        calls = calls or int(not said and _model_of(text, models) is not None)
        calls = calls or int(any(each.severity == "error" for each in said))
    return findings, calls


def _judge_text(text: str, value: WrittenValue, models: EndpointModels) -> list[Finding]:
    url = read_platform_url(text)
    if url is None or MCP_MARK not in url.path or _is_beginning(url.path):
        return []
    address = mcp_address(url.path)
    if address is None:
        return [found("wrong-url", no_such_path(url.path.replace(UNSEEN, "…")), value.location)]
    if not address.model_id:
        shown = text.replace(UNSEEN, "…")
        if models.any is not None:
            return []
        message = f"Which model serves '{shown}', is only known when it runs."
        return [found("unknown-model", message, value.location)]
    model = models.find(address)
    if model is None:
        name = shown_address(address)
        near = did_you_mean(name, models.names, lead=" ")
        message = f"No --model was given for the MCP server {name}, so it is not checked.{near}"
        return [found("model-not-given", message, value.location, hint=f"Add --model DIR={name}.")]
    if model.is_readable and not model.speaks_mcp:
        names = ", ".join(each.signature.name for each in model.known.methods)
        message = f"Model '{model.name}' has no method {TRANSPORT}; it has {names}. {NEEDS_METHOD}"
        return [found("no-mcp", message, value.location, model=model.name)]
    return []


def _is_beginning(path: str) -> bool:
    """Tell whether the text is only the beginning of an address, to which other code adds the rest."""
    parts = path.strip("/").split("/")
    names = ["v2", "ext", "mcp", "v1", "users", "", "apps", "", "models"]
    return len(parts) <= len(names) and all(
        not name or name == part for name, part in zip(names, parts, strict=False)
    )


def _model_of(text: str, models: EndpointModels) -> EndpointModel | None:
    url = read_platform_url(text)
    address = mcp_address(url.path) if url is not None else None
    if address is None:
        return None
    return models.find(address) if address.model_id else models.any


def judge_tool_call(call: ToolCall, models: EndpointModels) -> tuple[list[Finding], int]:
    """Return what is wrong with the call of a tool, and 1 where it was held against a server."""
    platform = [each for each in call.servers if read_platform_url(each) is not None]
    if not platform:
        if call.is_server_known:
            return [], 0
        message = f"It is not known which server {call.shown} asks, so it is not checked."
        return [found("unresolved-request", message, call.location)], 0
    # A server that is not given was told of at its address.
    known = [model for each in platform if (model := _model_of(each, models)) is not None and model.speaks_mcp]
    findings = [each for model in known for each in _tool(call, model)]
    return findings, int(bool(known))


def _tool(call: ToolCall, model: EndpointModel) -> Iterator[Finding]:
    tools = model.mcp_tools
    if call.tool is None or not call.tool.text:
        shown = call.tool.shown if call.tool is not None else "arguments that are unpacked"
        yield found("dynamic-method", f"The tool is named by {shown}: the call is not checked.", call.location)
        return
    name = call.tool.text
    tool = tools.tools.get(name)
    if tool is None and not tools.is_whole:
        message = (
            f"Which tools the server of model '{model.name}' has, its source does not say: '{name}' is not checked."
        )
        yield found("unread-tools", message, call.tool.location, model=model.name, method=name)
    elif tool is None:
        names = list(tools.tools)
        guess = did_you_mean(name, names, lead=" ")
        message = f"The server of model '{model.name}' has no tool '{name}'; it has {', '.join(names)}.{guess}"
        near = nearest(name, names)
        hint = f"Write '{near}'." if near else None
        edit = call.tool.written_as(near)
        where = call.tool.location
        yield found("unknown-tool", message, where, hint=hint, model=model.name, method=name, edit=edit)
    else:
        yield from _arguments(call, tool, model)


def _arguments(call: ToolCall, tool: McpTool, model: EndpointModel) -> Iterator[Finding]:
    given = call.arguments
    assert call.tool is not None
    if given is not None and given.items is None and not (given.is_known and given.value is None):
        message = f"Tool '{tool.name}' is given {given.shown}, which is not known before it runs."
        yield found("unpacked-arguments", message, given.location, model=model.name, method=tool.name)
        return
    items = (given.items or {}) if given is not None else {}
    meant: set[str] = set()
    for name, value in items.items():
        if name not in tool.parameters:
            if tool.is_open:
                continue
            meant.add(nearest(name, tool.parameters))
            takes = ", ".join(tool.parameters) or "no arguments"
            guess = did_you_mean(name, tool.parameters, lead=" ")
            message = f"Tool '{tool.name}': there is no argument '{name}'; it takes {takes}.{guess}"
            yield _about("unknown-argument", message, value, tool, model)
        elif value.is_known and value.items is None and misfit(tool.parameters[name], value.value):
            kind = type(value.value).__name__
            expected = tool.parameters[name]
            message = (
                f"Tool '{tool.name}': argument '{name}' is {value.value!r} ({kind}), and {expected} is expected."
            )
            yield _about("wrong-type", message, value, tool, model)
    if given is not None and not given.is_whole:
        return
    for name in sorted(tool.required - items.keys() - meant):
        message = f"Tool '{tool.name}': argument '{name}' is required and not given."
        yield _about("missing-argument", message, given or call.tool, tool, model)


def _about(rule: str, message: str, value: WrittenValue, tool: McpTool, model: EndpointModel) -> Finding:
    return found(rule, message, value.location, model=model.name, method=tool.name, declared=tool.location)
