"""Processes are found alive or gone, and by when they began."""

from __future__ import annotations

import os

from clarifai_emulator.machine.processes import began, has_ended, is_there

NOBODY = 4194305  # no process has this number


def test_this_process_is_alive() -> None:
    assert is_there(os.getpid())
    assert not has_ended(os.getpid())
    assert began(os.getpid()) > 0


def test_what_is_not_there_has_ended() -> None:
    assert not is_there(NOBODY)
    assert has_ended(NOBODY)
    assert began(NOBODY) == 0
