"""One emulator on the session's engine for all container tests, emptied before each. Without one: skipped."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator

import pytest

from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.containers.engine import connect
from clarifai_emulator.thread import EmulatorThread
from docker import DockerClient
from docker_engine import SETTINGS, TestEngine
from flow.driver import PORT, Client


# Not for the session: the flow tests' own emulator listens at the same port.
@pytest.fixture(scope="module")
def _emulator(engine: TestEngine) -> Iterator[EmulatorThread]:
    config = EmulatorConfig(port=PORT, backend="docker", docker=SETTINGS, stop_seconds=0.5, hold_seconds=30)
    with EmulatorThread(config) as emulator:
        yield emulator


@pytest.fixture
def emulator(_emulator: EmulatorThread) -> EmulatorThread:
    """The emulator of these tests, as it is after its start."""
    _emulator.reset()
    return _emulator


@pytest.fixture
def client(emulator: EmulatorThread) -> Iterator[Client]:
    """Raw calls to the session's emulator."""
    client = Client(emulator.url)
    yield client
    client.close()


@pytest.fixture
def loose_ends() -> Iterator[None]:
    """The ``docker`` package leaves sockets of calls that an engine's end broke off to the garbage collector."""
    yield
    with warnings.catch_warnings(action="ignore"):
        gc.collect()


@pytest.fixture
def docker(engine: TestEngine) -> Iterator[DockerClient]:
    """The engine, as its own client sees it."""
    client, _ = connect(engine.address)
    yield client
    client.close()
