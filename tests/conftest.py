"""Prepares a container engine before the first test that needs one, and stops it after the last; `--quick` leaves
out what `make test` does not run, and says so at the end.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from types import FrameType
from typing import Any

import pytest

# Imported before any test module changes HOME: the cache of the engine is below the real one.
import docker_engine
import trap_hooks

ENGINE = pytest.StashKey[docker_engine.TestEngine]()
REASON = pytest.StashKey[str]()
LEFT_OUT = pytest.StashKey[Counter[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--quick", action="store_true", help="leave out container tests, clients, and tests marked slow"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LEFT_OUT] = Counter()
    config.pluginmanager.register(trap_hooks, "trap for the real platform's names")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With ``--quick``, deselect the tests that need a container engine or a package index, and those that are
    marked slow."""
    if not config.option.quick:
        return
    left_out = {item: kind for item in items if (kind := _kind_left_out(item))}
    config.stash[LEFT_OUT].update(left_out.values())
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=list(left_out))


def _kind_left_out(item: pytest.Item) -> str | None:
    if "tests/docker/" in item.path.as_posix():
        return "tests in containers"
    if any(f"tests/{folder}/" in item.path.as_posix() for folder in ("clients", "sdks")):
        return "clients from package indexes"
    return "slow tests" if item.get_closest_marker("slow") else None


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Learn from a worker of xdist what it left out: each of them collects the same tests."""
    node.config.stash[LEFT_OUT] |= Counter(getattr(node, "workeroutput", {}).get("left_out", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what ``--quick`` left out, and how to have it."""
    left_out = config.stash[LEFT_OUT]
    if left_out:
        counts = ", ".join(f"{count} {kind}" for kind, count in sorted(left_out.items()))
        terminalreporter.write_line(
            f"Left out: {counts}, the flow tests with the genuine runner, in process and in containers, and other "
            "versions of Python. `make test-all` runs everything; it installs a container engine where it may."
        )


def pytest_sessionstart(session: pytest.Session) -> None:
    """End the session in good order at Ctrl-C and SIGTERM: also if a shell started it in the background, for which
    Ctrl-C is ignored, and if a test swallows the exception."""

    def end(number: int, frame: FrameType | None) -> None:
        session.shouldstop = signal.Signals(number).name
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Prepare the engine here and not in a fixture: it can take longer than a test may."""
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
    if output := getattr(session.config, "workeroutput", None):
        output["left_out"] = dict(session.config.stash[LEFT_OUT])
    engine = session.config.stash.get(ENGINE, None)
    if engine is not None:
        engine.stop()


@pytest.fixture(scope="session")
def engine(pytestconfig: pytest.Config) -> docker_engine.TestEngine:
    """Return the engine of this session; skip the test, with the reason, if there is none."""
    found = pytestconfig.stash.get(ENGINE, None)
    if found is None:
        pytest.skip(pytestconfig.stash.get(REASON, "no container engine was prepared"))
    return found
