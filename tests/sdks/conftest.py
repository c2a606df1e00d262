"""Says which versions of the SDK are tried: a few, or with CLARIFAI_TEST_SDKS=all every one that is listed."""

from __future__ import annotations

import os

import pytest

ALL = os.environ.get("CLARIFAI_TEST_SDKS") == "all"
LEFT_OUT: list[str] = []


def versions(*short: str, more: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the versions to try. ``more``: those that only a full run tries."""
    if not ALL:
        LEFT_OUT.extend(more)
    return (*short, *more) if ALL else short


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give them time: they install packages."""
    for item in items:
        if "tests/sdks/" in item.path.as_posix():
            item.add_marker(pytest.mark.timeout(600))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if LEFT_OUT:
        rest = ", ".join(dict.fromkeys(LEFT_OUT))
        terminalreporter.write_line(f"Left out of the SDK's versions: {rest}; CLARIFAI_TEST_SDKS=all tries them.")
