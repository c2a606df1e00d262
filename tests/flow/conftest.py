"""One emulator for all flow tests of a session, emptied before each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.thread import EmulatorThread
from flow.driver import PORT, RUNNER, Client


@pytest.fixture(scope="session")
def _emulator() -> Iterator[EmulatorThread]:
    with EmulatorThread(EmulatorConfig(port=PORT, stop_seconds=0.5, hold_seconds=20, **RUNNER)) as emulator:
        yield emulator


@pytest.fixture
def emulator(_emulator: EmulatorThread) -> EmulatorThread:
    """The session's emulator, as it is after its start."""
    _emulator.reset()
    return _emulator


@pytest.fixture
def client(emulator: EmulatorThread) -> Iterator[Client]:
    """Raw calls to the session's emulator."""
    client = Client(emulator.url)
    yield client
    client.close()
