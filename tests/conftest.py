"""Prepares a container engine before the first test that needs one, and stops it after the last."""

from __future__ import annotations

import os
import signal

import pytest

# Imported before any test module changes HOME: the cache of the engine is below the real one.
import docker_engine

ENGINE = pytest.StashKey[docker_engine.TestEngine]()
REASON = pytest.StashKey[str]()


def pytest_configure() -> None:
    """What a shell starts in the background ignores Ctrl-C, and so would all that tests start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


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
