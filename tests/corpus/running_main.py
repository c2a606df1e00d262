"""Runs programs one after the other in this process, as their users would, and writes what each came to.

running_main.py PROGRAMS.json OUTCOMES.json: a list of texts becomes a list of texts, empty where a program went
through, else the error that ended it.
"""

from __future__ import annotations

import contextlib
import io
import json
import signal
import sys
from pathlib import Path
from types import FrameType

_SECONDS = 60


def outcome(text: str) -> str:
    """Run a program and return the error that it ended with."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        signal.alarm(_SECONDS)
        try:
            exec(compile(text, "program.py", "exec"), {"__name__": "__main__"})
        except BaseException as error:  # SystemExit, too, is how a program ends
            return f"{type(error).__name__}: {error}"
        finally:
            signal.alarm(0)
    return ""


def _too_long(number: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"it ran for {_SECONDS} s")


if __name__ == "__main__":
    signal.signal(signal.SIGALRM, _too_long)
    given, written = map(Path, sys.argv[1:])
    written.write_text(json.dumps([outcome(each) for each in json.loads(given.read_text())]))
