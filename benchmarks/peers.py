"""Starts what is compared: an emulator in a process of its own, and the SDK's own ``--grpc`` server."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
MODELS = ROOT / "fixtures" / "models"
# Any address does for it: it serves one model.
SERVICE_URL = "https://clarifai.com/me/app/models/any"
PAT = "0123456789abcdef0123456789abcdef"
_CACHES = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
# The base image of containers stays where .ci/docker-base has put it, also where HOME is another in this process.
os.environ.setdefault("CLARIFAI_TEST_DOCKER_CACHE", str(Path(_CACHES, "clarifai-emulator-tests")))
HOME = tempfile.mkdtemp(prefix="clarifai-bench-")
atexit.register(shutil.rmtree, HOME, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def compiled() -> dict[str, str]:
    """Return this process's environment, in which compiled modules are kept, as in any installation."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def environ(port: int) -> dict[str, str]:
    """Return the environment that a client of the emulator at ``port`` sets."""
    return {
        **compiled(),
        "CLARIFAI_API_BASE": f"http://127.0.0.1:{port}",
        "CLARIFAI_PAT": PAT,
        "CLARIFAI_USER_ID": "me",
        "HOME": HOME,
        "XDG_STATE_HOME": f"{HOME}/state",
    }


@contextmanager
def emulator(port: int, *options: str) -> Generator[subprocess.Popen[bytes]]:
    """Run ``clarifai-emulator up`` as a user starts it."""
    command = [sys.executable, "-m", "clarifai_emulator", "up", "--port", str(port), *options]
    with process(command, environ(port)) as started:
        wait_until_listening(port)
        yield started


@contextmanager
def sdk_server(model: str, port: int) -> Generator[subprocess.Popen[bytes]]:
    """Run the SDK's own server for one model: no control plane, no routing."""
    with _server("clarifai.runners.server", model, port) as started:
        yield started


@contextmanager
def sdk_service(model: str, port: int) -> Generator[subprocess.Popen[bytes]]:
    """Run the same for the SDK's ``Model``, that of ``SERVICE_URL``: see ``benchmarks.sdk_service``."""
    with _server("benchmarks.sdk_service", model, port) as started:
        yield started


@contextmanager
def _server(module: str, model: str, port: int) -> Generator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", module, "--grpc", "--port", str(port)]
    with process([*command, "--model_path", str(MODELS / model)], environ(port)) as started:
        wait_until_listening(port)
        yield started
        started.kill()  # Ctrl-C does not end it


def deploy(model: str, port: int, *options: str) -> dict[str, Any]:
    """Run ``clarifai-emulator deploy``; return its JSON."""
    path = str(MODELS / model)
    command = [sys.executable, "-m", "clarifai_emulator", "deploy", path, "--port", str(port), "--json", *options]
    done = subprocess.run(command, env=environ(port), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"deploy failed: {done.stderr or done.stdout}")
    return json.loads(done.stdout)


def routed_client(url: str, port: int) -> Any:
    """Return the SDK's client of a model behind the emulator."""
    os.environ.update(environ(port))  # the SDK reads it when it is imported
    from clarifai.client import Model

    return Model(url=url, base_url=f"http://127.0.0.1:{port}")


def direct_client(port: int) -> Any:
    """Return the SDK's client of its own server, as ``ModelClient.from_local_grpc`` makes it, but without the limit
    of 4 MiB for an answer, which the routed client does not have either."""
    os.environ.update(environ(port))
    import grpc
    from clarifai.client.model_client import ModelClient, _LocalGRPCStub

    limits = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    return ModelClient(stub=_LocalGRPCStub(grpc.insecure_channel(f"localhost:{port}", options=limits)))


def processor_seconds(pid: int) -> float:
    """Return how long a process has been on a processor, threads that have ended included."""
    # Linux names the clock of any process by its id, clock_getcpuclockid(3); /proc tells of it in ticks only.
    return time.clock_gettime(~pid << 3 | 2)


def wait_until_listening(port: int, *, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.005)
    raise TimeoutError(f"nothing listens on port {port} after {seconds} s")


@contextmanager
def process(command: list[str], env: dict[str, str], **options: Any) -> Generator[subprocess.Popen[Any]]:
    """Run a process that is ended, as Ctrl-C ends it, with the block."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    started = subprocess.Popen(command, env=env, cwd=ROOT, **{**quiet, **options})
    try:
        yield started
    finally:
        started.send_signal(signal.SIGINT)
        try:
            started.wait(timeout=30)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()
