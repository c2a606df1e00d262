"""Addresses of MCP servers, tools and their arguments are held against what the model registers."""

# ruff: noqa: E501 - a message on one line reads better

from __future__ import annotations

import pytest

from unit.contracts.endpoints.conftest import CheckRequests, said

URL = "https://api.clarifai.com/v2/ext/mcp/v1/users/me/apps/demo/models/mcp"
HEAD = f"""\
import os
from contextlib import AsyncExitStack
import mcp
from fastmcp import Client, FastMCP
from fastmcp.client.transports import StreamableHttpTransport
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamablehttp_client
URL = "{URL}"
"""
# Each opens a session in another way; `CALL` stands for a call on ``session``.
WAYS = [
    "async def f():\n    async with Client(URL) as session:\n        await CALL",
    "async def f():\n    async with Client(StreamableHttpTransport(URL, headers={})) as session:\n        await CALL",
    "transport = StreamableHttpTransport(url=URL)\nsession = Client(transport=transport)\nasync def f():\n    async with session:\n        await CALL",
    "async def f():\n    async with Client({'mcpServers': {'x': {'url': URL}}}) as session:\n        await CALL",
    "async def f():\n    async with streamablehttp_client(URL) as (read, write, _):\n        async with ClientSession(read, write) as session:\n            await CALL",
    "async def f():\n    async with streamablehttp_client(url=URL) as streams:\n        async with mcp.ClientSession(*streams) as session:\n            await CALL",
    "async def f():\n    stack = AsyncExitStack()\n    streams = await stack.enter_async_context(streamablehttp_client(URL))\n    read, write, _ = streams\n"
    "    session = await stack.enter_async_context(ClientSession(read, write))\n    await CALL",
    "async def use(session): return await CALL\nasync def f():\n    async with Client(URL) as session:\n        await use(session)",
    "class Bot:\n    def __init__(self):\n        self.session = Client(URL)\n    async def f(self):\n        session = self.session\n        await CALL",
]  # fmt: skip
TOOLS = [
    ("session.call_tool('ad', {'left': 2, 'right': 3})", "unknown-tool: The server of model 'mcp' has no tool 'ad'; it has add, fail. Did you mean 'add'?"),
    ("session.call_tool('add', {'left': 2, 'rigth': 3})", "unknown-argument: Tool 'add': there is no argument 'rigth'; it takes left, right. Did you mean 'right'?"),
    ("session.call_tool('add', arguments={'left': 2})", "missing-argument: Tool 'add': argument 'right' is required and not given."),
    ("session.call_tool('add', {'left': 2, 'right': 'three'})", "wrong-type: Tool 'add': argument 'right' is 'three' (str), and int is expected."),
    ("session.call_tool(os.environ['TOOL'], {})", "dynamic-method: The tool is named by os.environ['TOOL']: the call is not checked."),
    ("session.call_tool('add', dict(os.environ))", "unpacked-arguments: Tool 'add' is given dict(os.environ), which is not known before it runs."),
]  # fmt: skip
ADDRESSES = [
    (URL.replace("models/mcp", "models/hello"),
     "no-mcp: Model 'hello' has no method mcp_transport; it has predict, generate, stream. This endpoint needs a model whose class has that method."),
    (URL.replace("models/mcp", "models/mpc"),
     "model-not-given: No --model was given for the MCP server me/demo/models/mpc, so it is not checked. Did you mean 'me/demo/models/mcp'?"),
    (URL.replace("users/me/apps/demo", "me/demo"),
     "wrong-url: There is no path /v2/ext/mcp/v1/me/demo/models/mcp. MCP servers are at /v2/ext/mcp/v1/users/USER/apps/APP/models/MODEL, "
     "with /versions/VERSION behind it for a certain version."),
]  # fmt: skip
ONE = "async def f():\n    async with Client(URL) as session:\n        await "


@pytest.mark.parametrize("way", WAYS)
def test_the_server_is_found_however_the_session_is_opened(check_requests: CheckRequests, way: str):
    wrong = check_requests(HEAD + way.replace("CALL", "session.call_tool('ad', {})"))
    right = check_requests(HEAD + way.replace("CALL", "session.call_tool('add', {'left': 2, 'right': 3})"))

    assert [each.rule for each in wrong[0]] == ["unknown-tool"]
    assert right == ([], 2)  # the address, and the tool


@pytest.mark.parametrize(("call", "message"), TOOLS)
def test_a_wrong_call_of_a_tool_is_told(check_requests: CheckRequests, call: str, message: str):
    assert said(check_requests(HEAD + ONE + call)) == [message]


@pytest.mark.parametrize(("url", "message"), ADDRESSES)
@pytest.mark.parametrize("form", [
    "Client('URL')", "MultiServerMCPClient({'x': {'url': 'URL', 'transport': 'streamable_http'}})",
    "openai.responses.create(tools=[{'type': 'mcp', 'server_url': 'URL'}])", "MCPTools(url='URL', transport='streamable-http')",
])  # fmt: skip
def test_a_wrong_address_is_told_wherever_it_stands(
    check_requests: CheckRequests, form: str, url: str, message: str
):
    assert said(
        check_requests("from x import Client, MCPTools, MultiServerMCPClient, openai\n" + form.replace("URL", url))
    ) == [message]


def test_a_session_that_cannot_be_seen_is_named_and_one_of_elsewhere_is_not(check_requests: CheckRequests):
    unseen = "async def ask(session): await session.call_tool('add', {})\n# clarifai"
    other = (
        "async def f():\n    async with stdio_client(StdioServerParameters(command='x')) as (read, write):\n"
        "        async with ClientSession(read, write) as session:\n            await session.call_tool('x', {})"
    )
    own = "async def f():\n    async with Client('https://example.com/mcp') as session:\n        await session.call_tool('x', {})"

    assert said(check_requests(unseen)) == [
        "unresolved-request: It is not known which server call_tool() asks, so it is not checked."
    ]
    assert check_requests(HEAD + other)[0] == []
    assert check_requests(HEAD + own)[0] == []


def test_the_beginning_of_an_address_is_no_address(check_requests: CheckRequests):
    code = (
        "BASE = 'https://api.clarifai.com/v2/ext/mcp/v1'\n"
        "def server(user, model): return f'{BASE}/users/{user}/apps/demo/models/{model}'\n"
    )

    assert said(check_requests(code)) == [
        "unknown-model: Which model serves 'https://api.clarifai.com/v2/ext/mcp/v1/users/…/apps/demo/models/…', is only known when it runs."
    ]
