"""Tests that homes go with their process, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pytest_clarifai_emulator.temp_homes import make_home, remove_abandoned

_DIES_IN = "from pytest_clarifai_emulator.temp_homes import make_home; print(make_home(), flush=True); input()"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)


def test_the_home_of_a_killed_process_goes_with_the_next_home(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _DIES_IN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        theirs = Path(process.stdout.readline().strip())
        remove_abandoned(tmp_path)
        assert theirs.exists(), "its process lives"
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=20)
    mine = Path(make_home())
    assert list(tmp_path.iterdir()) == [mine]


def test_flow_tests_leave_no_home(tmp_path: Path) -> None:
    code = "import os, flow.driver; print(os.environ['HOME'])"
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()).parent == tmp_path
    assert list(tmp_path.iterdir()) == []
