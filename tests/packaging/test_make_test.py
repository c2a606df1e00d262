"""The command `make test` says at its end which tests it leaves out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILES = ["tests/unit/models/test_versions.py", "tests/flow/test_benchmarks.py", "tests/docker/test_full_disk.py"]


def test_its_last_lines_say_what_was_left_out_and_how_to_have_it() -> None:
    options = ["-q", "--quick", "--numprocesses=1", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *FILES], cwd=ROOT, capture_output=True, text=True, timeout=100
    )
    *_, left_out, passed = done.stdout.splitlines()
    assert left_out.startswith(
        "Left out: 2 slow tests, 3 tests in containers, the flow tests with the genuine runner"
    )
    assert "`make test-all` runs everything" in left_out
    assert " passed in " in passed
    assert done.stderr == ""
