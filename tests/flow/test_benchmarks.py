"""The benchmarks run here; their figures are for a quiet machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_quick_benchmarks_write_their_figures_as_json_and_as_a_table(tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    options = ["--quick", "--markdown", "--results", str(results), "bidi", "own_share", "protocols"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *options], cwd=ROOT, capture_output=True, text=True, timeout=150
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(results.read_text())["figures"]
    assert {"lean runner: bidi round trip p50", "lean runner: own share p50"} <= {each["name"] for each in figures}
    assert all(0 < each["value"] < 1000 and each["unit"] == "ms" for each in figures)
    assert done.stdout.startswith("| figure | value |")
    assert len(done.stdout.splitlines()) == 2 + len(figures)


SLOWED = """
import sys

if "up" in sys.orig_argv:  # the emulator, not what it is compared with
    import asyncio.events

    run = asyncio.events.Handle._run

    def slowly(self):
        for _ in range(10_000):
            pass
        return run(self)

    asyncio.events.Handle._run = slowly
"""


@pytest.mark.slow
def test_an_emulator_that_has_become_slower_fails_the_check_of_ci_and_is_named(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(SLOWED)
    options = ["--quick", "--results", str(tmp_path / "now.json")]
    command = [sys.executable, "-m", "benchmarks", *options, "--check", str(ROOT / "benchmarks" / "base.json")]
    done = subprocess.run(
        [*command, "processor_time"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 1, done.stderr
    assert "slower: lean runner: emulator, processor time is " in done.stderr
    assert " times what it was in the base; at most 1.3 times is allowed." in done.stderr
    assert "slower: lean runner: replica" not in done.stderr, "only the emulator is slower"
