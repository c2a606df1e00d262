"""The parent of replicas, launched before their emulator is there."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from clarifai_emulator.backends.process.parent import launch_early


def test_the_parent_of_this_interpreter_is_told_where_the_emulator_will_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    parent = launch_early("http://127.0.0.1:7878", "fork")
    assert parent is not None
    parent.control.close()
    os.close(parent.output_fd)
    assert parent.process.wait(60) == 0, "it ends when nobody listens"
    assert parent.python == Path(sys.executable)
    assert parent.environ["CLARIFAI_API_BASE"] == "http://127.0.0.1:7878"


def test_one_that_nobody_takes_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    parent = launch_early("http://127.0.0.1:7878", "fork")
    assert parent is not None
    parent.close()
    assert parent.process.returncode is not None
