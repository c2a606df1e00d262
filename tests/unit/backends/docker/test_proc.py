"""Processes of a container as this machine's kernel knows them; a process of our own stands for the container."""

from __future__ import annotations

from pathlib import Path

import pytest

from clarifai_emulator.backends.docker.proc import memory_kills, pid_here

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="reads /proc: Linux only")


def test_of_a_container_of_another_machine_nothing_is_known() -> None:
    assert (pid_here(0, 1), memory_kills(0)) == (0, 0)
