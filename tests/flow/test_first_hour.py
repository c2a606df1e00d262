"""The first hour goes well with the README alone: `clarifai model init`, `deploy`, a call; or what is missing is
said.

The templates are what the installed SDK writes, untouched. Templates that need a server of their own, or weights,
are told what is missing by name; the large ones (torch) are not installed here.
"""

from __future__ import annotations

import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.errors import CallerError
from clarifai_emulator.models.needs import foreseen_needs
from flow.driver import IN_CONTAINERS, Client, inference_request, logged, running, text_of, wait_for

pytestmark = pytest.mark.timeout(300)
TOOLKITS = ("python", "mcp", "openai", "vllm", "sglang", "ollama", "lmstudio")
# All of them in one interpreter: each start of the command line costs an import of the SDK.
INIT = """
import sys
from pathlib import Path
from clarifai.cli.base import cli

cli(["login", sys.argv[1], "--pat", "a-token"], standalone_mode=False)
for toolkit in sys.argv[2:]:
    words = ["--streaming-video"] if toolkit == "video" else ["--toolkit", toolkit]
    cli(["model", "init", *words, str(Path.cwd() / toolkit)], standalone_mode=False)
"""


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorThread]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUDA_VISIBLE_DEVICES", "")  # as on a machine without a GPU
        with running(cache_dir=tmp_path_factory.mktemp("cache")) as emulator:
            yield emulator


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory, emulator: EmulatorThread) -> Path:
    """Return a folder with what `clarifai model init` writes for each toolkit."""
    folder, programs = tmp_path_factory.mktemp("templates"), tmp_path_factory.mktemp("bin")
    for name in ("ollama", "lms"):  # `init` asks whether they are there
        (programs / name).write_text("#!/bin/sh\necho 1.0\n")
        (programs / name).chmod(0o755)
    environ = {
        **os.environ,
        "HOME": str(tmp_path_factory.mktemp("home")),
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "CLARIFAI_API_BASE": emulator.url,
        "HTTPS_PROXY": "http://127.0.0.1:9",  # importing the SDK asks the package index for the newest version
        "NO_PROXY": "127.0.0.1,localhost",
    }
    command = [sys.executable, "-c", INIT, emulator.url, *TOOLKITS, "video"]
    done = subprocess.run(
        command, cwd=folder, env=environ, input="\n" * 20, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def ask(client: Client, model: str, **parts: Any) -> str:
    response = client.call("PostModelOutputs", inference_request(model, app="main", **parts))
    assert response.status.code == StatusCode.SUCCESS, response.status
    return text_of(response)


@pytest.mark.parametrize(
    "name",
    ["python", pytest.param("video", marks=pytest.mark.of_processes("what it installs is another image to build"))],
)
def test_a_template_of_python_alone_is_deployed_and_answers(
    emulator: EmulatorThread, client: Client, templates: Path, name: str
) -> None:
    lines: list[str] = []
    deployed = emulator.deploy(templates / name, progress=lines.append)
    assert deployed.model == ("me", "main", name)
    # `init` writes a Dockerfile, on an image of a registry; the tests name one that is here.
    assert any(line.startswith("the Dockerfile is the SDK's own, unchanged") for line in lines) == IN_CONTAINERS
    assert ask(client, name, prompt="hi") == "Echo: hi"
    without_gpu = f"config.yaml of {name} names instance type g5.xlarge, which has a GPU; this machine has none."
    assert deployed.warnings[0].startswith(f"{without_gpu} Nothing in its code or requirements.txt uses one,")
    reasons = {
        str(each.fields["reason"]): each.fields["deployment_id"]
        for each in emulator.events("deployment.overcommitted")
    }
    assert reasons[deployed.warnings[0]] == f"deploy-{name}"


def test_a_bug_that_is_planted_in_it_is_told_with_its_line_and_what_served_goes_on(
    emulator: EmulatorThread, client: Client, templates: Path, tmp_path: Path
) -> None:
    directory = shutil.copytree(templates / "python", tmp_path / "python")
    emulator.deploy(directory)
    model = directory / "1" / "model.py"
    official = model.read_text()
    planted = official.replace("        pass\n", "        print('loading')\n        self.weights = 1 / 0\n", 1)
    assert planted != official
    model.write_text(planted)
    with pytest.raises(CallerError) as raised:
        emulator.deploy(directory)
    assert "self.weights = 1 / 0" in str(raised.value)
    assert "ZeroDivisionError: division by zero" in str(raised.value)
    assert "goes on with version" in str(raised.value)
    wait_for(lambda: "loading" in logged(emulator))
    assert ask(client, "python", prompt="still") == "Echo: still"


class _LocalLlm(http.server.BaseHTTPRequestHandler):
    """Answers as the server that the template for OpenAI-compatible servers asks."""

    def do_GET(self) -> None:
        self._answer(
            {"object": "list", "data": [{"id": "local", "object": "model", "created": 1, "owned_by": "me"}]}
        )

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        (part,) = asked["messages"][-1]["content"]
        message = {"role": "assistant", "content": f"You said: {part['text']}"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        answer = {"id": "1", "object": "chat.completion", "created": 1, "model": "local", "choices": [choice]}
        self._answer(answer)

    def _answer(self, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        return


@contextmanager
def local_llm(server: http.server.ThreadingHTTPServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@pytest.mark.of_processes("in a container the template's localhost is the container's own")
def test_the_openai_template_names_the_server_it_asks_and_answers_once_that_runs(
    emulator: EmulatorThread, client: Client, templates: Path
) -> None:
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 8000), _LocalLlm)
    except OSError:
        pytest.skip("the port that the template names, 8000, is taken here")
    server.server_close()
    lines: list[str] = []
    with pytest.raises(CallerError) as raised:
        emulator.deploy(templates / "openai", progress=lines.append)
    assert "It asks a server at http://localhost:8000/v1, and nothing answers there" in str(raised.value)
    assert "is left in place and serves nothing; `clarifai-emulator undeploy deploy-openai`" in str(raised.value)
    (warning,) = [line for line in lines if "cannot be imported here" in line]
    assert "openai.APIConnectionError: Connection error (model.py, line 15)" in warning
    with local_llm(http.server.ThreadingHTTPServer(("127.0.0.1", 8000), _LocalLlm)):
        emulator.deploy(templates / "openai")
        assert ask(client, "openai", prompt="hi") == "You said: hi"


@pytest.mark.slow
@pytest.mark.of_processes("the environment is built for processes")
def test_the_mcp_template_is_deployed_with_a_library_it_works_with_and_answers(
    emulator: EmulatorThread, templates: Path
) -> None:
    lines: list[str] = []
    emulator.deploy(templates / "mcp", progress=lines.append)
    assert any("fastmcp<3 is installed" in line and "pin it in requirements.txt" in line for line in lines)
    request = urllib.request.Request(
        f"{emulator.url}/v2/ext/mcp/v1/users/me/apps/main/models/mcp",
        data=json.dumps(
            {
                "jsonrpc": "2.0",
                "id": 1,
                "method": "tools/call",
                "params": {"name": "hello", "arguments": {"name": "Ada"}},
            }
        ).encode(),
        headers={
            "authorization": "Bearer any-token",
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
        },
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert "Hello, Ada!" in answer.read().decode()


@pytest.mark.parametrize("name", ["vllm", "sglang"])
def test_a_template_that_computes_on_a_gpu_is_refused_at_once_with_the_ways_out(
    emulator: EmulatorThread, templates: Path, name: str
) -> None:
    lines: list[str] = []
    with pytest.raises(CallerError) as raised:
        emulator.deploy(templates / name, progress=lines.append)
    assert lines == [f"reading {templates / name}"]
    assert "1 accelerator of type NVIDIA-* with 22.49Gi wanted, but this machine has none" in str(raised.value)
    for way_out in ("up --accelerators simulated:1xNVIDIA-A10G", "deploy DIR --instance", "up --topology FILE"):
        assert way_out in raised.value.hint


@pytest.mark.of_processes("a container may have the server")
def test_the_vllm_template_is_told_at_once_that_there_is_no_vllm(templates: Path) -> None:
    lines: list[str] = []
    with running(accelerators="simulated:1xNVIDIA-A10G") as emulator, pytest.raises(CallerError) as raised:
        emulator.deploy(templates / "vllm", progress=lines.append)
    missing = "1/model.py (line 25) starts the Python module 'vllm', which is not in its environment."
    assert any(missing in line for line in lines[:2]), "before anything is built"
    assert missing in raised.value.hint
    assert "`clarifai-emulator up --backend docker`" in raised.value.hint


@pytest.mark.parametrize(
    ("toolkit", "name"), [("ollama", "ollama"), ("lmstudio", "lms"), ("vllm", "vllm"), ("sglang", "sglang")]
)
def test_what_a_template_starts_is_known_before_its_environment_is_built(
    templates: Path, toolkit: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert [each.name for each in foreseen_needs(templates / toolkit, {"clarifai", "openai"})] == [name]


HELLO_WORLD = '''
from typing import Iterator
from clarifai.runners.models.model_class import ModelClass
from clarifai.runners.utils.data_utils import Param


class Suffixes(ModelClass):
    def load_model(self):
        """There is nothing to load."""

    @ModelClass.method
    def predict(self, prompt: str, letters: int = Param(default=3, description="how many to add")) -> str:
        return prompt + "-" + "x" * letters

    @ModelClass.method
    def generate(self, prompt: str = "", letters: int = Param(default=3, description="how many")) -> Iterator[str]:
        for number in range(10):
            yield f"{number}-{prompt}-{'x' * letters}"
'''


@pytest.fixture
def hello_world(tmp_path: Path) -> Path:
    """Write a model of the official example's shape: its config.yaml names neither user nor app."""
    directory = tmp_path / "hello-world"
    (directory / "1").mkdir(parents=True)
    (directory / "1" / "model.py").write_text(HELLO_WORLD)
    # As the sample models write it, with an end of line: images share what it installs.
    (directory / "requirements.txt").write_text("clarifai\n")
    # The official one asks for 3.12. A process would need an interpreter of it; a container has its base image's.
    version = "3.12" if IN_CONTAINERS else f"{sys.version_info.major}.{sys.version_info.minor}"
    (directory / "config.yaml").write_text(
        'model:\n  id: "hello-world"\n  model_type_id: "text-to-text"\n\n'
        f'build_info:\n  python_version: "{version}"\n\ncompute:\n  instance: cpu\n  cloud: aws\n'
    )
    return directory


def test_a_model_of_the_shape_of_the_official_hello_world_is_deployed_and_answers(
    emulator: EmulatorThread, client: Client, hello_world: Path
) -> None:
    lines: list[str] = []
    deployed = emulator.deploy(hello_world, progress=lines.append)
    assert ask(client, "hello-world", prompt="hi") == "hi-xxx"
    streamed = client.generate(inference_request("hello-world", "generate", app="main", prompt="hi"))
    assert [text_of(each) for each in streamed] == [f"{number}-hi-xxx" for number in range(10)]
    python = re.search(r", whose Python is (3\.\d+)", deployed.environment)
    said = [line for line in lines if line.startswith("config.yaml asks for Python 3.12, and the image has ")]
    assert bool(python) == bool(said), "the Python of the base image, where it is another one, is told"
    if python:
        assert python[1] != "3.12"
        assert f"let config.yaml ask for {python[1]}" in said[0]
