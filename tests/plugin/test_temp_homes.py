"""Tests that homes go with their process, however it ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from pytest_clarifai_emulator.temp_homes import make_home, remove_abandoned, remove_home

_DIES_IN = "from pytest_clarifai_emulator.temp_homes import make_home; print(make_home(), flush=True); input()"
# An id that is far from any outside: the next process has the one after the last.
_WITH_A_HIGH_ID = f"""
import os
with open("/proc/sys/kernel/ns_last_pid", "w") as file:
    file.write(str(next(n for n in range(31000, 20, -1) if not os.path.exists(f"/proc/{{n}}"))))
child = os.fork()
if child:
    os.waitpid(child, 0)
else:
    {_DIES_IN}
"""


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


def test_the_home_of_a_process_in_another_namespace_of_process_ids_stays_while_it_lives(tmp_path: Path) -> None:
    apart = ["unshare", "--map-root-user", "--fork", "--pid", "--mount-proc", "--kill-child"]
    if shutil.which("unshare") is None or subprocess.run([*apart, "true"], capture_output=True).returncode:
        pytest.skip("this system makes no namespaces of processes for tests (unshare)")
    with subprocess.Popen(
        [*apart, sys.executable, "-c", _WITH_A_HIGH_ID], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        theirs = Path(process.stdout.readline().strip())
        assert not Path(f"/proc/{theirs.name.split('-')[2]}").exists(), "no process here has its id"
        mine = Path(make_home())
        assert theirs.exists(), "its process lives"
        process.kill()
        process.wait(timeout=20)
    deadline = time.monotonic() + 30
    while theirs.exists() and time.monotonic() < deadline:  # its end is not ours to wait for
        remove_abandoned(tmp_path)
    assert list(tmp_path.iterdir()) == [mine]
    remove_home(str(mine))
