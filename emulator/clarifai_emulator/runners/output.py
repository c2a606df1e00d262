"""Reads what a replica prints, line by line, without a thread."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable

_CHUNK = 64 * 1024
_LONGEST_LINE = 16 * 1024


class OutputPipe:
    """The read end of a replica's stdout and stderr. ``write_fd`` is for the replica."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._rest = b""
        self._loop = asyncio.get_running_loop()
        self._read_fd, self.write_fd = os.pipe()
        os.set_blocking(self._read_fd, False)
        self._loop.add_reader(self._read_fd, self._read)

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
        self._loop.remove_reader(self._read_fd)
        os.close(self._read_fd)
        self._read_fd = -1
