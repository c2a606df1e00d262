"""Measures how long an emulator takes to be there, how long to be empty again, and what it holds while idle."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import grpc

from benchmarks.figures import Figure, alone, compared
from benchmarks.peers import PAT, emulator, environ, free_port

_RESOURCES = 1000


def measure(*, quick: bool = False) -> list[Figure]:
    """Return the figures."""
    repeats = 3 if quick else 20
    _first_rpc()  # compiles what is not compiled yet
    ups, imports = [], []
    for _ in range(repeats):
        ups.append(_first_rpc())
        imports.append(_import_of_the_sdk())
    starts, resets = asyncio.run(_in_this_process(repeats))
    return [
        compared(
            "`up` → first answered RPC, beside `import clarifai.client`",
            [seconds for seconds, _, _ in ups],
            imports,
            unit="s",
            target=0.6,
        ),
        alone("idle emulator: resident memory", [rss for _, rss, _ in ups], unit="MiB", target=60),
        alone("idle emulator: its share of it (PSS)", [pss for _, _, pss in ups], unit="MiB", target=None),
        alone("`Emulator.start`, imports done", starts, unit="ms", target=15),
        alone(f"`Emulator.reset`, {_RESOURCES} resources", resets, unit="ms", target=1),
    ]


def _first_rpc() -> tuple[float, float, float]:
    """Return the seconds until `up` has answered an RPC, then its memory: RSS and PSS in MiB."""
    port = free_port()
    began = time.perf_counter()
    with emulator(port) as process, grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary("/clarifai.api.V2/GetUser")
        call(b"", metadata=[("authorization", f"Key {PAT}")], timeout=10, wait_for_ready=True)
        took = time.perf_counter() - began
        time.sleep(0.2)
        return took, *memory(process.pid)


def _import_of_the_sdk() -> float:
    """Return the seconds of a process that imports the SDK's client."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import clarifai.client"], env=environ(0), check=True)
    return time.perf_counter() - began


def memory(pid: int) -> tuple[float, float]:
    """Return RSS and PSS of a process, in MiB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    return kilobytes["Rss"] / 1024, kilobytes["Pss"] / 1024


async def _in_this_process(repeats: int) -> tuple[list[float], list[float]]:
    """Return the milliseconds of starts and of resets; the first of each is thrown away."""
    from clarifai_emulator.config import EmulatorConfig
    from clarifai_emulator.emulator import Emulator

    starts: list[float] = []
    resets: list[float] = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        emulator = Emulator(EmulatorConfig(port=0))
        await emulator.start()
        starts.append((time.perf_counter() - began) * 1000)
        _fill(emulator)
        began = time.perf_counter()
        await emulator.reset()
        resets.append((time.perf_counter() - began) * 1000)
        await emulator.stop()
    return starts[1:], resets[1:]


def _fill(emulator: Any) -> None:
    from clarifai_grpc.grpc.api.resources_pb2 import Model

    from clarifai_emulator.store import Kind

    models = [Model(id=f"model-{number}") for number in range(_RESOURCES)]
    emulator.resources.post(Kind.MODEL, "me", ("app",), models)
