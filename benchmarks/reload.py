"""Measures the time from the write of a file to the first answer of the new code, under ``dev``.

The baseline is stopping and starting the SDK's own server. Containers are measured, too, where there is an engine
and the base image (``.ci/docker-base``).

The first request is sent when ``dev`` says that the new code is ready: a client that asks all the time takes the
time of what it waits for, on a machine of few cores.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.figures import Figure, alone, compared
from benchmarks.peers import MODELS, direct_client, emulator, environ, free_port, process, routed_client, sdk_server
from benchmarks.start import memory

# Milliseconds: p50 and p95 of a swap, then of a fork.
_ON_THIS_MACHINE = (60, 120, 120, 250)
_IN_A_CONTAINER = (150, None, 500, None)
_GREETING = 'f"Hello, {prompt}{'
Edit = Callable[[str, int], str]


def measure(*, quick: bool = False) -> list[Figure]:
    """Return the figures; the runners differ in how a fork starts."""
    repeats, restarts = (5, 1) if quick else (50, 20)
    restarted = [_restart() for _ in range(restarts + 1)][1:]
    figures: list[Figure] = []
    for runner in ("genuine", "lean"):
        figures += _kinds(f"{runner} runner", ["--runner", runner], restarted, repeats, _ON_THIS_MACHINE)
    figures += _in_containers(restarted, repeats)
    return [*figures, _growth(20 if quick else 1000)]


def _kinds(
    name: str, options: Sequence[str], restarted: list[float], repeats: int, targets: tuple[float | None, ...]
) -> list[Figure]:
    with _dev(options) as (model, until_ready, ask):
        swap = _answers(model, until_ready, ask, _body, repeats)
        fork = _answers(model, until_ready, ask, _top_level, repeats)
    swap_half, swap_most, fork_half, fork_most = targets
    return [
        compared(f"{name}: swap, write → answer p50", swap, restarted, unit="ms", target=0.15),
        alone(f"{name}: swap p50", swap, unit="ms", target=swap_half),
        alone(f"{name}: swap p95", swap, unit="ms", target=swap_most, quantile=0.95),
        compared(f"{name}: fork, write → answer p50", fork, restarted, unit="ms", target=None),
        alone(f"{name}: fork p50", fork, unit="ms", target=fork_half),
        alone(f"{name}: fork p95", fork, unit="ms", target=fork_most, quantile=0.95),
    ]


def _in_containers(restarted: list[float], repeats: int) -> list[Figure]:
    """Measure reloads inside a container; nothing without an engine, which is said."""
    from benchmarks.containers import docker_engine, in_containers

    try:
        engine = docker_engine.prepare(lambda line: print(line, file=sys.stderr))
    except docker_engine.Unavailable as error:
        print(f"reloads in containers are not measured: {error}", file=sys.stderr)
        return []
    try:
        return _kinds("in a container", in_containers(), restarted, repeats, _IN_A_CONTAINER)
    finally:
        engine.stop()


def _body(source: str, number: int) -> str:
    return source.replace(_GREETING, f'f"{number}, {{prompt}}{{')


def _top_level(source: str, number: int) -> str:
    return f"{_body(source, number)}\nEDIT = {number}\n"


def _answers(
    model: Path, until_ready: Callable[[], None], ask: Callable[[], str], edit: Edit, repeats: int
) -> list[float]:
    """Return the milliseconds of each edit; the first is thrown away."""
    source = (MODELS / "hello" / "1" / "model.py").read_text()
    took: list[float] = []
    for number in range(repeats + 1):
        time.sleep(0.3)  # as long as nobody saves: what was replaced has ended
        text, expected = edit(source, number), f"{number}, x!"
        began = time.perf_counter()
        model.write_text(text)
        until_ready()
        assert ask() == expected
        took.append((time.perf_counter() - began) * 1000)
    return took[1:]


@contextmanager
def _dev(options: Sequence[str]) -> Generator[tuple[Path, Callable[[], None], Callable[[], str]]]:
    """Run ``clarifai-emulator dev`` of a copy of the model ``hello``; yield its model.py, a wait until an edit of
    that is ready, and a request."""
    port = free_port()
    with TemporaryDirectory() as folder, emulator(port, *options):
        directory = Path(folder) / "hello"
        shutil.copytree(MODELS / "hello", directory)
        command = [sys.executable, "-m", "clarifai_emulator", "dev", str(directory), "--port", str(port), "--json"]
        with process(command, environ(port), stdout=subprocess.PIPE) as dev:
            wait_for_event(dev, "replica.live")
            client = routed_client("https://clarifai.com/me/demo/models/hello", port)
            model = directory / "1" / "model.py"
            yield model, lambda: wait_for_event(dev, "reload.ready"), lambda: client.predict(prompt="x")


def wait_for_event(dev: subprocess.Popen[Any], kind: str) -> None:
    """Read what ``dev`` says until this happened."""
    assert dev.stdout is not None
    for line in dev.stdout:
        if f'"kind": "{kind}"'.encode() in line:
            return
    raise RuntimeError(f"dev ended before {kind}")


def _restart() -> float:
    """Return the milliseconds to stop the SDK's server and start it again, until it answers."""
    port = free_port()
    with sdk_server("hello", port) as server:
        assert direct_client(port).predict(prompt="x") == "Hello, x!"
        began, port = time.perf_counter(), free_port()
        server.kill()
        server.wait()
        with sdk_server("hello", port):
            assert direct_client(port).predict(prompt="x") == "Hello, x!"
            return (time.perf_counter() - began) * 1000


def _growth(reloads: int) -> Figure:
    """Measure the memory of a replica after so many swaps, against that after 10."""
    from clarifai_emulator.config import EmulatorConfig
    from clarifai_emulator.control.thread import EmulatorThread

    with TemporaryDirectory() as folder, EmulatorThread(EmulatorConfig(port=0)) as emulated:
        directory = Path(folder) / "hello"
        shutil.copytree(MODELS / "hello", directory)
        emulated.dev(directory)
        model, source = directory / "1" / "model.py", (directory / "1" / "model.py").read_text()
        sizes: list[float] = []
        for number in range(reloads):
            model.write_text(_body(source, number))
            assert emulated.reload(directory).state == "ready"
            if number in (9, reloads - 1):
                (version,) = emulated.status()["deployments"][0]["versions"]
                sizes.append(memory(version["replicas"][0]["pid"])[0])
    return compared(f"replica after {reloads} swaps: memory", sizes[1:], sizes[:1], unit="MiB", target=1.2)
