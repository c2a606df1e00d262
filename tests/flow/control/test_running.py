"""Tests the files that say which emulators run here."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clarifai_emulator.cli.output import failure_of
from clarifai_emulator.control.running import Running, find_running, remove_state, running_emulators, write_state
from clarifai_emulator.errors import ControlError


@pytest.fixture
def listening() -> Iterator[int]:
    """Yield a port on which somebody listens."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def running(port: int = 7878, **changes: Any) -> Running:
    facts = {"url": f"http://127.0.0.1:{port}", "pid": os.getpid(), "token": "t", "user_id": "me", "port": port}
    return Running(**{**facts, "started": 1.0, **changes})


def test_a_state_file_comes_and_goes(tmp_path: Path, listening: int) -> None:
    folder = tmp_path / "state"
    path = write_state(folder, running(listening))
    assert path.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [each.name for each in folder.iterdir()] == [f"emulator-{listening}.json"]
    assert running_emulators(folder) == [running(listening)]
    remove_state(folder, listening, pid=1)
    assert path.exists(), "another process's file stays"
    remove_state(folder, listening, pid=os.getpid())
    assert not path.exists()


def test_what_is_left_of_a_dead_emulator_is_removed(tmp_path: Path, listening: int) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    dead = write_state(tmp_path, running(listening, pid=ended.pid))
    (tmp_path / "emulator-1.json").write_text("not JSON")
    (tmp_path / "emulator-2.json").write_text('{"other": 1}')
    assert running_emulators(tmp_path) == []
    assert not dead.exists()


def test_a_process_id_that_was_given_away_is_no_emulator(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    write_state(tmp_path, running(free))
    assert running_emulators(tmp_path) == []


def test_the_port_that_is_named_does_not_run(
    tmp_path: Path, listening: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    write_state(tmp_path / "clarifai-emulator", running(listening))
    assert find_running(None).port == listening
    assert find_running(0).port == listening
    with pytest.raises(ControlError, match=rf"on port 1. Running: http://127.0.0.1:{listening}") as caught:
        find_running(1)
    assert failure_of(caught.value).exit_code == 4
