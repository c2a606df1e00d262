"""Reads what a replica prints, line by line, without a thread."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable

_CHUNK = 64 * 1024
_LONGEST_LINE = 16 * 1024
# A replica prints a line per request: they are read together, so that reading does not take a request's time.
_EVERY_SECONDS = 0.005


class OutputPipe:
    """The read end of a replica's stdout and stderr. ``write_fd`` is for the replica."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._rest = b""
        self._loop = asyncio.get_running_loop()
        self._read_fd, self.write_fd = os.pipe()
        os.set_blocking(self._read_fd, False)
        self._pause: asyncio.TimerHandle | None = None
        self._listen()

    def give_away(self) -> None:
        """The replica has its own copy of the write end."""
        if self.write_fd >= 0:
            os.close(self.write_fd)
            self.write_fd = -1

    def close(self) -> None:
        """The replica has ended: read what is left, then let go, even if something it started still writes."""
        self.give_away()
        self._read()
        self._end()

    def _listen(self) -> None:
        self._loop.add_reader(self._read_fd, self._wait)

    def _wait(self) -> None:
        """Something was printed: let more of it come."""
        self._loop.remove_reader(self._read_fd)
        self._pause = self._loop.call_later(_EVERY_SECONDS, self._read_on)

    def _read_on(self) -> None:
        self._read()
        if self._read_fd >= 0:
            self._listen()

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._read_fd >= 0:
                data = os.read(self._read_fd, _CHUNK)
                if not data:
                    self._end()
                    return
                self._split(data)
                if len(data) < _CHUNK:
                    return

    def _split(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._on_line(line.decode("utf-8", "replace"))
        if len(self._rest) > _LONGEST_LINE:
            self._flush()

    def _flush(self) -> None:
        if self._rest:
            self._on_line(self._rest.decode("utf-8", "replace"))
            self._rest = b""

    def _end(self) -> None:
        if self._read_fd < 0:
            return
        self._flush()
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._read_fd)
        os.close(self._read_fd)
        self._read_fd = -1
