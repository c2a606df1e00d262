"""Tells replicas what their models print in the emulator's own process; it stays on the terminal, too.

A thread of a replica says to whom its words belong (``hear``); what a thread prints that a model itself started
belongs to nobody, and is only on the terminal. Stdout is taken over where the emulator is a command of its own
(``up``), not in a process that embeds it: what a test prints is captured by its runner already.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Generator
from typing import Any

Tell = Callable[[str], None]


class _Hearing(threading.local):
    """Of one thread: who is told, and the line that is not complete."""

    tell: Tell | None = None
    rest = ""


_hearing = _Hearing()


def hear(tell: Tell | None) -> None:
    """From now on ``tell`` gets the lines that this thread prints; None ends that."""
    flush()
    _hearing.tell = tell


@contextlib.contextmanager
def unheard() -> Generator[None]:
    """In this block, what the thread prints is for the terminal alone: a debugger asks there."""
    before = _hearing.tell
    hear(None)
    try:
        yield
    finally:
        _hearing.tell = before


def flush() -> None:
    """Tell what this thread printed without an end of line."""
    rest, _hearing.rest = _hearing.rest, ""
    if rest and _hearing.tell is not None:
        _hearing.tell(rest)


def is_heard() -> bool:
    """Tell whether stdout of this process was taken over."""
    return isinstance(sys.stdout, _Heard)


def take_over() -> None:
    """Hear what this process prints from now on."""
    if not is_heard():
        sys.stdout, sys.stderr = _Heard(sys.stdout), _Heard(sys.stderr)


class _Heard:
    """A stream that passes everything on."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, and tell each line that is complete."""
        written = self._stream.write(text)
        if _hearing.tell is not None:
            *lines, _hearing.rest = (_hearing.rest + text).split("\n")
            for line in lines:
                _hearing.tell(line)
        return written

    def writelines(self, lines: Any) -> None:
        """Write each."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
