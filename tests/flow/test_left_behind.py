"""Nothing of an emulator stays behind, however it ends."""

from __future__ import annotations

import glob
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from flow.driver import MODELS, running, wait_for

SCRIPT = """
import sys, time
from clarifai_emulator import EmulatorConfig, EmulatorThread

with EmulatorThread(EmulatorConfig(port=0)) as emulator:
    emulator.deploy(sys.argv[1], min_replicas=2)
    while len(found := emulator.status()["deployments"][0]["versions"][0]["replicas"]) < 2: time.sleep(0.01)
    print(*(replica["pid"] for replica in found), flush=True)
    time.sleep(600)
"""


def _alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def _children(pid: int) -> list[int]:
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for found in lists for child in found.read_text().split()]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="reads /proc: Linux only")
def test_a_killed_emulator_takes_its_replicas_and_interpreters_with_it() -> None:
    before = set(glob.glob(f"{tempfile.gettempdir()}/clarifai-emulator-*"))
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CLARIFAI_")}
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, MODELS / "hello"], stdout=subprocess.PIPE, text=True, env=environ
    )
    with process:
        assert process.stdout is not None
        replicas = [int(pid) for pid in process.stdout.readline().split()]
        zygotes = _children(process.pid)
        process.send_signal(signal.SIGKILL)
    assert len(replicas) == 2
    assert zygotes
    wait_for(lambda: not any(_alive(pid) for pid in (*replicas, *zygotes)), seconds=5)
    assert set(glob.glob(f"{tempfile.gettempdir()}/clarifai-emulator-*")) == before


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="reads /proc: Linux only")
def test_up_warms_an_interpreter_ahead_and_takes_it_along_when_it_is_killed(tmp_path: Path) -> None:
    environ = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "clarifai_emulator", "up", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environ)
    try:
        zygotes = wait_for(lambda: _children(process.pid))
        wait_for(lambda: b"zygote_main.py" in Path(f"/proc/{zygotes[0]}/cmdline").read_bytes())
    finally:
        process.kill()
        process.wait()
    wait_for(lambda: not _alive(zygotes[0]), seconds=5)


def test_starting_and_stopping_leaves_no_descriptor_or_thread() -> None:
    with running() as emulator:
        emulator.deploy(MODELS / "hello")
    descriptors, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
    for _ in range(3):
        with running(stop_seconds=0) as emulator:
            emulator.deploy(MODELS / "hello")
    assert len(os.listdir("/proc/self/fd")) <= descriptors
    assert threading.active_count() <= threads
