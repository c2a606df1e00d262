"""Keeps unit tests pure: without processes, sockets and sleeps, and with a cache folder of their own."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hypothesis import settings

from resource_api import ResourceApi
from unit.acts import ACTS, WAY_OUT
from unit.turned_loop import TurnedLoop

# How long an example takes says more of the machine than of the code.
settings.register_profile("project", deadline=None)
settings.load_profile("project")


@pytest.fixture(scope="package", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hide the model environments that this machine has."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def api() -> ResourceApi:
    """Make fresh handlers of every kind of resource."""
    return ResourceApi()


def pytest_asyncio_loop_factories() -> dict[str, type[TurnedLoop]]:
    """Run asynchronous tests in a loop that does not wait for time to pass."""
    return {"turned": TurnedLoop}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Begin before the fixtures of the test, also those that it shares."""
    ACTS.begin()


@pytest.fixture(autouse=True)
def _pure(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail a test that starts a process, opens a socket or sleeps."""
    if request.path.name != "test_sdk_clock.py":  # that clock looks whether a test has replaced `time.sleep`
        monkeypatch.setattr(time, "sleep", ACTS.sleep)
    yield
    if noted := ACTS.take():
        pytest.fail(f"This test {'; it '.join(dict.fromkeys(noted))}.\n{WAY_OUT}", pytrace=False)
