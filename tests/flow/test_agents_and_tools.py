"""The SDK's own agents find the tools of MCP servers that are deployed here, with the CLARIFAI_PAT that they have.

The SDK sends that to whatever server an agent is told of, and takes no other.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import MODELS, RUNNER, Client, inference_request, running, text_of, write_model

AGENT = """
import os
from typing import List
from openai import OpenAI
from clarifai.runners.models.agentic_class import AgenticModelClass, MCPConnectionPool

class Agent(AgenticModelClass):
    client = OpenAI(api_key="unused", base_url="http://127.0.0.1:9/v1")  # the brain: not asked here
    model = "x"

    @AgenticModelClass.method
    def tools(self, mcp_server: str) -> str:
        url = mcp_server.replace("{CLARIFAI_API_BASE}", os.environ["CLARIFAI_API_BASE"])
        connections = MCPConnectionPool().get_connections([url])
        return " ".join(sorted(name for each in connections.values() for name in each.tool_names))

    @AgenticModelClass.method
    def pat(self, prompt: str) -> str:
        return os.environ["CLARIFAI_PAT"]
"""
SERVER = "{CLARIFAI_API_BASE}/v2/ext/mcp/v1/users/me/apps/demo/models/mcp"
SECRET = "secrets: [{id: my-pat, env_var: CLARIFAI_PAT, type: env}]\n"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def write_agent(folder: Path, model_id: str, config: str = "") -> Path:
    directory = write_model(folder, model_id, AGENT)
    (directory / "requirements.txt").write_text((MODELS / "mcp" / "requirements.txt").read_text() + "mcp\nopenai\n")
    written = directory / "config.yaml"
    written.write_text(written.read_text() + config)
    return directory


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorThread]:
    """Yield an emulator with an MCP server, an agent, and one that is given a secret."""
    if RUNNER.get("backend") == "inprocess":
        pytest.skip("what agents need is not installed where these tests run: see the test of a process of its own")
    folder = tmp_path_factory.mktemp("agents")
    with running(cache_dir=folder / "cache", hold_seconds=60) as emulator:
        client = Client(emulator.url)
        client.call("PostSecrets", user_app_id={"user_id": "me"}, secrets=[{"id": "my-pat", "value": "of-mine"}])
        client.close()
        emulator.deploy(MODELS / "mcp")
        emulator.deploy(write_agent(folder, "agent"))
        emulator.deploy(write_agent(folder, "agent-with-secret", SECRET))
        yield emulator


def asked(emulator: EmulatorThread, model: str, method: str, **parts: str) -> str:
    client = Client(emulator.url)
    try:
        answer: Any = client.call("PostModelOutputs", inference_request(model, method, **parts), timeout=120)
    finally:
        client.close()
    assert answer.status.code == 10000, answer.status
    return text_of(answer)


@pytest.mark.parametrize(("agent", "pat"), [("agent", "replica-"), ("agent-with-secret", "of-mine")])
def test_an_agent_gets_the_tools_of_a_server_that_is_deployed_here(
    serving: EmulatorThread, agent: str, pat: str
) -> None:
    assert asked(serving, agent, "pat", prompt="").startswith(pat)
    assert asked(serving, agent, "tools", mcp_server=SERVER) == "add fail"


@pytest.mark.of_processes("a container has a loopback address of its own")
def test_a_process_reaches_it_by_the_address_of_its_clients_too(serving: EmulatorThread) -> None:
    server = SERVER.replace("{CLARIFAI_API_BASE}", serving.url)
    assert asked(serving, "agent", "tools", mcp_server=server) == "add fail"


IN_ONE_PROCESS = """
import sys
sys.path.append(sys.argv[1])  # what agents need: packages of a model's environment, behind those of this one
from flow.driver import Client, inference_request, running, text_of

with running(backend="inprocess", hold_seconds=60) as emulator:
    for directory in sys.argv[2:]:
        emulator.deploy(directory)
    client = Client(emulator.url)
    server = "{CLARIFAI_API_BASE}/v2/ext/mcp/v1/users/me/apps/demo/models/mcp"
    answer = client.call("PostModelOutputs", inference_request("agent", "tools", mcp_server=server), timeout=120)
    client.close()
print("TOOLS", text_of(answer) if answer.outputs else answer)
"""


@pytest.mark.of_processes("it is about the emulator's own process")
def test_an_agent_in_the_emulators_process_gets_them_too(serving: EmulatorThread, tmp_path: Path) -> None:
    found = serving.config.cache_dir.rglob("site-packages/fastmcp")
    packages = next(each.parent for each in found if (each.parent / "openai").is_dir())
    tests = Path(__file__).parents[1]
    ran = subprocess.run(
        [sys.executable, "-c", IN_ONE_PROCESS, packages, MODELS / "mcp", write_agent(tmp_path, "agent")],
        env={**os.environ, "PYTHONPATH": str(tests)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert "TOOLS add fail" in ran.stdout, ran.stdout + ran.stderr
