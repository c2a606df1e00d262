"""Finds what a Python file asks of MCP servers: their addresses, and ``session.call_tool("add", {…})``."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from clarifai_emulator.contracts.endpoints.client_code import ClientCode
from clarifai_emulator.contracts.endpoints.client_makers import makers_of
from clarifai_emulator.contracts.endpoints.platform_urls import MCP_MARK
from clarifai_emulator.contracts.endpoints.written_python import arguments, texts_of, written
from clarifai_emulator.contracts.endpoints.written_value import UNSEEN, WrittenValue
from clarifai_emulator.contracts.rules.finding import Location

_TOOL_CALLS = frozenset({"call_tool", "call_tool_mcp"})
_OTHER_CALLS = frozenset(
    {"list_tools", "list_resources", "list_resource_templates", "list_prompts", "read_resource", "get_prompt"}
)
_SESSIONS = frozenset(
    {
        "fastmcp.Client",
        "fastmcp.client.Client",
        "fastmcp.client.client.Client",
        "mcp.ClientSession",
        "mcp.Client",
        "mcp.client.session.ClientSession",
        "mcp.client.Client",
    }
)
_TRANSPORTS = frozenset(
    {
        "fastmcp.client.transports.StreamableHttpTransport",
        "fastmcp.client.StreamableHttpTransport",
        "fastmcp.client.transports.SSETransport",
        "fastmcp.client.transports.http.StreamableHttpTransport",
        "mcp.client.streamable_http.streamablehttp_client",
        "mcp.client.streamable_http.streamable_http_client",
        "mcp.client.sse.sse_client",
    }
)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool, or of something else that a session asks its server for. ``servers``: the addresses that
    its session may have, where they are written; ``is_server_known``: it has no others. ``arguments``: None where
    none are given. ``is_of_tool``: False where it asks for something else, as the list of the tools."""

    location: Location
    servers: tuple[WrittenValue, ...]
    is_server_known: bool
    tool: WrittenValue | None
    arguments: WrittenValue | None
    shown: str
    is_of_tool: bool = True


class McpCalls:
    """Finds them in one file."""

    def __init__(self, code: ClientCode) -> None:
        self._code = code
        self.claimed: set[ast.AST] = set()

    def addresses(self) -> Iterator[WrittenValue]:
        """Yield every text of the file that is the address of an MCP server of the platform."""
        seen: set[ast.expr] = set()
        for node in self._code.source.nodes:
            if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or "/" not in node.value:
                continue
            whole = self._whole(node)
            if whole in seen or isinstance(self._code.source.parents.get(whole), ast.Expr):
                continue
            seen.add(whole)
            if MCP_MARK in node.value or any(MCP_MARK in each for each in texts_of(self._code, whole)):
                yield written(self._code, whole)

    def _whole(self, node: ast.expr) -> ast.expr:
        """Return the expression that puts the text together."""
        whole: ast.expr = node
        for each in self._code.source.above(node):
            if isinstance(each, ast.JoinedStr | ast.FormattedValue) or (
                isinstance(each, ast.BinOp) and isinstance(each.op, ast.Add)
            ):
                whole = each
            else:
                break
        return whole

    def tool_calls(self) -> Iterator[ToolCall]:
        """Yield every call of a tool, and of what else a server has, on something that may be an MCP session."""
        for name in sorted(_TOOL_CALLS | _OTHER_CALLS):
            for call in self._code.called_names.get(name, ()):
                if isinstance(call.func, ast.Attribute):
                    yield from self._tool_call(call, call.func)

    def _tool_call(self, call: ast.Call, function: ast.Attribute) -> Iterator[ToolCall]:
        makers = makers_of(self._code, function.value, _SESSIONS)
        if not makers.found and makers.others and makers.is_whole:
            return
        is_of_tool = function.attr in _TOOL_CALLS
        if not is_of_tool and not makers.found and MCP_MARK not in self._code.source.text:
            return  # other packages have methods of these names
        self.claimed.add(call)
        given = arguments(self._code, call, ("name", "arguments"))
        servers: list[WrittenValue] = []
        is_known = makers.is_whole and bool(makers.found)
        for maker in makers.found:
            found, whole = self._servers(maker.code, maker.call)
            servers += found
            is_known = is_known and whole
        tool, values = given.first("name", "tool_name"), given.first("arguments", "args")
        yield ToolCall(
            self._code.source.location(function),
            tuple(servers),
            is_known,
            tool if is_of_tool else None,
            values,
            f"{function.attr}()",
            is_of_tool,
        )

    def _servers(self, code: ClientCode, session: ast.Call) -> tuple[list[WrittenValue], bool]:
        """Return the addresses that a session may have, and whether there are no others."""
        named = [each.value for each in session.keywords if each.arg in ("transport", "read_stream", "server")]
        nodes = [*session.args[:1], *named]
        if not nodes:
            return [], False
        return self._addresses(code, nodes[0])

    def _addresses(self, code: ClientCode, node: ast.expr) -> tuple[list[WrittenValue], bool]:
        node = node.value if isinstance(node, ast.Starred) else node
        makers = makers_of(code, node, _TRANSPORTS)
        if makers.others and not makers.found and makers.is_whole:
            return [], True  # a process, or a server in the same one
        if makers.found:
            urls = [_url_of(maker.call) for maker in makers.found]
            found = [
                each
                for maker, url in zip(makers.found, urls, strict=True)
                for each in (_written_there(maker.code, url) if url is not None else ())
            ]
            return found, makers.is_whole and None not in urls and _are_whole(found)
        servers = written(code, node).at("mcpServers")
        if servers is not None:
            given = [each.at("url") for each in (servers.items or {}).values()]
            known = [each for each in given if each is not None]
            # Several servers have the names of their tools prefixed.
            return known, len(known) == len(given) == 1 and len(known[0].texts) == 1
        found = _written_there(code, node)
        return found, bool(found) and _are_whole(found)


def _url_of(transport: ast.Call) -> ast.expr | None:
    named = next((each.value for each in transport.keywords if each.arg == "url"), None)
    return named or (transport.args[0] if transport.args else None)


def _written_there(code: ClientCode, node: ast.expr) -> list[WrittenValue]:
    """Return what the expression may stand for, each where it is written."""
    return [written(other, end) for other, end in code.followed(node)]


def _are_whole(values: list[WrittenValue]) -> bool:
    return all(each.texts and UNSEEN not in each.texts for each in values)
