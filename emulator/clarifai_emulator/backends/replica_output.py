"""Reads what a replica prints, line by line, without a thread."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable

from clarifai_emulator.backends.poller import Rounds

_CHUNK = 64 * 1024
_LONGEST_LINE = 16 * 1024
_EVERY_SECONDS = 0.03


class OutputPipe:
    """The read end of a replica's stdout and stderr. ``write_fd`` is for the replica. ``read_fd``: the replica has
    the other end already."""

    def __init__(self, on_line: Callable[[str], None], read_fd: int = -1) -> None:
        self._on_line = on_line
        self._rest = b""
        self._loop = asyncio.get_running_loop()
        self._read_fd, self.write_fd = os.pipe() if read_fd < 0 else (read_fd, -1)
        os.set_blocking(self._read_fd, False)
        # A replica prints a line per request.
        self._rounds = Rounds(self._read, self._listen, every=_EVERY_SECONDS)
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
        self._rounds.begin()

    def _read(self) -> bool:
        """Take what is there; whether there was something."""
        found = False
        with contextlib.suppress(BlockingIOError):
            while self._read_fd >= 0:
                data = os.read(self._read_fd, _CHUNK)
                if not data:
                    self._end()
                    break
                found = True
                self._split(data)
                if len(data) < _CHUNK:
                    break
        return found

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
        self._rounds.stop()
        self._loop.remove_reader(self._read_fd)
        os.close(self._read_fd)
        self._read_fd = -1
