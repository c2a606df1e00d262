"""Hooks of the trap for names of the real platform (``platform_trap``): set per session, read after each test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

import platform_trap

NO_TRAP = pytest.StashKey[str]()
LATE = pytest.StashKey[list[str]]()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Set the trap before the first process is started that is to be trapped."""
    session.config.stash[LATE] = []
    if session.config.option.collectonly:
        return
    try:
        platform_trap.begin()
    except platform_trap.Unavailable as error:
        if os.environ.get("CLARIFAI_TEST_TRAP") == "required":
            pytest.exit(f"Look-ups of the real platform's names cannot be noticed here: {error}", returncode=1)
        session.config.stash[NO_TRAP] = str(error)


@pytest.fixture(autouse=True)
def nothing_asks_the_real_platform() -> Iterator[None]:
    """Fail the test during which a name of the real platform was looked up, by whatever the test started."""
    yield
    seen = _taken()
    if seen:
        pytest.fail("Names of the real platform were looked up:\n  " + "\n  ".join(seen), pytrace=False)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the session for what was looked up after the last test."""
    late = _taken()
    platform_trap.end()
    session.config.stash[LATE] += late
    if session.config.stash[LATE]:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["late_look_ups"] = late


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Count in the controller what a worker of xdist that has ended looked up late."""
    node.config.stash[LATE] += getattr(node, "workeroutput", {}).get("late_look_ups", [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    reason = config.stash.get(NO_TRAP, None)
    if reason is not None:
        terminalreporter.section("NOT TESTED: that nothing asks the real platform", red=True)
        terminalreporter.line(f"Look-ups of names of clarifai.com go unnoticed in this run: {reason}.")
    late = config.stash.get(LATE, [])
    if late:
        terminalreporter.section("FAILED: after the last test, names of the real platform were looked up", red=True)
        terminalreporter.line("\n".join(late))


def _taken() -> list[str]:
    trap = platform_trap.current()
    return list(dict.fromkeys(map(str, trap.taken()))) if trap is not None else []
