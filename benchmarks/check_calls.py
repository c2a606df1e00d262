"""Measures how long `clarifai-emulator check` takes: 50 models and 500 client files, cold and after a change; and
how its time and memory grow up to 10,000 files.

Cold: nothing is kept from before, and every model.py is imported. The time of the type checker alone over the same
files, as it is without this package, stands beside it, in alternating runs. Processor time is that of the command
and all it starts: other work on the machine changes it little, and the time by the clock much.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Figure, alone, compared
from benchmarks.peers import compiled

_MODELS, _FILES = 50, 500
_SOME, _MANY = 1_000, 10_000
_MODEL = """\
from typing import Iterator, List

from clarifai.runners.models.model_class import ModelClass
from clarifai.runners.utils.data_utils import Param


class Model{number}(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str, tokens: int = Param(default=16, min_value=1, max_value=512)) -> str:
        return prompt * tokens

    @ModelClass.method
    def generate(self, prompt: str) -> Iterator[str]:
        yield prompt

    @ModelClass.method
    def rank_{number}(self, texts: List[str], top: int = 3) -> List[float]:
        return [0.5 for text in texts]
"""
_CONFIG = """\
model: {{id: model-{number}, user_id: me, app_id: main, model_type_id: text-to-text}}
build_info: {{python_version: "3.11"}}
inference_compute_info: {{cpu_limit: "1", cpu_memory: 1Gi, num_accelerators: 0}}
"""
_CLIENT = """\
from __future__ import annotations

import json
import logging
from dataclasses import dataclass

from clarifai.client import Model

log = logging.getLogger(__name__)
MODEL = "https://clarifai.com/me/main/models/model-{model}"


@dataclass(frozen=True)
class Answer:
    text: str
    scores: list[float]


class Service{number}:
    def __init__(self) -> None:
        self.model = Model(url=MODEL)
        self.asked = 0

    def ask(self, question: str, *, tokens: int = 32) -> str:
        self.asked += 1
        log.info("asking %s", question)
        return self.model.predict(prompt=question, tokens=tokens)

    def chunks(self, question: str) -> list[str]:
        return [chunk.strip() for chunk in self.model.generate(prompt=question)]

    def rank(self, texts: list[str]) -> Answer:
        scores = self.model.rank_{model}(texts=texts, top=5)
        return Answer(text=max(zip(scores, texts))[1], scores=scores)


def main(lines: list[str]) -> None:
    service = Service{number}()
    for line in lines:
        record = json.loads(line)
        print(service.ask(record["question"]), service.chunks("hello"), service.rank(["a", "b"]).scores[0])
"""


@dataclass(frozen=True, slots=True)
class _Took:
    """Seconds of a command: by the clock, and of processors. ``memory``: the most that one process of it had, in
    MiB."""

    wall: float
    processor: float
    memory: float


def measure(*, quick: bool = False) -> list[Figure]:
    """Return the figures, in seconds of whole processes."""
    models, files = (_MODELS // 10, _FILES // 10) if quick else (_MODELS, _FILES)
    repeats = 2 if quick else 7
    with tempfile.TemporaryDirectory(prefix="clarifai-bench-") as folder:
        root = Path(folder)
        _write(root, models, files)
        _check(root, models, root / "warm")  # compiles what is not compiled yet
        cold: list[_Took] = []
        bare: list[_Took] = []
        for number in range(repeats):
            cold.append(_check(root, models, root / f"cache-{number}"))
            bare.append(_checker_alone(root, "clients", "models"))
        changed: list[_Took] = []
        bare_one: list[_Took] = []
        for number in range(3 * repeats):
            changed.append(_changed(root, models, number))
            bare_one.append(_checker_alone(root, "clients/client_7.py"))
        unchanged = [_check(root, models, root / "warm") for _ in range(repeats)]
    what = f"check: {models} models, {files} client files"
    return [
        alone(f"{what}, cold", _wall(cold), unit="s", target=3.0),
        compared(
            "check, cold, beside the type checker alone: processor time", _processor(cold), _processor(bare),
            unit="s", target=1.5,
        ),
        alone(f"{what}, one changed", _wall(changed), unit="s", target=0.3),
        compared(
            "check, one changed, beside the type checker alone on it: processor time", _processor(changed),
            _processor(bare_one), unit="s", target=1.5,
        ),
        alone(f"{what}, none changed", _wall(unchanged), unit="s", target=None),
        *_growth(models, _SOME // 10 if quick else _SOME, _MANY // 20 if quick else _MANY),
    ]  # fmt: skip


def _growth(models: int, some: int, many: int) -> list[Figure]:
    """Return what a file costs among many, beside what it costs among some, and the memory that many take."""
    took: dict[int, _Took] = {}
    for files in (some, many):
        with tempfile.TemporaryDirectory(prefix="clarifai-bench-") as folder:
            _write(Path(folder), models, files)
            took[files] = _check(Path(folder), models, Path(folder) / "cache")
    each = {files: [1000 * one.processor / files] for files, one in took.items()}
    return [
        compared(
            f"check: {many} client files beside {some}: processor time of each", each[many], each[some],
            unit="ms", target=1.2,
        ),
        alone(f"check: {many} client files: memory", [took[many].memory], unit="MiB", target=500),
    ]  # fmt: skip


def _wall(several: list[_Took]) -> list[float]:
    return [each.wall for each in several]


def _processor(several: list[_Took]) -> list[float]:
    return [each.processor for each in several]


def _write(root: Path, models: int, files: int) -> None:
    for number in range(models):
        folder = root / "models" / str(number)
        (folder / "1").mkdir(parents=True)
        (folder / "1" / "model.py").write_text(_MODEL.format(number=number))
        (folder / "config.yaml").write_text(_CONFIG.format(number=number))
        (folder / "requirements.txt").write_text("clarifai==12.5.0\n")
    (root / "clients").mkdir()
    for number in range(files):
        (root / "clients" / f"client_{number}.py").write_text(_CLIENT.format(number=number, model=number % models))


def _changed(root: Path, models: int, number: int) -> _Took:
    path = root / "clients" / "client_7.py"
    path.write_text(path.read_text() + f"\n# change {number}\n")
    return _check(root, models, root / "warm")


def _check(root: Path, models: int, cache: Path) -> _Took:
    """Return what the whole command took. Raises if it finds anything, or checks fewer calls than there are."""
    given = [word for number in range(models) for word in ("--model", f"models/{number}")]
    command = [sys.executable, "-m", "clarifai_emulator", "check", "clients", *given]
    took, code, said = _run(command, root, {**compiled(), "XDG_CACHE_HOME": str(cache)})
    files = len(list((root / "clients").iterdir()))
    if code or f"{files} files and {3 * files} calls checked" not in said:
        raise RuntimeError(f"the check went wrong: {said}")
    return took


def _checker_alone(root: Path, *files: str) -> _Took:
    program = Path(sysconfig.get_path("scripts")) / "pyrefly"
    options = ["--python-interpreter-path", sys.executable, "--output-format", "json", "--summary=none"]
    return _run([str(program), "check", *options, *files], root, compiled())[0]


def _run(command: list[str], folder: Path, environ: dict[str, str]) -> tuple[_Took, int, str]:
    """Return what a command took, its exit code, and what it printed."""
    with tempfile.TemporaryFile("w+") as output:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=environ, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        took = _Took(time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        return took, process.returncode, output.read()
