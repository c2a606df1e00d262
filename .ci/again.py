"""Runs tests, and those of them that failed once more, alone: .ci/again.py STAGE PYTHON -m pytest …

Thousands of tests that start processes share a few cores: one that waits too long for one of them fails, and would
pass alone. As CPython's own test runner does, a few failures are looked at a second time, by themselves; what fails
then has failed. What passes then is listed in AGAIN, which `.ci/run` prints at its end: it is a defect still, of
the test or of what it tests. A session that broke, was interrupted or left something unclosed has failed at once.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType
from xml.etree import ElementTree

FOLDER = Path(".pytest_cache/ci")
AGAIN = FOLDER / "again.txt"
# More failures are no accident.
MOST = 3
_TESTS_FAILED = 1
_NOT_ALL_RAN = 5
_INTERRUPTED = 130
# An exception behind the last test (a socket that nobody closed) would have the exit code of a test that failed.
_SESSION = """
import os, sys
sys.path[0] = os.getcwd()  # as with -m: tests go to other folders
import pytest
try:
    code = pytest.main()
except Exception:
    sys.excepthook(*sys.exc_info())
    code = pytest.ExitCode.INTERNAL_ERROR
sys.exit(code)
"""


def main() -> int:
    """Run the command of a stage. Return its exit code, 0 where all that failed has passed the second time."""
    stage, python, _, _, *options = sys.argv[1:]
    cache = FOLDER / stage
    shutil.rmtree(cache, ignore_errors=True)
    command = [python, "-c", _SESSION, *options, "-o", f"cache_dir={cache.absolute()}"]
    signals = _signals_noted()
    code = _run(command, signals)
    failed = _failed(cache)
    is_accident = 0 < len(failed) <= MOST and all("::" in each for each in failed)
    if signals:
        return _INTERRUPTED
    if code != _TESTS_FAILED or not is_accident:
        return code
    print("== once more, alone:", *failed, sep="\n   ", flush=True)
    results = cache.absolute() / "alone.xml"
    alone = ["--numprocesses=0", "--last-failed", "--last-failed-no-failures=none", f"--junitxml={results}"]
    code = _run([*command, *alone], signals)
    if signals:
        return _INTERRUPTED
    if code == 0 and _passed(results) != len(failed):
        print(f"== not each of the {len(failed)} passed when it was run again: see what was skipped, or not found")
        return _NOT_ALL_RAN
    if code == 0:
        print("== PASSED ONLY WHEN RUN AGAIN, a defect to be mended:", *failed, sep="\n   ", flush=True)
        with AGAIN.open("a") as again:
            again.writelines(f"{stage}: {each}\n" for each in failed)
    return code


def _signals_noted() -> list[int]:
    """Return the list that Ctrl-C and SIGTERM are put into, instead of ending this process before its tests."""
    noted: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        noted.append(number)

    signal.signal(signal.SIGINT, note)
    signal.signal(signal.SIGTERM, note)
    return noted


def _run(command: list[str], signals: list[int]) -> int:
    """Wait for the command, however long it takes to clean up after a signal: a Ctrl-C reaches it by itself."""
    # A test that calls make is not to hear of the make that it runs under.
    environment = {name: value for name, value in os.environ.items() if name != "MAKEFLAGS"}
    process = subprocess.Popen(command, env=environment)
    while True:
        try:
            return process.wait(timeout=0.2)
        except subprocess.TimeoutExpired:
            if signal.SIGTERM in signals:
                signals[:] = [signal.SIGINT]
                process.terminate()


def _failed(cache: Path) -> list[str]:
    """Return what pytest has noted as failed: tests, and files that could not be read."""
    try:
        return list(json.loads((cache / "v/cache/lastfailed").read_text()))
    except FileNotFoundError:
        return []


def _passed(results: Path) -> int:
    """Return how many tests passed: one that is skipped, or whose name is another now, has not."""
    cases = ElementTree.parse(results).iter("testcase")  # noqa: S314 - pytest has just written it
    return sum(not any(child.tag in ("skipped", "failure", "error") for child in case) for case in cases)


if __name__ == "__main__":
    sys.exit(main())
