"""Reads what a process shows in a terminal or prints into a pipe, as it comes."""

from __future__ import annotations

import codecs
import os
import select
import time


class Shown:
    """The output at one end of a terminal or pipe. ``rest``: what was read and not waited for yet."""

    def __init__(self, fd: int) -> None:
        self.rest = ""
        self._fd = fd
        # A character may come in two pieces.
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def until(self, text: str, *, seconds: float) -> str:
        """Read until this text comes after what was waited for before; return all up to it."""
        deadline = time.monotonic() + seconds
        while text not in self.rest:
            assert time.monotonic() < deadline, f"{text!r} was not shown: {self.rest}"
            assert self.read_on() or text in self.rest, f"it ended before it showed {text!r}: {self.rest}"
        before, found, self.rest = self.rest.partition(text)
        return before + found

    def read_on(self) -> bool:
        """Read what comes in a moment; return whether more may come."""
        if not select.select([self._fd], [], [], 0.1)[0]:
            return True
        try:
            data = os.read(self._fd, 65536)
        except OSError:  # the end of a terminal
            return False
        self.rest += self._decoder.decode(data)
        return bool(data)

    def close(self) -> None:
        os.close(self._fd)
