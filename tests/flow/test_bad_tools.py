"""Tool servers that hang, die or flood: the agent's call ends, the emulator keeps nothing of it, and goes on."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from clarifai.client import Model

from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.emulator import Emulator
from flow.driver import MODELS, running, wait_for, write_model

BRAIN = "openai/chat-completion/models/gpt-4o"
TOPOLOGY = f"""
stand_ins:
  - model: {BRAIN}
    script:
      - [{{contains: add, tool: add, arguments: {{left: 2, right: 3}}}}, {{contains: "5", text: It is 5.}}]
      - [{{contains: hang, tool: hang}}, The tool has failed.]
      - - {{contains: die, tool: die}}
        - {{contains: ended while it worked on this request, text: The tool has failed.}}
      - [{{contains: flood, tool: flood}}, The tool has failed.]
      - [There are no tools.]
"""
BAD_TOOLS = """
import os
import time

from clarifai.runners.models.mcp_class import MCPModelClass
from fastmcp import FastMCP

server = FastMCP("bad")


@server.tool
def hang() -> str:
    time.sleep(600)
    return "late"


@server.tool
def die() -> str:
    os._exit(3)


@server.tool
def flood() -> str:
    return "x" * 200_000_000


@server.tool
def add(left: int, right: int) -> int:
    return left + right


class BadTools(MCPModelClass):
    def get_server(self) -> FastMCP:
        return server
"""
# The SDK's agents keep a connection that has broken, and look at it only after two idle minutes: docs/agents.md.
ENVIRON = (
    "CLARIFAI_MCP_TOOL_CALL_TIMEOUT=2",
    "CLARIFAI_MCP_CONNECT_TIMEOUT=2",
    "CLARIFAI_MCP_VERIFY_IDLE_THRESHOLD=0",
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.of_processes("a container does not reach the servers that the test itself starts"),
]


@dataclass(frozen=True)
class Scene:
    """An emulator with an agent and a model of bad tools. ``tasks``: how many there were at rest."""

    emulator: EmulatorThread
    tools: str
    tasks: int

    def ask(self, prompt: str, server: str = "") -> str:
        """Return what the agent says."""
        agent: Any = Model(
            url="https://clarifai.com/me/demo/models/agent", base_url=self.emulator.url, pat="any-token"
        )
        return agent.predict(prompt=prompt, mcp_servers=[server or self.tools])

    def require_rest(self) -> None:
        """Fail unless nothing is left of all calls: no request in a slot, no task."""
        wait_for(lambda: _in_flight(self.emulator) == 0, seconds=30)
        wait_for(lambda: self.emulator.run(_tasks) <= self.tasks, seconds=30)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("bad-tools")
    (folder / "topology.yaml").write_text(TOPOLOGY)
    tools = write_model(folder, "bad-tools", BAD_TOOLS)
    (tools / "requirements.txt").write_text((MODELS / "mcp" / "requirements.txt").read_text())
    topology = (folder / "topology.yaml",)
    # An MCP client that gives up a call of a tool does not end its request: the limit of requests does.
    with running(topology=topology, env=ENVIRON, request_seconds=10.0, reclaim_seconds=1.0) as emulator:
        emulator.deploy(tools, wait_seconds=120.0)
        emulator.deploy(MODELS / "agent", wait_seconds=120.0)
        url = f"{emulator.url}/v2/ext/mcp/v1/users/me/apps/demo/models/bad-tools"
        assert wait_for(lambda: _answered(Scene(emulator, url, 0)), seconds=60) == "It is 5."
        wait_for(lambda: _in_flight(emulator) == 0)
        yield Scene(emulator, url, emulator.run(_tasks))


@pytest.mark.parametrize("what", ["hang", "die", "flood"])
def test_a_model_whose_tools_hang_die_or_flood(scene: Scene, what: str) -> None:
    began = time.monotonic()
    assert scene.ask(f"Please {what}.") == "The tool has failed."
    assert time.monotonic() - began < 20
    scene.require_rest()
    assert wait_for(lambda: _answered(scene), seconds=60) == "It is 5."
    scene.require_rest()


@pytest.mark.parametrize("what", ["hangs", "dies", "floods", "is not there"])
def test_a_server_of_others_that_hangs_dies_floods_or_is_not_there(scene: Scene, what: str) -> None:
    began = time.monotonic()
    with foreign(SERVERS[what]) as url:
        assert scene.ask("What is there?", url) == "There are no tools."
    assert time.monotonic() - began < 20
    wait_for(lambda: [line for line in _log(scene) if f"Failed to connect to {url}" in line])
    scene.require_rest()


def test_many_agents_at_once_whose_tools_hang_leave_nothing(scene: Scene) -> None:
    """The first hangs the server, so that others find no tools there: each is told something, in time."""
    with ThreadPoolExecutor(8) as executor:
        ended = list(executor.map(lambda _: _said(scene, "Please hang."), range(8)))
    assert {"The tool has failed."} <= {*ended}
    assert all(said == "The tool has failed." or "it offers none" in said for said in ended), ended
    scene.require_rest()
    assert wait_for(lambda: _answered(scene), seconds=60) == "It is 5."


# ── servers of others ──────────────────────────────────────────────────────────────────────────────────────


def _hang(connection: socket.socket) -> None:
    time.sleep(30)


def _die(connection: socket.socket) -> None:
    connection.recv(65536)


def _flood(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
    ends = time.monotonic() + 10
    while time.monotonic() < ends:
        connection.sendall(b": nothing\n" * 1000)
        time.sleep(0.01)


SERVERS: dict[str, Callable[[socket.socket], None] | None] = {
    "hangs": _hang,
    "dies": _die,
    "floods": _flood,
    "is not there": None,
}


@contextlib.contextmanager
def foreign(serve: Callable[[socket.socket], None] | None) -> Iterator[str]:
    """Run a server that does this with each connection; None for an address where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
        if serve is None:
            listener.close()
            yield url
            return

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=one, args=(connection,), daemon=True).start()

        def one(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                serve(connection)

        threading.Thread(target=accept, daemon=True).start()
        yield url
        listener.shutdown(socket.SHUT_RDWR)


# ── what is looked at ──────────────────────────────────────────────────────────────────────────────────────


def _said(scene: Scene, prompt: str) -> str:
    try:
        return scene.ask(prompt)
    except Exception as error:
        return str(error)


def _answered(scene: Scene) -> str:
    said = _said(scene, "Please add.")
    return said if said == "It is 5." else ""


def _in_flight(emulator: EmulatorThread) -> int:
    state = emulator.status()
    return sum(version["in_flight"] for each in state["deployments"] for version in each["versions"])


def _tasks(emulator: Emulator) -> int:
    return len(asyncio.all_tasks())


def _log(scene: Scene) -> list[str]:
    entries = scene.emulator.run(lambda each: each.logbook.entries("runner", model_id="agent"))
    return [entry.message for entry in entries]
