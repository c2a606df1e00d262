"""MCP clients, old and new, by base URL alone, against a model of ``MCPModelClass`` in its own environment."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from uv import find_uv_bin

from clarifai_emulator.thread import EmulatorThread
from flow.driver import MODELS, running

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


def seen_by(python: Path, url: str) -> Any:
    command = [str(python), str(CLIENT), url, "any-token"]
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


def test_a_client_of_the_newest_generation_does_the_same(server: Server, tmp_path: Path) -> None:
    """It begins with messages that the model's library does not know, and goes back to those that it does."""
    uv = find_uv_bin()
    subprocess.run([uv, "venv", "--quiet", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, "fastmcp>=4"], check=True)
    assert seen_by(python, address(server)) == SEEN
