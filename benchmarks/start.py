"""How long things take to be there: the emulator's command, and a model from nothing to its first answer."""

from __future__ import annotations

import subprocess
import sys
import time

import grpc

from benchmarks.figures import Figure, alone, compared
from benchmarks.peers import MODELS, PAT, deploy, emulator, environ, free_port, sdk_server

_CALL = """
import sys, time
from clarifai.client.model_client import ModelClient
client = ModelClient.from_local_grpc(int(sys.argv[1]))
print(client.predict(prompt="x"))
"""


def measure(*, quick: bool = False) -> list[Figure]:
    """The figures; times are seconds."""
    repeats = 3 if quick else 20
    first_rpc = [_first_rpc() for _ in range(repeats)]
    port = free_port()
    ours: list[float] = []
    theirs: list[float] = []
    with emulator(port):
        deploy("slow", port)  # the interpreter is warm from here on
        for _ in range(max(repeats // 2, 3)):
            ours.append(_redeploy(port))
            theirs.append(_sdk_start())
    return [
        alone("`up` → first answered RPC", first_rpc, unit="s", target=None),
        compared("deploy command → ready, warm interpreter", ours, theirs, unit="s", target=None),
    ]


def _first_rpc() -> float:
    port = free_port()
    began = time.perf_counter()
    with emulator(port), grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary("/clarifai.api.V2/GetUser")
        call(b"", metadata=[("authorization", f"Key {PAT}")], timeout=10, wait_for_ready=True)
        return time.perf_counter() - began


def _redeploy(port: int) -> float:
    subprocess.run(
        [sys.executable, "-m", "clarifai_emulator", "reset", "--port", str(port)],
        env=environ(port),
        stdout=subprocess.DEVNULL,
        check=True,
    )
    began = time.perf_counter()
    deploy("hello", port)
    return time.perf_counter() - began


def _sdk_start() -> float:
    assert (MODELS / "hello").is_dir()
    port = free_port()
    began = time.perf_counter()
    with sdk_server("hello", port):
        return time.perf_counter() - began
