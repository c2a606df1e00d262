"""Takes in the reports of all tests for the file of ``--clarifai-html``.

    a test's own code is through ─► TestGathering ─► property of its report ─► (xdist) ─► HtmlReport ─► RunFile

What belongs to a test is taken before its account is emptied, and leaves the memory of whoever reports at once. A
worker that crashes takes with it what is known of the test that it was in.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from clarifai_emulator.control.page.page_file import NOT_BUILT, read_built
from clarifai_emulator.errors import EmulatorError
from pytest_clarifai_emulator.method_coverage import FINDING
from pytest_clarifai_emulator.run_file import RunFile, counted
from pytest_clarifai_emulator.session import ENVIRONMENT, SERVING

RECORD = "clarifai_html"  # JSON, as ``control/page/record_of_test.py`` gives it
_MOST_FINDINGS = 20
_MOST_OF_MESSAGE = 1_000


class TestGathering:
    """Adds to the report of each test what the emulator knows of it, in the process that runs the test."""

    __test__ = False

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._last_line = 0

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, Any, Any]:
        report = yield
        is_through = report.when == "call" or (report.when == "setup" and not report.passed)
        serving = self._config.stash.get(SERVING, None)
        if is_through and serving is not None and self._config.stash[ENVIRONMENT].active:
            with contextlib.suppress(RuntimeError, EmulatorError):  # it has stopped: the test is there by name
                record = serving.record_of_test(self._last_line)
                self._last_line = int(json.loads(record)["last_line"])
                report.user_properties.append((RECORD, record))
        return report


class HtmlReport:
    """Writes the file, in the process that reports (with xdist, the controller)."""

    def __init__(self, config: pytest.Config, path: Path) -> None:
        _require_writable(path)
        self._path = path
        self._file = RunFile(config.rootpath.name)
        config.add_cleanup(self._file.close)
        self._told = ""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        test = self._file.test(report.nodeid)
        test.took += report.duration
        node = getattr(report, "node", None)
        test.worker = node.gateway.id if node is not None else ""
        test.outcome = _outcome_of(report, test.outcome)
        if report.when == "call":
            found = [str(value) for name, value in report.user_properties if name == FINDING]
            test.findings = found[:_MOST_FINDINGS]
        test.message = test.message or _message_of(report)
        for text in _said(report):
            self._file.say(test, text)
        # Whoever keeps the report to the end keeps the rest of it.
        for each in [each for each in report.user_properties if each[0] == RECORD]:
            report.user_properties.remove(each)
            self._file.keep(test, str(each[1]))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        try:
            self._file.write(self._path)
        except OSError as error:
            self._told = f"--clarifai-html: {self._path} cannot be written: {error.strerror or error}."
            if session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.INTERNAL_ERROR
        else:
            self._told = f"--clarifai-html: wrote {self._path} with {counted(self._file.count, 'test')}."

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.line(self._told)


def _require_writable(path: Path) -> None:
    """Make the folder of a file. Raises ``pytest.UsageError`` where the file could not be written at the end, or
    the page was not built."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not path.exists()
        path.open("ab").close()
        if is_new:
            path.unlink()
    except OSError as error:
        raise pytest.UsageError(f"--clarifai-html: {path} cannot be written: {error.strerror or error}.") from None
    try:
        read_built("app.js")
    except OSError:
        raise pytest.UsageError(f"--clarifai-html: {NOT_BUILT}") from None


def _outcome_of(report: Any, before: str) -> str:
    """Return the outcome of a test after one more of its reports."""
    if report.failed:
        is_error = report.when in ("setup", "teardown") and before != "failed"
        return "error" if is_error else "failed"
    if report.outcome == "rerun":
        return before
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "xpassed"
    if report.skipped:
        return "skipped"
    return "passed" if report.when == "call" else before


def _message_of(report: pytest.TestReport) -> str:
    """Return the message of the error for which a test failed; empty where there is none."""
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message)[:_MOST_OF_MESSAGE] if crash is not None and report.failed else ""


def _said(report: pytest.TestReport) -> Iterator[str]:
    """Give the texts in which a report says more than its outcome."""
    why = getattr(report, "wasxfail", "")
    if why:
        yield str(why)
    if report.passed:
        return
    place: Any = report.longrepr
    text = place[2] if report.skipped and isinstance(place, tuple) else report.longreprtext
    if text and not why:
        yield str(text)
    yield from (f"{name}\n{text}" for name, text in report.sections if name.startswith("clarifai"))
