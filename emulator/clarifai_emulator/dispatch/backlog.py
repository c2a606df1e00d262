"""Keeps outputs that a client has not taken yet: the next one and some MiB in memory, the rest in an unnamed
file."""

from __future__ import annotations

import tempfile
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple

from clarifai_emulator.messages.outline import Bytes, outline

_IN_MEMORY = 8 * 1024 * 1024


class Output(NamedTuple):
    """A response of so many bytes, and those bytes where the response is an outline of them."""

    response: Any
    size: int
    came: Bytes = b""


@dataclass(frozen=True, slots=True)
class _Stored:
    """A response in the file."""

    kind: Any
    offset: int
    size: int
    is_outline: bool


class Backlog:
    """A queue of protobuf responses. ``bytes`` is the size of all that wait."""

    __slots__ = ("_entries", "_file", "_in_memory", "_stored", "bytes")

    def __init__(self) -> None:
        self.bytes = 0
        self._entries: deque[tuple[_Stored | Output, int]] = deque()
        self._in_memory = 0
        self._stored = 0
        self._file: BinaryIO | None = None

    def __len__(self) -> int:
        return len(self._entries)

    def append(self, response: Any, size: int, came: Bytes = b"") -> None:
        """Keep one more; ``size`` in bytes, 0 for one that is to stay in memory. ``came``: those bytes, where the
        response is an outline of them."""
        self.bytes += size
        if size and self._entries and self._in_memory + size > _IN_MEMORY:
            with suppress(OSError):  # a full disk: memory it is
                self._entries.append((self._store(response, came), size))
                return
        self._in_memory += size
        self._entries.append((Output(response, size, came), size))

    def popleft(self) -> Output:
        """Take the oldest."""
        entry, size = self._entries.popleft()
        self.bytes -= size
        if not isinstance(entry, _Stored):
            self._in_memory -= size
            return entry
        assert self._file is not None
        self._file.seek(entry.offset)
        data = self._file.read(entry.size)
        self._stored -= 1
        if not self._stored:
            self._close()
        read = outline(entry.kind, data) if entry.is_outline else None
        return Output(entry.kind.FromString(data), size) if read is None else Output(read, size, data)

    def clear(self) -> None:
        """Drop everything."""
        self._entries.clear()
        self.bytes = self._in_memory = self._stored = 0
        self._close()

    def _store(self, response: Any, came: Bytes) -> _Stored:
        if self._file is None:
            self._file = tempfile.TemporaryFile(buffering=0, prefix="clarifai-emulator-")  # noqa: SIM115 - see _close
        offset = self._file.seek(0, 2)
        data = came or response.SerializeToString()
        if self._file.write(data) != len(data):
            raise OSError("the disk is full")
        self._stored += 1
        return _Stored(type(response), offset, len(data), bool(came))

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
