"""Measures how long an emulator takes to be there, how long to be empty again, and what it holds while idle."""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from benchmarks.figures import Figure, alone, compared
from benchmarks.peers import PAT, emulator, environ, free_port, processor_seconds

_RESOURCES = 1000


def measure(*, quick: bool = False) -> list[Figure]:
    """Return the figures."""
    repeats = 3 if quick else 20
    first_rpc()  # compiles what is not compiled yet
    ups, imports = [], []
    for _ in range(repeats):
        ups.append(first_rpc())
        imports.append(_import_of_the_sdk())
    starts, resets = asyncio.run(_in_this_process(repeats))
    return [
        compared(
            "`up` → first answered RPC, beside `import clarifai.client`",
            [each.seconds for each in ups],
            [seconds for seconds, _ in imports],
            unit="s",
            target=0.6,
        ),
        compared(
            "`up` → first answered RPC, processor time",
            [each.processor for each in ups],
            [processor for _, processor in imports],
            unit="s",
            target=0.6,
        ),
        alone("idle emulator: resident memory", [each.rss for each in ups], unit="MiB", target=60),
        alone("idle emulator: its share of it (PSS)", [each.pss for each in ups], unit="MiB", target=None),
        alone("`Emulator.start`, imports done", starts, unit="ms", target=15),
        alone(f"`Emulator.reset`, {_RESOURCES} resources", resets, unit="ms", target=1),
    ]


@dataclass(frozen=True, slots=True)
class FirstAnswer:
    """The first answer of an `up`: the seconds until it came, how many of them its process was on a processor, and
    what memory that had a moment later, in MiB."""

    seconds: float
    processor: float
    rss: float
    pss: float


def first_rpc(*options: str) -> FirstAnswer:
    """Start an `up` with these options and ask it something."""
    port = free_port()
    began = time.perf_counter()
    with emulator(port, *options) as process, grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary("/clarifai.api.V2/GetUser")
        call(b"", metadata=[("authorization", f"Key {PAT}")], timeout=10, wait_for_ready=True)
        took, processor = time.perf_counter() - began, processor_seconds(process.pid)
        time.sleep(1)  # what it imports after it listens belongs to it, too
        return FirstAnswer(took, processor, *memory(process.pid))


def _import_of_the_sdk() -> tuple[float, float]:
    """Return the seconds of a process that imports the SDK's client, and how many of them it was on a processor."""
    began, before = time.perf_counter(), _children_seconds()
    subprocess.run([sys.executable, "-c", "import clarifai.client"], env=environ(0), check=True)
    return time.perf_counter() - began, _children_seconds() - before


def _children_seconds() -> float:
    """Return how long the processes that this one has waited for were on a processor."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


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
