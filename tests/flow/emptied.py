"""Defines the fixtures of tests that share an emulator (their conftest's ``_emulator``); each finds it empty."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import Client


@pytest.fixture
def emulator(_emulator: EmulatorThread) -> EmulatorThread:
    """Return the shared emulator, as it is after its start."""
    _emulator.reset()
    return _emulator


@pytest.fixture
def client(emulator: EmulatorThread) -> Iterator[Client]:
    """Yield a client that makes raw calls to the shared emulator."""
    client = Client(emulator.url)
    yield client
    client.close()
