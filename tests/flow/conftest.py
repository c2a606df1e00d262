"""One emulator for all flow tests of a session, emptied before each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clarifai_emulator.thread import EmulatorThread
from flow.driver import PORT, running
from flow.emptied import client as client
from flow.emptied import emulator as emulator


@pytest.fixture(scope="session")
def _emulator() -> Iterator[EmulatorThread]:
    with running(port=PORT, hold_seconds=20) as emulator:
        yield emulator
