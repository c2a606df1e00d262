"""Measures what a container costs next to a process: predicts, the start of a replica, and what an edit rebuilds.

Needs a container engine and the base image of the container tests (``.ci/docker-base``); without, nothing is
measured, and that is said. Containers are not held to the CPU of their model's compute info: no process is.
"""

from __future__ import annotations

import asyncio
import functools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, alone, compared, interleave
from benchmarks.peers import deploy, emulator, free_port, routed_client

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import docker_engine  # noqa: E402 - of the tests, found by the line above

_IMPORT = "import time; t = time.perf_counter(); import clarifai.runners.server; print(time.perf_counter() - t)"


def measure(*, quick: bool = False) -> list[Figure]:
    """Return the figures; none without an engine."""
    try:
        engine = docker_engine.prepare(lambda line: print(line, file=sys.stderr))
    except docker_engine.Unavailable as error:
        print(f"containers are not measured: {error}", file=sys.stderr)
        return []
    try:
        return [*_predict(rounds=4 if quick else 40), *asyncio.run(_life(2 if quick else 10))]
    finally:
        engine.stop()


def in_containers() -> list[str]:
    """Return the options of ``up`` for the images of the container tests."""
    options = ["--backend", "docker", "--docker-base-image", docker_engine.BASE_IMAGE, "--no-docker-limits"]
    authority = docker_engine.SETTINGS.ca_file
    return [*options, "--docker-ca", str(authority)] if authority else options


def _predict(*, rounds: int) -> list[Figure]:
    """Measure predicts of a replica in a container and of one that is a process, with the same model and client."""
    in_container, as_process = free_port(), free_port()
    with emulator(in_container, *in_containers()), emulator(as_process):
        ours = routed_client(deploy("hello", in_container)["model_url"], in_container)
        theirs = routed_client(deploy("hello", as_process)["model_url"], as_process)
        values = interleave(
            lambda: ours.predict(prompt="x"), lambda: theirs.predict(prompt="x"), rounds=rounds, calls=50
        )
    return [
        compared("container: predict p50, next to a process", *values, unit="ms", target=1.15),
        compared("container: predict p99, next to a process", *values, unit="ms", target=None, quantile=0.99),
    ]


async def _life(repeats: int) -> list[Figure]:
    """Measure a replica's start, and a repeated deployment, in this process."""
    from clarifai_emulator.config import EmulatorConfig
    from clarifai_emulator.deploy.deploy_request import DeployRequest
    from clarifai_emulator.emulator import Emulator

    starts: list[float] = []
    runs: list[float] = []
    again: list[float] = []
    steps: list[float] = []
    rebuilds: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        model = Path(shutil.copytree(ROOT / "fixtures" / "models" / "hello", Path(folder) / "hello"))
        config = EmulatorConfig(port=0, backend="docker", docker=docker_engine.SETTINGS, stop_seconds=0.5)
        async with Emulator(config) as running:

            async def deployed(lines: list[str]) -> Any:
                return await running.deployer.deploy(DeployRequest(path=model), lines.append)

            first = await deployed([])
            image = first.environment.removeprefix("the image ")
            for _ in range(repeats):
                await running.reset()
                starts.append(await _seconds(lambda: deployed([])))
                runs.append(await asyncio.to_thread(_bare_start, image))
                lines: list[str] = []
                again.append(await _seconds(functools.partial(deployed, lines)))
                steps.append(float(sum(line.startswith("Step ") for line in lines)))
            for number in range(repeats):
                code = model / "1" / "model.py"
                code.write_text(f"{code.read_text()}\n# {time.time()} {number}\n")
                rebuilds.append(await _seconds(lambda: _build(running, model)))
    return [
        compared("container: replica start → takes work", starts, runs, unit="s", target=2.5),
        alone("container: unchanged redeploy", again, unit="s", target=None),
        alone("container: unchanged redeploy, build steps", steps, unit="steps", target=0),
        alone("container: edited model.py, rebuilt", rebuilds, unit="s", target=2.0),
    ]


async def _seconds(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    await call()
    return time.perf_counter() - began


async def _build(running: Any, model: Path) -> None:
    from clarifai_emulator.models.directory import read_model_directory

    await running.backends["docker"].prepare(read_model_directory(model), lambda line: None)


def _bare_start(image: str) -> float:
    """Return the seconds of `docker run IMAGE python -c pass`, plus those of an import of the SDK in the same
    image."""
    began = time.perf_counter()
    _run_in(image, "pass")
    took = time.perf_counter() - began
    return took + float(_run_in(image, _IMPORT).split()[-1])


def _run_in(image: str, code: str) -> str:
    command = ["docker", "run", "--rm", "--entrypoint", "python", image, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ)).stdout
