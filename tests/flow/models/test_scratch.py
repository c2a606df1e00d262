"""Tests that the temporary folder of a killed process is removed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from clarifai_emulator.models.scratch import remove_forsaken

PREFIX = "scratch-test-"


HOLDS_ONE = f"""
import sys, tempfile
from clarifai_emulator.models.scratch import ScratchFolder
tempfile.tempdir = sys.argv[1]
folder = ScratchFolder({PREFIX!r})
(folder.path / "file").touch()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def test_of_a_killed_process_it_is_removed_and_of_a_living_one_it_is_not(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS_ONE, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        remove_forsaken(PREFIX)
        assert len(list(tmp_path.glob("*/file"))) == 1
        process.kill()
        process.wait()
        remove_forsaken(PREFIX)
        assert list(tmp_path.iterdir()) == []
