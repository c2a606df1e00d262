"""Measures the time from a save to the answer of the new code in a container, under ``dev``.

The model is as people write them: no ``user_id`` in its config.yaml, its compute by instance type. The baseline is
``docker restart -t 0`` of a container of the same image, and the import of the SDK in it: what an edit costs at
least where nothing is reloaded.

Needs a container engine and the base image of the container tests (``.ci/docker-base``); without, nothing is
measured, and that is said.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.containers import docker_engine, in_containers
from benchmarks.figures import Figure, alone, compared
from benchmarks.peers import emulator, environ, free_port, process, routed_client
from benchmarks.reload import wait_for_event

_MODEL = """{imports}
from clarifai.runners.models.model_class import ModelClass


class Greeter(ModelClass):
    def load_model(self):
        self.greeting = "Hello"

    @ModelClass.method
    def predict(self, prompt: str) -> str:
        return f"{{self.greeting}}, {{prompt}}, {number}"
"""
_CONFIG = """model:
  id: greeter
  model_type_id: text-to-text
compute:
  instance: t3a.medium
"""
_IMPORT = "import time, clarifai.runners.server; print('imported', flush=True); time.sleep(1e6)"
# Importing the SDK asks the package index for its newest version: without that here, as in a replica.
_NO_INDEX = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
_MODULES = ("json", "string", "textwrap", "fractions", "bisect", "colorsys", "calendar", "difflib")


def measure(*, quick: bool = False) -> list[Figure]:
    """Return the figures; none without an engine."""
    try:
        engine = docker_engine.prepare(lambda line: print(line, file=sys.stderr))
    except docker_engine.Unavailable as error:
        print(f"edits in containers are not measured: {error}", file=sys.stderr)
        return []
    try:
        return _measure(3 if quick else 20)
    finally:
        engine.stop()


def _measure(repeats: int) -> list[Figure]:
    with _dev() as (model, until_ready, ask):
        bodies = _answers(model, until_ready, ask, lambda _: "import os", repeats)
        imports = _answers(model, until_ready, ask, _another_import, repeats)
        restarts = _restarts(repeats)
    return [
        compared("container: edit of a body → answer", bodies, restarts, unit="ms", target=0.05),
        compared("container: edit of an import → answer", imports, restarts, unit="ms", target=0.5),
        alone("container: edit of a body → answer, p95", bodies, unit="ms", target=None, quantile=0.95),
        alone("container: edit of an import → answer, p95", imports, unit="ms", target=None, quantile=0.95),
    ]


def _another_import(number: int) -> str:
    return f"import os\nimport {_MODULES[number % len(_MODULES)]}"


def _answers(
    model: Path,
    until_ready: Callable[[], None],
    ask: Callable[[], str],
    imports: Callable[[int], str],
    repeats: int,
) -> list[float]:
    """Return the milliseconds from each save to its answer; the first is thrown away."""
    took: list[float] = []
    for number in range(repeats + 1):
        time.sleep(0.3)  # as long as nobody saves: what was replaced has ended
        began = time.perf_counter()
        model.write_text(_MODEL.format(imports=imports(number), number=number))
        until_ready()
        assert ask() == f"Hello, x, {number}"
        took.append((time.perf_counter() - began) * 1000)
    return took[1:]


@contextmanager
def _dev() -> Generator[tuple[Path, Callable[[], None], Callable[[], str]]]:
    """Run ``clarifai-emulator dev`` in containers; yield the model.py, a wait until an edit of it is ready, and a
    request."""
    port = free_port()
    with TemporaryDirectory() as folder, emulator(port, *in_containers()):
        model = Path(folder) / "greeter" / "1" / "model.py"
        model.parent.mkdir(parents=True)
        model.write_text(_MODEL.format(imports="import os", number=-1))
        (model.parents[1] / "config.yaml").write_text(_CONFIG)
        (model.parents[1] / "requirements.txt").write_text("clarifai\n")
        Path(folder).chmod(0o755)
        command = [sys.executable, "-m", "clarifai_emulator", "dev", str(model.parents[1]), "--port", str(port)]
        with process([*command, "--json"], environ(port), stdout=subprocess.PIPE) as dev:
            wait_for_event(dev, "replica.live")
            client = routed_client("https://clarifai.com/me/main/models/greeter", port)
            yield model, lambda: wait_for_event(dev, "reload.ready"), lambda: client.predict(prompt="x")


def _restarts(repeats: int) -> list[float]:
    """Return the milliseconds of a restart, which ends the container's process at once, until the SDK is imported
    again."""
    from clarifai_emulator.backends.docker.engine import connect
    from clarifai_emulator.backends.docker.labels import MODEL

    client, _ = connect()
    try:
        (running,) = client.containers.list(filters={"label": f"{MODEL}=greeter"})
        container = client.containers.run(
            running.image.id,
            ["-c", _IMPORT],
            entrypoint=["python"],
            detach=True,
            init=True,
            environment=_NO_INDEX,
        )
        try:
            _until_imported(container, 1)
            return [_restart(container, number) for number in range(2, repeats + 2)]
        finally:
            container.remove(force=True)
    finally:
        client.close()


def _restart(container: Any, times: int) -> float:
    began = time.perf_counter()
    container.restart(timeout=0)
    _until_imported(container, times)
    return (time.perf_counter() - began) * 1000


def _until_imported(container: Any, times: int) -> None:
    deadline = time.monotonic() + 120
    while container.logs(stderr=False).count(b"imported") < times:
        if time.monotonic() > deadline:
            raise RuntimeError(f"the SDK was not imported in 120 s: {container.logs().decode()[-500:]}")
        time.sleep(0.005)
