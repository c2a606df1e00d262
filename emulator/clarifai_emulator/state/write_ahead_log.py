"""Reads the write-ahead log of a state file, of which SQLite itself passes over everything behind a damaged place.

The log holds pages that are not in the file yet, each in a frame with the mark (salt) of this log and a checksum
that goes on from the frame before. SQLite stops at the first checksum that differs: that is right for what a crash
cut off, and loses in silence what was committed behind a byte that has changed.

    header (magic, page size, salt, checksum) │ frame (page, is it a commit, salt, checksum; the page) │ frame …
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_HEADER = struct.Struct(">8I")
_FRAME = struct.Struct(">6I")
_MAGIC = 0x377F0682  # or one more: the checksums are big-endian then
_SIZES = {512 << step for step in range(8)}
_USUAL_SIZE = 4096
_MASK = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class WalFrame:
    """Holds one frame. ``commits``: the pages that the file has when the frame ends a transaction, else 0.
    ``is_whole``: its checksum goes on from the frame before it."""

    page: int
    commits: int
    content: bytes
    is_whole: bool


@dataclass(frozen=True, slots=True)
class WriteAheadLog:
    """Holds the frames of a log up to its last commit. ``damaged``: how many of them are not as they were written,
    or are missing between others."""

    page_size: int = _USUAL_SIZE
    frames: tuple[WalFrame, ...] = ()
    damaged: int = 0


def read_write_ahead_log(path: Path) -> WriteAheadLog:
    """Read the log of a state file; an empty one where there is none. Raises ``OSError``."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return WriteAheadLog()
    return parse(data)


def parse(data: bytes) -> WriteAheadLog:
    """Find the frames that were committed, damaged ones included."""
    if len(data) < _HEADER.size + _FRAME.size:
        return WriteAheadLog()
    log = _Parts(data)
    frames = list(log.frames())
    last = max((number for number, frame in enumerate(frames) if frame is not None and frame.commits), default=-1)
    committed = frames[: last + 1]
    missing = sum(frame is None for frame in committed) + (bool(committed) and not log.has_whole_header)
    found = tuple(frame for frame in committed if frame is not None)
    return WriteAheadLog(log.page_size, found, missing + sum(not frame.is_whole for frame in found))


@dataclass(slots=True)
class _Parts:
    """The bytes of a log, with what its header says of them, or what can be said without it."""

    data: bytes
    page_size: int = field(init=False)
    has_whole_header: bool = field(init=False)
    is_swapped: bool = field(init=False)
    salts: tuple[int, int] = field(init=False)
    before: tuple[int, int] = field(init=False)

    def __post_init__(self) -> None:
        magic, _, size, _, *rest = _HEADER.unpack_from(self.data)
        is_big = magic == _MAGIC + 1
        self.is_swapped = is_big != (sys.byteorder == "big")
        self.before = (rest[2], rest[3])
        sums = _checksum(self.data[: _HEADER.size - 8], (0, 0), is_swapped=self.is_swapped)
        self.has_whole_header = magic in (_MAGIC, _MAGIC + 1) and sums == self.before
        self.page_size = size if self.has_whole_header or size in _SIZES else _USUAL_SIZE
        self.salts = (rest[0], rest[1])
        if not self.has_whole_header:  # the first frame has the salt, too
            self.is_swapped = sys.byteorder == "big"
            self.salts = _FRAME.unpack_from(self.data, _HEADER.size)[2:4]

    def frames(self) -> Iterator[WalFrame | None]:
        """Give each place for a frame; None where there is none of this log."""
        before: tuple[int, int] | None = self.before if self.has_whole_header else None
        step = _FRAME.size + self.page_size
        for start in range(_HEADER.size, len(self.data) - step + 1, step):
            page, commits, salt, other_salt, *sums = _FRAME.unpack_from(self.data, start)
            if (salt, other_salt) != self.salts:
                yield None
                before = None
                continue
            content = self.data[start + _FRAME.size : start + step]
            now = (sums[0], sums[1])
            # Behind a gap there is nothing to go on from; the gap itself counts as damage.
            is_whole = before is None or self._goes_on(before, start, content) == now
            yield WalFrame(page, commits, content, is_whole)
            before = now

    def _goes_on(self, before: tuple[int, int], start: int, content: bytes) -> tuple[int, int]:
        summed = _checksum(self.data[start : start + 8], before, is_swapped=self.is_swapped)
        return _checksum(content, summed, is_swapped=self.is_swapped)


def _checksum(data: bytes, sums: tuple[int, int], *, is_swapped: bool) -> tuple[int, int]:
    words = array("I", data)
    if is_swapped:
        words.byteswap()
    first, second = sums
    pairs = iter(words)
    for even, odd in zip(pairs, pairs, strict=True):
        first = (first + even + second) & _MASK
        second = (second + odd + first) & _MASK
    return first, second
