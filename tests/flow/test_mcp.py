"""MCP clients, old and new, work by base URL alone with a model of ``MCPModelClass`` in its own environment."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from uv import find_uv_bin

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import MODELS, Client, is_alive, running, wait_for
from flow.test_client_docs import ADDRESS, snippet

CLIENT = Path(__file__).parents[2] / "fixtures" / "clients" / "mcp_client.py"
SEEN = {
    "server": "fixture",
    "tools": ["add", "fail"],
    "added": 5,
    "failed": "Error calling tool 'fail': on purpose",
    "note": "a note on cats",
    "prompt": "Greet Ada.",
    "unknown": "Unknown tool: nothing",
    "ping": True,
}

TOOLS_CLIENT = """
import asyncio, json, sys
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport

async def main(url, token):
    async with Client(StreamableHttpTransport(url, headers={"Authorization": f"Bearer {token}"})) as client:
        failed = await client.call_tool("fail", {"reason": "on purpose"}, raise_on_error=False)
        seen = {
            "tools": {tool.name: tool.description for tool in await client.list_tools()},
            "added": (await client.call_tool("add", {"left": 2, "right": 3})).content[0].text,
            "failed": failed.content[0].text,
            "process": int((await client.call_tool("process", {})).content[0].text),
        }
    print(json.dumps(seen))

asyncio.run(main(*sys.argv[1:]))
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.of_processes("its client runs in the model's Python environment, which an image keeps for itself"),
]


@dataclass(frozen=True)
class Server:
    """An emulator with the model ``mcp``, and the interpreter that the model runs in."""

    emulator: EmulatorThread
    version_id: str
    python: Path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    cache = tmp_path_factory.mktemp("cache")
    with running(cache_dir=cache) as emulator:
        deployed = emulator.deploy(MODELS / "mcp")
        yield Server(emulator, deployed.version_id, next(cache.rglob("bin/python")))


def seen_by(python: Path, url: str, *client: str) -> Any:
    """Return what a client saw: the one of the fixtures, or ``client`` as Python takes it."""
    command = [str(python), *(client or [str(CLIENT)]), url, "any-token"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def address(server: Server) -> str:
    return f"{server.emulator.url}/v2/ext/mcp/v1/users/me/apps/demo/models/mcp"


def test_a_client_of_the_models_own_generation_lists_calls_and_reads(server: Server) -> None:
    assert seen_by(server.python, address(server)) == SEEN
    routed = server.emulator.events("route.decided")
    assert {event.fields["rule"] for event in routed} == {"owner_default"}


def test_a_version_can_be_named(server: Server) -> None:
    assert seen_by(server.python, f"{address(server)}/versions/{server.version_id}") == SEEN


def test_the_snippet_of_the_page_does_what_it_says(server: Server) -> None:
    text = snippet("MCP clients", "python").replace(ADDRESS, server.emulator.url)
    ran = subprocess.run([server.python, "-c", text], capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "structured_content={'result': 5}" in ran.stdout


def test_a_client_of_the_newest_generation_does_the_same(server: Server, tmp_path: Path) -> None:
    """The client begins with messages that the model's library does not know, and falls back to known ones."""
    uv = find_uv_bin()
    subprocess.run([uv, "venv", "--quiet", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, "fastmcp>=4"], check=True)
    assert seen_by(python, address(server)) == SEEN


def test_a_server_over_standard_input_and_output_is_reached_and_ends_with_its_replica(server: Server) -> None:
    """A model of ``StdioMCPModelClass`` starts the server, with a command of its own Python environment."""
    server.emulator.deploy(MODELS / "mcp_stdio")
    url = f"{server.emulator.url}/v2/ext/mcp/v1/users/me/apps/demo/models/mcp_stdio"
    seen = [seen_by(server.python, url, "-c", TOOLS_CLIENT) for _ in range(2)]
    assert seen[0]["tools"] == {
        "add": "The sum of two numbers.",
        "fail": "Raises.",
        "process": "The id of this process.",
    }
    assert seen[0]["added"] == "5"
    assert "Tool error: Error executing tool fail: on purpose" in seen[0]["failed"]  # as the SDK's bridge words it
    assert seen[0]["process"] == seen[1]["process"]  # one for all clients
    assert is_alive(seen[0]["process"])
    client = Client(server.emulator.url)
    client.call("DeleteDeployments", user_app_id={"user_id": "me"}, ids=["deploy-mcp_stdio"])
    client.close()
    wait_for(lambda: not is_alive(seen[0]["process"]), seconds=20)
