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

from flow.driver import MODELS, is_alive, running, wait_for

SCRIPT = """
import sys, time
from clarifai_emulator import EmulatorConfig, EmulatorThread

with EmulatorThread(EmulatorConfig(port=0)) as emulator:
    emulator.deploy(sys.argv[1], min_replicas=2)
    while len(found := emulator.status()["deployments"][0]["versions"][0]["replicas"]) < 2: time.sleep(0.01)
    print(*(replica["pid"] for replica in found), flush=True)
    time.sleep(600)
"""


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
    wait_for(lambda: not any(is_alive(pid) for pid in (*replicas, *zygotes)), seconds=5)
    assert set(glob.glob(f"{tempfile.gettempdir()}/clarifai-emulator-*")) == before


def test_starting_and_stopping_leaves_no_descriptor_or_thread() -> None:
    with running() as emulator:
        emulator.deploy(MODELS / "hello")
    descriptors, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
    for _ in range(3):
        with running(stop_seconds=0) as emulator:
            emulator.deploy(MODELS / "hello")
    assert len(os.listdir("/proc/self/fd")) <= descriptors
    assert threading.active_count() <= threads
