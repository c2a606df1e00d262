"""Runs tests, and those of them that failed once more, alone: .ci/again.py STAGE COMMAND OF PYTEST …

Thousands of tests that start processes share a few cores: one that waits too long for one of them fails, and would
pass alone. As CPython's own test runner does, a few failures are looked at a second time, by themselves; what fails
then has failed. What passes then is listed in AGAIN, which `.ci/run` prints at its end: it is a defect still, of
the test or of what it tests.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(".pytest_cache/ci")
AGAIN = FOLDER / "again.txt"
# More failures are no accident.
MOST = 3
_TESTS_FAILED = 1


def main() -> int:
    """Run the command of a stage. Return its exit code, 0 where all that failed has passed the second time."""
    stage, *command = sys.argv[1:]
    cache = FOLDER / stage
    shutil.rmtree(cache, ignore_errors=True)
    command += ["-o", f"cache_dir={cache.absolute()}"]
    code = _run(command)
    failed = _failed(cache)
    is_accident = 0 < len(failed) <= MOST and all("::" in each for each in failed)
    if code != _TESTS_FAILED or not is_accident:
        return code
    print("== once more, alone:", *failed, sep="\n   ", flush=True)
    alone = ["--numprocesses=0", "--last-failed", "--last-failed-no-failures=none"]
    code = _run([*command, *alone])
    if code == 0:
        with AGAIN.open("a") as again:
            again.writelines(f"{stage}: {each}\n" for each in failed)
    return code


def _run(command: list[str]) -> int:
    # A test that calls make is not to hear of the make that it runs under.
    return subprocess.call(command, env={name: value for name, value in os.environ.items() if name != "MAKEFLAGS"})


def _failed(cache: Path) -> list[str]:
    """Return what pytest has noted as failed: tests, and files that could not be read."""
    try:
        return list(json.loads((cache / "v/cache/lastfailed").read_text()))
    except FileNotFoundError:
        return []


if __name__ == "__main__":
    sys.exit(main())
