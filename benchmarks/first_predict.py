"""Measures the time from nothing to a model's first answer, with a warm and with a new emulator.

The baseline is the SDK's own server.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.figures import Figure, compared
from benchmarks.peers import deploy, direct_client, emulator, environ, free_port, routed_client, sdk_server

# Nobody calls it; its deployment is why the interpreter of the others is warm.
_OTHER_MODEL = "batch"


def measure(*, quick: bool = False) -> list[Figure]:
    """Return the figures; times are seconds. Each time has a new port, so that no client has an old connection."""
    repeats = 2 if quick else 20
    warm, cold = (
        _alternate([_warm_emulator, _sdk_server], repeats),
        _alternate([_new_emulator, _sdk_server], repeats),
    )
    with tempfile.TemporaryDirectory(prefix="clarifai-bench-") as folder:
        sized, template = _templates(Path(folder))
        asked = _alternate([partial(_template, template), partial(_template, sized)], repeats)
    return [
        compared("deploy → first answer, emulator up and warm", *warm, unit="s", target=0.6),
        compared("`up`, deploy → first answer, from nothing", *cold, unit="s", target=1.15),
        compared("deploy → first answer, the official template as it is", *asked, unit="s", target=1.3),
    ]


def _alternate(ways: list[Callable[[], float]], repeats: int) -> list[list[float]]:
    """Return the seconds of each way, one after the other; the first of each is thrown away."""
    rounds = [[way() for way in ways] for _ in range(repeats + 1)]
    return [[each[number] for each in rounds[1:]] for number in range(len(ways))]


def _warm_emulator() -> float:
    """Time the command ``deploy`` and the first answer, where another model of the same environment is deployed."""
    port = free_port()
    with emulator(port):
        deploy(_OTHER_MODEL, port)
        return _deployed_and_answered(port, time.perf_counter())


def _new_emulator() -> float:
    """Time the commands ``up`` and ``deploy``, one after the other, and the first answer."""
    port, began = free_port(), time.perf_counter()
    with emulator(port):
        return _deployed_and_answered(port, began)


def _deployed_and_answered(port: int, began: float) -> float:
    client = routed_client(deploy("hello", port)["model_url"], port)
    assert client.predict(prompt="x") == "Hello, x!"
    return time.perf_counter() - began


def _templates(folder: Path) -> tuple[Path, Path]:
    """Write what the official `clarifai model init` writes: with sizes written by hand, and as it is."""
    directories = folder / "sized", folder / "template"
    for directory in directories:
        command = [sys.executable, "-m", "clarifai.cli", "model", "init", str(directory)]
        subprocess.run(command, env=environ(free_port()), check=True, capture_output=True, stdin=subprocess.DEVNULL)
    config = directories[0] / "config.yaml"
    lines = [line for line in config.read_text().splitlines() if "instance:" not in line and line != "compute:"]
    config.write_text("\n".join([*lines, 'inference_compute_info: {cpu_limit: "500m", cpu_memory: 500Mi}', ""]))
    return directories


def _template(directory: Path) -> float:
    """Time a template on an emulator that has, by name, the GPU that it asks for."""
    port = free_port()
    with emulator(port, "--accelerators", "simulated:1xNVIDIA-A10G"):
        deploy(_OTHER_MODEL, port)
        began = time.perf_counter()
        client = routed_client(deploy(str(directory), port)["model_url"], port)
        assert client.predict(prompt="x") == "Echo: x"
        return time.perf_counter() - began


def _sdk_server() -> float:
    """Time the SDK's server: it listens once its model is loaded."""
    port, began = free_port(), time.perf_counter()
    with sdk_server("hello", port):
        assert direct_client(port).predict(prompt="x") == "Hello, x!"
        return time.perf_counter() - began
