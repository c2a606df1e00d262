"""Reads what a replica prints, line by line, without a thread.

A replica that prints faster than others should wait for is read a little at a time: its pipe fills, and it waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import Callable

from clarifai_emulator.backends.poller import Rounds

_CHUNK = 16 * 1024
_LONGEST_LINE = 16 * 1024
_EVERY_SECONDS = 0.03
# So many lines are told in one turn of the event loop; where more is there, the next ones after a pause in which
# requests have theirs.
LINES_AT_ONCE = 100
PAUSE_SECONDS = 0.004
# Long lines cost little: so much is read in one turn where it is no more lines than that.
_BYTES_AT_ONCE = 256 * 1024
# What is read when it has ended: more than a pipe holds, and not for ever where something that it started goes on.
_MOST_AT_THE_END = 1024 * 1024
_LINES_AT_THE_END = 25_000


class OutputPipe:
    """The read end of a replica's stdout and stderr. ``write_fd`` is for the replica. ``read_fd``: the replica has
    the other end already."""

    def __init__(self, on_line: Callable[[str], None], read_fd: int = -1) -> None:
        self._on_line = on_line
        self._lines: deque[bytes] = deque()  # read, and not told yet
        self._rest = b""
        self._loop = asyncio.get_running_loop()
        self._read_fd, self.write_fd = os.pipe() if read_fd < 0 else (read_fd, -1)
        os.set_blocking(self._read_fd, False)
        # A replica prints a line per request.
        self._rounds = Rounds(self._look, self._listen, every=_EVERY_SECONDS)
        self._listen()

    def give_away(self) -> None:
        """The replica has its own copy of the write end."""
        if self.write_fd >= 0:
            os.close(self.write_fd)
            self.write_fd = -1

    def close(self) -> None:
        """The replica has ended: read what is left, then let go, even if something it started still writes."""
        self.give_away()
        size = 0
        while self._read_fd >= 0 and size < _MOST_AT_THE_END and (count := self._read()):
            size += count
        self._end()

    def _listen(self) -> None:
        self._loop.add_reader(self._read_fd, self._wait)

    def _wait(self) -> None:
        """Something was printed: let more of it come."""
        self._loop.remove_reader(self._read_fd)
        self._rounds.begin()

    def _look(self) -> bool:
        """Tell some of what is there, and return whether there was something."""
        size = 0
        while len(self._lines) < LINES_AT_ONCE and size < _BYTES_AT_ONCE and (count := self._read()):
            size += count
        found = bool(self._lines) or size > 0
        for _ in range(min(LINES_AT_ONCE, len(self._lines))):
            self._on_line(self._lines.popleft().decode("utf-8", "replace"))
        if self._read_fd >= 0 and (self._lines or size >= _BYTES_AT_ONCE):
            self._rounds.again_in(PAUSE_SECONDS)
        return found

    def _read(self) -> int:
        """Read what is there, up to a chunk, and return how many bytes; at the end, tell all of it."""
        with contextlib.suppress(BlockingIOError):
            data = os.read(self._read_fd, _CHUNK)
            if not data:
                self._end()
            else:
                self._split(data)
            return len(data)
        return 0

    def _split(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._lines.extend(lines)
        if len(self._rest) > _LONGEST_LINE:
            self._lines.append(self._rest)
            self._rest = b""

    def _end(self) -> None:
        if self._read_fd < 0:
            return
        self._rounds.stop()
        self._loop.remove_reader(self._read_fd)
        os.close(self._read_fd)
        self._read_fd = -1
        if self._rest:
            self._lines.append(self._rest)
        if (excess := len(self._lines) - _LINES_AT_THE_END) > 0:
            self._on_line(f"[emulator] {excess} lines are left out here: the replica ended while it printed")
        for line in tuple(self._lines)[-_LINES_AT_THE_END:]:
            self._on_line(line.decode("utf-8", "replace"))
        self._lines.clear()
