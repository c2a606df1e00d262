"""Reads a large message without the whole of its long values: what routes, checks and describes it is in the rest.

    bytes ─► the same bytes, every text and every run of bytes in them cut to its beginning ─► a message, an outline

A message of 100 MiB is read as one of some KiB. The bytes themselves go on to whoever needs them.
"""

from __future__ import annotations

import codecs
import mmap
from collections.abc import Iterator
from typing import Any

from google.protobuf.message import DecodeError

Bytes = bytes | bytearray | mmap.mmap

# A value of this size is cut, to so many bytes (of a text, so many letters).
_LONG = 16 * 1024
_KEPT = 256
# A message of more fields, or deeper ones, is read as a whole: to step over them here takes as long.
_MOST_FIELDS = 1_000
_MOST_DEPTH = 32
_LOOKED_AT = 256 * 1024
_MESSAGE, _TEXT, _BYTES = 11, 9, 12  # as descriptors say it
_SIZES = {1: 8, 5: 4}


class _Unclear(Exception):
    """Says that the whole message has to be read, be it only to find what is wrong with it."""


def outline(kind: Any, data: Bytes) -> Any | None:
    """Return the message of a class as it would be read from ``data``, but for long values, of which it has the
    beginning. None where the message has to be read as a whole."""
    with memoryview(data) as view:
        try:
            return kind.FromString(b"".join(_Cut(view).pieces(0, len(data), kind.DESCRIPTOR, 0)))
        except (_Unclear, IndexError, UnicodeDecodeError, DecodeError):
            return None


class _Cut:
    """Cuts the long values of one message."""

    def __init__(self, view: memoryview) -> None:
        self._view = view
        self._fields_left = _MOST_FIELDS

    def pieces(self, at: int, end: int, descriptor: Any, depth: int) -> Iterator[bytes | memoryview]:
        """Yield what the message between two places is made of, in order."""
        if depth > _MOST_DEPTH:
            raise _Unclear
        copied = at
        while at < end:
            self._fields_left -= 1
            if not self._fields_left:
                raise _Unclear
            begin = at
            tag, at = self._number(at)
            if tag & 7 != 2:
                at = self._after(tag & 7, at)
                continue
            size, body = self._number(at)
            at = body + size
            if at > end:
                raise _Unclear
            if size >= _LONG and (cut := self._cut(body, at, descriptor, tag >> 3, depth)) is not None:
                yield self._view[copied:begin]
                yield _written(tag) + _written(len(cut)) + cut
                copied = at
        if at != end:
            raise _Unclear
        yield self._view[copied:end]

    def _cut(self, start: int, end: int, descriptor: Any, number: int, depth: int) -> bytes | None:
        """Return what is kept of a long value; None where that is all of it."""
        field = descriptor.fields_by_number.get(number)
        if field is None:
            return None
        if field.type == _MESSAGE:
            return b"".join(self.pieces(start, end, field.message_type, depth + 1))
        if field.type == _BYTES:
            return bytes(self._view[start : start + _KEPT])
        return self._beginning(start, end) if field.type == _TEXT else None

    def _beginning(self, start: int, end: int) -> bytes:
        """Return the beginning of a text. All of it is looked at: who reads the whole refuses what is none."""
        reader = codecs.getincrementaldecoder("utf-8")()
        beginning = ""
        for at in range(start, end, _LOOKED_AT):
            until = min(at + _LOOKED_AT, end)
            text = reader.decode(self._view[at:until], until == end)
            beginning = beginning or text[:_KEPT]
        return beginning.encode()

    def _after(self, wire: int, at: int) -> int:
        """Return where a number ends."""
        if wire == 0:
            return self._number(at)[1]
        if wire not in _SIZES:
            raise _Unclear
        return at + _SIZES[wire]

    def _number(self, at: int) -> tuple[int, int]:
        """Read a number: seven bits a byte, the lowest first. Return where it ends, too."""
        number = shift = 0
        while True:
            byte = self._view[at]
            at += 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number, at
            shift += 7
            if shift > 63:
                raise _Unclear


def _written(number: int) -> bytes:
    written = bytearray()
    while number >= 0x80:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)
