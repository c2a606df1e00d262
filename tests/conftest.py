"""Prepares a container engine before the first test that needs one, and stops it after the last."""

from __future__ import annotations

import os
import signal
from types import FrameType

import pytest

# Imported before any test module changes HOME: the cache of the engine is below the real one.
import docker_engine

ENGINE = pytest.StashKey[docker_engine.TestEngine]()
REASON = pytest.StashKey[str]()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Ctrl-C and SIGTERM end the session in good order: also where a shell started it in the background, for which
    Ctrl-C is ignored, and where a test swallows the exception."""

    def end(number: int, frame: FrameType | None) -> None:
        session.shouldstop = signal.Signals(number).name
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Here and not in a fixture: it can take longer than a test may."""
    on_docker = os.environ.get("CLARIFAI_TEST_RUNNER") == "docker"
    wanted = on_docker or any("tests/docker/" in item.path.as_posix() for item in session.items)
    if not wanted or session.config.option.collectonly:
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")

    def say(line: str) -> None:
        if reporter is not None:
            reporter.write_line(line)

    try:
        session.config.stash[ENGINE] = docker_engine.prepare(say)
    except docker_engine.Unavailable as error:
        if on_docker or os.environ.get("CLARIFAI_TEST_DOCKER") == "required":
            pytest.exit(f"The container tests cannot run: {error}", returncode=1)
        session.config.stash[REASON] = str(error)


@pytest.hookimpl(trylast=True)  # after the emulators that an interrupted session still had
def pytest_sessionfinish(session: pytest.Session) -> None:
    engine = session.config.stash.get(ENGINE, None)
    if engine is not None:
        engine.stop()


@pytest.fixture(scope="session")
def engine(pytestconfig: pytest.Config) -> docker_engine.TestEngine:
    """The engine of this session; the test is skipped, with the reason, where there is none."""
    found = pytestconfig.stash.get(ENGINE, None)
    if found is None:
        pytest.skip(pytestconfig.stash.get(REASON, "no container engine was prepared"))
    return found
