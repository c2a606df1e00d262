"""The benchmarks run here; their figures are for a quiet machine."""

from __future__ import annotations

import json
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
