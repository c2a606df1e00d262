"""Agents run here as on the platform: models whose brain is another model, and whose tools are models, too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import openai
import pytest
from clarifai.client import Model

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import IN_CONTAINERS, MODELS, RUNNER, running, write_model

BRAIN = "openai/chat-completion/models/gpt-4o"
AGENT = "https://clarifai.com/me/demo/models/agent"
# The address of a model's page, as the SDK's own examples name an MCP server.
PAGE = "https://clarifai.com/me/demo/models/mcp"
ASKED = "Add 2 and 3, and tell me your process."
TOPOLOGY = f"""
stand_ins:
  - model: {BRAIN}
    script:
      - contains: add 2 and 3
        calls: [{{tool: add, arguments: {{left: 2, right: 3}}}}, {{tool: process}}]
      - {{contains: "5", tool: add, arguments: {{left: 5, right: 4}}}}
      - {{contains: "9", text: It is 9.}}
"""
# Models whose own code has clients in it: each method asks the tools of another model.
CLIENTS = '''
import asyncio
import json
import os

from agents import Agent, OpenAIChatCompletionsModel, OpenAIResponsesModel, Runner, set_tracing_disabled
from agents.mcp import MCPServerStreamableHttp
from clarifai.runners.models.model_class import ModelClass
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client
from openai import AsyncOpenAI, OpenAI

TOOLS = os.environ.get("CLARIFAI_API_BASE", "") + "/v2/ext/mcp/v1/users/me/apps/demo/models/"
HEADERS = {"Authorization": "Bearer " + os.environ.get("CLARIFAI_PAT", "")}
OPENAI = {
    "base_url": os.environ.get("CLARIFAI_API_BASE", "") + "/v2/ext/openai/v1",
    "api_key": os.environ.get("CLARIFAI_PAT", "none"),
}
BRAIN = "https://clarifai.com/openai/chat-completion/models/gpt-4o"
ASKED = "Add 2 and 3, and tell me your process."
set_tracing_disabled(True)


def fastmcp_client(server):
    return Client(StreamableHttpTransport(TOOLS + server, headers=HEADERS))


class Clients(ModelClass):
    @ModelClass.method
    def with_fastmcp(self, left: int, right: int) -> int:
        async def call():
            async with fastmcp_client("mcp") as client:
                return (await client.call_tool("add", {"left": left, "right": right})).data

        return asyncio.run(call())

    @ModelClass.method
    def with_mcp(self, left: int, right: int) -> int:
        async def call():
            async with streamablehttp_client(TOOLS + "mcp", headers=HEADERS) as (read, write, _):
                async with ClientSession(read, write) as session:
                    await session.initialize()
                    return (await session.call_tool("add", {"left": left, "right": right})).content[0].text

        return int(asyncio.run(call()))

    @ModelClass.method
    def with_openai(self) -> str:
        """Run the tool loop that OpenAI's documentation has, over the tools of two servers."""
        return asyncio.run(self._loop())

    async def _loop(self):
        client, messages = OpenAI(**OPENAI), [{"role": "user", "content": ASKED}]
        async with fastmcp_client("mcp") as first, fastmcp_client("mcp_stdio") as second:
            servers = {tool.name: (each, tool) for each in (second, first) for tool in await each.list_tools()}
            offered = [
                {"type": "function", "function": {"name": name, "parameters": tool.inputSchema}}
                for name, (_, tool) in servers.items()
            ]
            while True:
                answer = client.chat.completions.create(model=BRAIN, messages=messages, tools=offered)
                message = answer.choices[0].message
                if not message.tool_calls:
                    return message.content
                messages.append(message)
                for call in message.tool_calls:
                    server, _ = servers[call.function.name]
                    result = await server.call_tool(call.function.name, json.loads(call.function.arguments))
                    messages.append({"role": "tool", "tool_call_id": call.id, "content": result.content[0].text})

    @ModelClass.method
    def with_agents(self, responses: bool, streamed: bool) -> str:
        """Run an agent of OpenAI's Agents SDK."""
        form = OpenAIResponsesModel if responses else OpenAIChatCompletionsModel

        async def run():
            brain = form(model=BRAIN, openai_client=AsyncOpenAI(**OPENAI))
            names = ("mcp", "mcp_stdio")
            servers = [MCPServerStreamableHttp({"url": TOOLS + name, "headers": HEADERS}) for name in names]
            servers[1].tool_filter = {"allowed_tool_names": ["process"]}
            async with servers[0], servers[1]:
                agent = Agent("adder", model=brain, mcp_servers=servers)
                if not streamed:
                    return (await Runner.run(agent, ASKED)).final_output
                running = Runner.run_streamed(agent, ASKED)
                async for _ in running.stream_events():
                    pass
                return running.final_output

        return asyncio.run(run())
'''
# In process a model cannot have a server as a process of its own: its working directory is the emulator's.
IN_PROCESS_TOOLS = """
import os

from clarifai.runners.models.mcp_class import MCPModelClass
from fastmcp import FastMCP

server = FastMCP("processes")


@server.tool
def process() -> int:
    return os.getpid()


class Processes(MCPModelClass):
    def get_server(self) -> FastMCP:
        return server
"""
REQUIREMENTS = "clarifai\nfastmcp>=2.10,<3\nopenai\nopenai-agents\n"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    # Of packages of the models, which are in the test's own process with that runner.
    pytest.mark.filterwarnings("ignore:Use `streamable_http_client`:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:fastmcp"),
]


@dataclass(frozen=True)
class Scene:
    """An emulator with an agent, the brain of it, and two servers of tools."""

    emulator: EmulatorThread
    tools: tuple[str, str]

    def model(self, name: str) -> Any:
        """Return the SDK's model of this name."""
        url = f"https://clarifai.com/me/demo/models/{name}"
        return Model(url=url, base_url=self.emulator.url, pat="any-token")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("agents")
    (folder / "topology.yaml").write_text(TOPOLOGY)
    clients = write_model(folder, "clients", CLIENTS)
    (clients / "requirements.txt").write_text(REQUIREMENTS)
    with running(topology=(folder / "topology.yaml",)) as emulator:
        second = MODELS / "mcp_stdio"
        if RUNNER.get("backend") == "inprocess":
            second = write_model(folder, "mcp_stdio", IN_PROCESS_TOOLS)
        for model in (MODELS / "mcp", second, MODELS / "agent", clients):
            emulator.deploy(model)
        # A container does not reach the emulator at the test's address: the page's leads to its own.
        base = f"{emulator.url}/v2/ext/mcp/v1/users/me/apps/demo/models"
        if IN_CONTAINERS:
            base = PAGE.rpartition("/")[0]
        yield Scene(emulator, (f"{base}/mcp_stdio", f"{base}/mcp"))


def inner_calls(scene: Scene, since: int) -> set[str]:
    """Return the models that were asked since an event, with the rule that each was routed by."""
    events = [event for event in scene.emulator.events("route.decided") if event.seq > since]
    return {f"{event.fields['model'].rpartition('/')[2]} by {event.fields['rule']}" for event in events}


def last_event(scene: Scene) -> int:
    return scene.emulator.events()[-1].seq


EVERY_MODEL = {"agent by owner_default", "gpt-4o by shared", "mcp by owner_default", "mcp_stdio by owner_default"}


def test_an_agentic_model_finds_its_tools_and_calls_them(scene: Scene) -> None:
    since = last_event(scene)
    agent = scene.model("agent")
    assert agent.predict(prompt=ASKED, mcp_servers=list(scene.tools)) == "It is 9."
    assert inner_calls(scene, since) == EVERY_MODEL


def test_an_agentic_model_streams(scene: Scene) -> None:
    pieces = list(scene.model("agent").generate(prompt=ASKED, mcp_servers=list(scene.tools)))
    assert [piece for piece in pieces if piece] == ["It", " is", " 9."]


def test_a_server_may_be_named_by_its_page_as_the_examples_of_the_sdk_do(scene: Scene) -> None:
    """The SDK has the platform's own API in its code there: the models' tools are asked all the same."""
    assert scene.model("agent").predict(prompt=ASKED, mcp_servers=[scene.tools[0], PAGE]) == "It is 9."
    assert not [line for line in _agent_log(scene) if "Failed to connect" in line]


@pytest.mark.parametrize("streams", [False, True])
def test_openais_client_names_the_servers_in_its_request(scene: Scene, streams: bool) -> None:
    messages: Any = [{"role": "user", "content": ASKED}]
    more: Any = {"extra_body": {"mcp_servers": list(scene.tools)}}
    with _openai(scene) as client:
        if streams:
            chunks = client.chat.completions.create(model=AGENT, messages=messages, stream=True, **more)
            said = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
        else:
            said = client.chat.completions.create(model=AGENT, messages=messages, **more).choices[0].message.content
    assert said == "It is 9."


@pytest.mark.parametrize("streams", [False, True])
def test_responses_of_an_agentic_model(scene: Scene, streams: bool) -> None:
    more: Any = {"extra_body": {"mcp_servers": list(scene.tools)}}
    with _openai(scene) as client:
        if streams:
            events = list(client.responses.create(model=AGENT, input=ASKED, stream=True, **more))
            assert "".join(each.delta for each in events if each.type == "response.output_text.delta") == "It is 9."
        else:
            assert client.responses.create(model=AGENT, input=ASKED, **more).output_text == "It is 9."


@pytest.mark.parametrize("method", ["with_fastmcp", "with_mcp"])
def test_mcp_clients_inside_a_model(scene: Scene, method: str) -> None:
    assert getattr(scene.model("clients"), method)(left=20, right=22) == 42


def test_the_tool_loop_of_openais_client_inside_a_model(scene: Scene) -> None:
    assert scene.model("clients").with_openai() == "It is 9."


@pytest.mark.parametrize("responses", [False, True])
@pytest.mark.parametrize("streamed", [False, True])
def test_openais_agents_sdk_inside_a_model(scene: Scene, responses: bool, streamed: bool) -> None:
    assert scene.model("clients").with_agents(responses=responses, streamed=streamed) == "It is 9."


def _openai(scene: Scene) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{scene.emulator.url}/v2/ext/openai/v1", api_key="any", max_retries=0)


def _agent_log(scene: Scene) -> list[str]:
    entries = scene.emulator.run(lambda each: each.logbook.entries("runner", model_id="agent"))
    return [entry.message for entry in entries]
