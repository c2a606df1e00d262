"""Starts one emulator for all flow tests of a session, and empties it before each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import IN_CONTAINERS, PORT, running
from flow.emptied import client as client
from flow.emptied import emulator as emulator


def pytest_itemcollected(item: pytest.Item) -> None:
    """Skip tests about processes only, with their reason, if replicas are containers: the suite is for every
    backend."""
    mark = item.get_closest_marker("of_processes")
    if mark is not None and IN_CONTAINERS:
        item.add_marker(pytest.mark.skip(reason=mark.args[0]))


@pytest.fixture(scope="session")
def _emulator() -> Iterator[EmulatorThread]:
    with running(port=PORT, hold_seconds=20) as emulator:
        yield emulator
