"""Measures what tests cost with the pytest plugin: the first, each further one, a suite of 200; and without use."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure, alone
from benchmarks.peers import compiled

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "fixtures" / "models" / "hello"
_TESTS = f"""
import time
import pytest


def test_first(request):
    began = time.perf_counter()
    hello = request.getfixturevalue("clarifai").deploy({str(MODEL)!r})
    assert hello.model.predict(prompt="x") == "Hello, x!"
    print("FIRST", time.perf_counter() - began)


@pytest.mark.parametrize("number", range(30))
def test_further(request, number):
    began = time.perf_counter()
    clarifai = request.getfixturevalue("clarifai")
    clarifai.deploy({str(MODEL)!r})
    print("FURTHER", time.perf_counter() - began)
    began = time.perf_counter()
    clarifai.emulator.reset(keep_warm=True)
    print("RESET", time.perf_counter() - began)
"""
_UNUSED = "def test_nothing():\n    pass\n"


def measure(*, quick: bool = False) -> list[Figure]:
    """Return the figures."""
    repeats = 2 if quick else 10
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "test_used.py").write_text(_TESTS)
        (Path(folder) / "test_unused.py").write_text(_UNUSED)
        said = "".join(_pytest(folder, "-s", "test_used.py")[1] for _ in range(repeats))
        with_it, without = [], []
        for _ in range(repeats):
            with_it.append(_pytest(folder, "test_unused.py")[0])
            without.append(_pytest(folder, "-p", "no:clarifai_emulator", "test_unused.py")[0])
        suite = [_suite(folder) for _ in range(1 if quick else 3)]
    unused = [(one - other) * 1000 for one, other in zip(sorted(with_it), sorted(without), strict=True)]
    return [
        alone("pytest: first test, fixture → served predict", _told(said, "FIRST"), unit="s", target=1.2),
        alone("pytest: further test, account and warm model", _told(said, "FURTHER", 1000), unit="ms", target=10),
        alone("pytest: reset that keeps models warm", _told(said, "RESET", 1000), unit="ms", target=2),
        alone("pytest: a suite of 200 tests", suite, unit="s", target=8),
        alone("pytest: a session that does not use the plugin", unused, unit="ms", target=20),
    ]


def _suite(folder: str) -> float:
    """Return the seconds that the client project's 200 tests take."""
    copy = Path(folder) / "suite"
    shutil.copytree(ROOT / "fixtures" / "clients", copy / "clients", dirs_exist_ok=True)
    shutil.copytree(MODEL, copy / "models" / "hello", dirs_exist_ok=True)
    return _pytest(str(copy / "clients" / "greeter"))[0]


def _pytest(folder: str, *args: str) -> tuple[float, str]:
    """Return seconds and output of a pytest run."""
    environ = {name: value for name, value in compiled().items() if not name.startswith(("CLARIFAI_", "PYTEST_"))}
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *args],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    took = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    return took, done.stdout


def _told(said: str, name: str, factor: float = 1.0) -> list[float]:
    return [float(value) * factor for value in re.findall(rf"{name} ([0-9.e-]+)", said)]
