"""Starts an emulator on the session's engine for each file of container tests, and empties it before each test.

Tests are skipped where no engine can run.
"""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator

import pytest

from clarifai_emulator.backends.docker.engine import connect
from clarifai_emulator.control.thread import EmulatorThread
from docker import DockerClient
from docker_engine import TestEngine
from flow.driver import RUNNERS, running
from flow.emptied import client as client
from flow.emptied import emulator as emulator


# Not for the session: other tests count what this process holds, and its last replica would be probed meanwhile.
@pytest.fixture(scope="module")
def _emulator(engine: TestEngine) -> Iterator[EmulatorThread]:
    with running(**RUNNERS["docker"], hold_seconds=30, stop_seconds=3.0) as emulator:
        yield emulator


@pytest.fixture
def loose_ends() -> Iterator[None]:
    """Collect the sockets of calls that an engine's end broke off, which the ``docker`` package leaves behind."""
    yield
    with warnings.catch_warnings(action="ignore"):
        gc.collect()


@pytest.fixture
def docker(engine: TestEngine) -> Iterator[DockerClient]:
    """Yield the engine's own client."""
    client, _ = connect(engine.address)
    yield client
    client.close()
