"""A test of an agent with a brain and tools is recorded once, and then runs on a machine without any of them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from plugin.conftest import MODELS, Nested

pytestmark = pytest.mark.timeout(300)

TESTS = """
import contextlib
import itertools
import json
import urllib.request

import openai
import pytest

GPT = "https://clarifai.com/openai/chat-completion/models/gpt-4o"
TOOLS = "https://clarifai.com/me/demo/models/mcp"
ASKED = "Add 2 and 3."
SCRIPT = [{"tool": "add", "arguments": {"left": 2, "right": 3}}, "It is 5."]


@contextlib.contextmanager
def clarifai_mcp(clarifai):
    # What an MCP client says over HTTP.
    numbers = itertools.count(1)

    def ask(method, **params):
        headers = {"authorization": f"Bearer {clarifai.pat}", "content-type": "application/json"}
        body = {"jsonrpc": "2.0", "id": next(numbers), "method": method, "params": params}
        request = urllib.request.Request(clarifai.handle("mcp").mcp_url, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)["result"]

    yield ask


@pytest.mark.clarifai_cassette("agent")
@pytest.mark.clarifai_models("mcp", "agent")
def test_agent(clarifai):
    clarifai.stand_in(GPT, script=SCRIPT)
    agent = clarifai.handle("agent")
    assert agent.model.predict(prompt=ASKED, mcp_servers=[TOOLS]) == "It is 5."
    assert "".join(agent.model.generate(prompt=ASKED, mcp_servers=[TOOLS])) == "It is 5."
    if clarifai.cassette.mode == "record":
        clarifai.assert_called("mcp", tool="add", left=2, right=3, by="agent", times=2)
        clarifai.assert_called("mcp", tool="add", by="", times=0)
        clarifai.assert_called("gpt-4o", by="me/demo/models/agent", times=4)


@pytest.mark.clarifai_cassette("clients")
@pytest.mark.clarifai_models("mcp", "agent")
def test_clients_of_its_parts(clarifai):
    clarifai.stand_in(GPT, script=SCRIPT)
    client = openai.OpenAI(base_url=f"{clarifai.url}/v2/ext/openai/v1", api_key=clarifai.pat)
    tools = [{"type": "function", "function": {"name": "add", "parameters": {}}}]
    asked = [{"role": "user", "content": ASKED}]
    answer = client.chat.completions.create(model=GPT, messages=asked, tools=tools)
    assert answer.choices[0].message.tool_calls[0].function.name == "add"
    streamed = client.chat.completions.create(model=GPT, messages=asked, tools=tools, stream=True)
    assert [chunk.choices[0].delta.tool_calls for chunk in streamed if chunk.choices]

    with clarifai_mcp(clarifai) as ask:
        ask("initialize", protocolVersion="2025-03-26", capabilities={}, clientInfo={"name": "t", "version": "1"})
        assert [tool["name"] for tool in ask("tools/list")["tools"]] == ["add", "fail"]
        assert "5" in str(ask("tools/call", name="add", arguments={"left": 2, "right": 3})["content"])
"""

BRAIN = (
    TESTS.replace('clarifai_cassette("agent")', 'clarifai_cassette("agent", only=["gpt-4o"])')
    .replace("    clarifai.stand_in(GPT, script=SCRIPT)\n", "", 1)
    .replace('if clarifai.cassette.mode == "record":', "if True:")
)


@pytest.fixture(scope="module")
def project(nested: Nested, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Record the tests of an agent."""
    folder = tmp_path_factory.mktemp("agent")
    for name in ("mcp", "agent"):
        shutil.copytree(MODELS / name, folder / name)
    run = nested({"test_agent.py": TESTS}, into=folder)
    assert run.code == 0, run.text
    return folder


def calls_of(project: Path, name: str) -> list[dict[str, Any]]:
    return yaml.safe_load((project / "cassettes" / f"{name}.yaml").read_text())["calls"]


def test_the_cassette_has_the_whole_tree(project: Path) -> None:
    calls = calls_of(project, "agent")
    inner = [call for call in calls if call.get("by") == "me/demo/agent"]
    asked = {call["requests"][0].get("model_id") for call in inner}
    assert {"gpt-4o", "mcp"} <= asked
    assert {calls[call["parent"] - 1]["requests"][0]["model_id"] for call in inner if "parent" in call} == {"agent"}
    assert any("tools/call" in str(call["requests"]) and call["parent"] for call in inner)
    assert all("by" not in call for call in calls_of(project, "clients"))


def test_it_runs_where_neither_agent_nor_tools_are(nested: Nested, project: Path, tmp_path: Path) -> None:
    shutil.copytree(project / "cassettes", tmp_path / "cassettes")
    run = nested({"test_agent.py": TESTS}, "--clarifai-cassettes", "none", into=tmp_path)
    assert run.code == 0, run.text


def test_the_brain_alone_is_played_while_agent_and_tools_run(nested: Nested, project: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(project, tmp_path / "brain")
    run = nested({"test_agent.py": "".join(BRAIN)}, "-k", "test_agent", "--clarifai-cassettes", "none", into=folder)
    assert run.code == 0, run.text
