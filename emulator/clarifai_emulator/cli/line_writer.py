"""Writes lines to stdout from a thread, so that nobody who reads slowly, or not at all, holds up the emulator."""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading

import click

_LINES_AHEAD = 5_000


class LineWriter:
    """Lines that cannot be written in time are dropped, and counted. Colours are for terminals only.

    Writes to the file descriptor itself: a daemon thread that holds the lock of ``sys.stdout`` while the
    interpreter ends would crash it.
    """

    def __init__(self, *, colour: bool | None = None) -> None:
        self._fd = sys.stdout.fileno()
        wanted = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        self._colour = wanted if colour is None else colour
        self._lines: queue.Queue[str | None] = queue.Queue(_LINES_AHEAD)
        self._dropped = 0
        self._thread = threading.Thread(target=self._run, name="line writer", daemon=True)
        self._thread.start()

    def write(self, text: str) -> None:
        """Take one or more lines. Never waits, never raises."""
        try:
            self._lines.put_nowait(text if self._colour else click.unstyle(text))
        except queue.Full:
            self._dropped += 1

    def close(self, *, seconds: float = 1.0) -> None:
        """Write what is left, for at most this long."""
        with contextlib.suppress(queue.Full):
            self._lines.put(None, timeout=seconds)
        self._thread.join(seconds)

    def _run(self) -> None:
        while (text := self._lines.get()) is not None:
            dropped, self._dropped = self._dropped, 0
            note = f"({dropped} lines were dropped: nobody read them)\n" if dropped else ""
            try:
                self._put(f"{note}{text}\n".encode())
            except OSError:
                return  # nobody reads any more

    def _put(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._fd, data) :]
