"""Prepares a container engine before the first test that needs one, and stops it after the last; sets a trap for
look-ups of the real platform's names, which fail the test that they happen in."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from types import FrameType

import pytest

# Imported before any test module changes HOME: the cache of the engine is below the real one.
import docker_engine
import platform_trap

ENGINE = pytest.StashKey[docker_engine.TestEngine]()
REASON = pytest.StashKey[str]()
NO_TRAP = pytest.StashKey[str]()
LATE = pytest.StashKey[list[str]]()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Ctrl-C and SIGTERM end the session in good order: also where a shell started it in the background, for which
    Ctrl-C is ignored, and where a test swallows the exception."""

    def end(number: int, frame: FrameType | None) -> None:
        session.shouldstop = signal.Signals(number).name
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)
    if session.config.option.collectonly:
        return
    try:
        platform_trap.begin()
    except platform_trap.Unavailable as error:
        if os.environ.get("CLARIFAI_TEST_TRAP") == "required":
            pytest.exit(f"Look-ups of the real platform's names cannot be noticed here: {error}", returncode=1)
        session.config.stash[NO_TRAP] = str(error)


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reason = terminalreporter.config.stash.get(NO_TRAP, None)
    if reason is not None:
        terminalreporter.section("NOT TESTED: that nothing asks the real platform", red=True)
        terminalreporter.line(f"Look-ups of names of clarifai.com go unnoticed in this run: {reason}.")
    late = terminalreporter.config.stash.get(LATE, [])
    if late:
        terminalreporter.section("FAILED: after the last test, names of the real platform were looked up", red=True)
        terminalreporter.line("\n".join(late))


@pytest.fixture(autouse=True)
def nothing_asks_the_real_platform() -> Iterator[None]:
    """Fail the test during which a name of the real platform was looked up, by whatever the test started."""
    yield
    trap = platform_trap.current()
    seen = dict.fromkeys(map(str, trap.taken())) if trap is not None else {}
    if seen:
        pytest.fail("Names of the real platform were looked up:\n  " + "\n  ".join(seen), pytrace=False)


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
    _end_trap(session)


def _end_trap(session: pytest.Session) -> None:
    """What was looked up after the last test fails the session."""
    trap = platform_trap.current()
    late = dict.fromkeys(map(str, trap.taken())) if trap is not None else {}
    platform_trap.end()
    if late:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        session.config.stash[LATE] = list(late)


@pytest.fixture(scope="session")
def engine(pytestconfig: pytest.Config) -> docker_engine.TestEngine:
    """The engine of this session; the test is skipped, with the reason, where there is none."""
    found = pytestconfig.stash.get(ENGINE, None)
    if found is None:
        pytest.skip(pytestconfig.stash.get(REASON, "no container engine was prepared"))
    return found
