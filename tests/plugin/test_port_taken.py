"""The address of the run's emulator is taken: the test says so, and nothing that was begun for it stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from plugin.conftest import Nested

TESTS = """
import os
import socket
from urllib.parse import urlsplit


def children():
    return [pid for task in os.listdir("/proc/self/task")
            for pid in open(f"/proc/self/task/{task}/children").read().split()]


def test_while_somebody_listens_there(request):
    with socket.create_server(("127.0.0.1", urlsplit(os.environ["CLARIFAI_API_BASE"]).port)):
        request.getfixturevalue("clarifai")


def test_after_it():
    assert children() == [], "the interpreter that was launched ahead"
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="reads /proc: Linux only")
def test_the_interpreter_that_was_launched_ahead_goes_with_the_start_that_failed(nested: Nested) -> None:
    run = nested({"test_client.py": TESTS})
    assert "of 127.0.0.1 is in use." in run.failure("test_while_somebody_listens_there")
    assert run.outcome("test_after_it") == "PASSED"
