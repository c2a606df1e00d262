"""Tests finding a process of a container; a process of our own stands for the container."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from clarifai_emulator.backends.docker.proc import pid_here

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="reads /proc: Linux only")


def test_a_process_is_found_among_those_that_descend_from_the_first() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        inner = next(
            int(line.split()[-1])
            for line in Path(f"/proc/{child.pid}/status").read_text().splitlines()
            if line.startswith("NSpid:")
        )
        assert pid_here(os.getpid(), inner) == child.pid
        child.communicate(b"\n")
    assert pid_here(os.getpid(), inner) == 0
