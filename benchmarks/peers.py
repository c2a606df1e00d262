"""The two things that are compared: an emulator in a process of its own, and the SDK's own ``--grpc`` server."""

from __future__ import annotations

import json
import os
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

MODELS = Path(__file__).parents[1] / "fixtures" / "models"
PAT = "0123456789abcdef0123456789abcdef"
HOME = tempfile.mkdtemp(prefix="clarifai-bench-")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environ(port: int) -> dict[str, str]:
    """What a client of the emulator at ``port`` sets."""
    return {
        **os.environ,
        "CLARIFAI_API_BASE": f"http://127.0.0.1:{port}",
        "CLARIFAI_PAT": PAT,
        "CLARIFAI_USER_ID": "me",
        "HOME": HOME,
        "XDG_STATE_HOME": f"{HOME}/state",
    }


@contextmanager
def emulator(port: int, *options: str) -> Generator[subprocess.Popen[bytes]]:
    """``clarifai-emulator up`` as a user starts it."""
    command = [sys.executable, "-m", "clarifai_emulator", "up", "--port", str(port), *options]
    with _process(command, environ(port)) as process:
        wait_until_listening(port)
        yield process


@contextmanager
def sdk_server(model: str, port: int) -> Generator[subprocess.Popen[bytes]]:
    """The SDK's own server for one model: no control plane, no routing."""
    command = [sys.executable, "-m", "clarifai.runners.server", "--grpc", "--port", str(port)]
    with _process([*command, "--model_path", str(MODELS / model)], environ(port)) as process:
        wait_until_listening(port)
        yield process


def deploy(model: str, port: int) -> dict[str, Any]:
    """``clarifai-emulator deploy``; what it says as JSON."""
    command = [
        sys.executable,
        "-m",
        "clarifai_emulator",
        "deploy",
        str(MODELS / model),
        "--port",
        str(port),
        "--json",
    ]
    done = subprocess.run(command, env=environ(port), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def wait_until_listening(port: int, *, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.005)
    raise TimeoutError(f"nothing listens on port {port} after {seconds} s")


@contextmanager
def _process(command: list[str], env: dict[str, str]) -> Generator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
