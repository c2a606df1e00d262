"""Writes lines to stdout from a thread, so that nobody who reads slowly, or not at all, holds up the emulator."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections import deque
from collections.abc import Generator

import click

from clarifai_emulator.background_work import begin_thread, nobody_waits

_LINES_AHEAD = 5_000


class LineWriter:
    """Writes lines from a thread, which wakes for each ``write``: give it many lines at once where many come. Lines
    that cannot be written in time are dropped, and counted. Colours are for terminals only.

    The thread writes to the file descriptor itself: a daemon thread that holds the lock of ``sys.stdout`` while the
    interpreter ends would crash it.
    """

    def __init__(self, *, colour: bool | None = None) -> None:
        self._fd = sys.stdout.fileno()
        wanted = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        self._colour = wanted if colour is None else colour
        self._lines: deque[str] = deque()
        self._dropped = 0
        self._some = threading.Event()
        self._closing = threading.Event()
        self._free = threading.Event()
        self._free.set()
        self._thread = begin_thread(self._run, "line writer", nobody_waits)

    def write(self, *texts: str) -> None:
        """Take texts of one or more lines each. Never waits, never raises."""
        for text in texts:
            if len(self._lines) >= _LINES_AHEAD:
                self._dropped += 1
            else:
                self._lines.append(text if self._colour else click.unstyle(text))
        if not self._some.is_set():
            self._some.set()

    @contextlib.contextmanager
    def held(self) -> Generator[None]:
        """Write nothing for a block: somebody else has the terminal."""
        self._free.clear()
        try:
            yield
        finally:
            self._free.set()

    def close(self, *, seconds: float = 1.0) -> None:
        """Write what is left, for at most this long."""
        self._closing.set()
        self._free.set()
        self._some.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        try:
            while not self._closing.is_set():
                self._some.wait()
                self._some.clear()
                self._free.wait()
                self._put(self._taken())
            self._put(self._taken())
        except OSError:
            return  # nobody reads any more

    def _taken(self) -> bytes:
        """Take all lines that wait."""
        lines = [self._lines.popleft() for _ in range(len(self._lines))]
        dropped, self._dropped = self._dropped, 0
        if dropped:
            lines.insert(0, f"({dropped} lines were dropped: nobody read them)")
        return "".join(f"{line}\n" for line in lines).encode()

    def _put(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._fd, data) :]
