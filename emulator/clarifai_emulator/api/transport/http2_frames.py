"""Cuts what comes into the frames of HTTP/2 (RFC 9113), and names their parts and the errors that end a connection.

bytes ─► preface ─► whole frames ─► _take_frame
                 └─► data in the pieces in which it comes ─► _begin_data, _take_data, _end_data
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from enum import IntEnum

# The head of a frame: the length of its payload (in two pieces), its kind, its flags, its stream.
HEAD = struct.Struct(">HBBBI")
NUMBER = struct.Struct(">I")
SETTING = struct.Struct(">HI")

# How much is dealt with in one turn of the event loop: a frame counts one, one that begins a request as many, and
# one more for so many bytes of its fields.
_MOST_IN_A_TURN = 128
_REQUEST = 16
_BYTES_OF_FIELDS = 128

# The largest frame that is taken, once a client knows the settings. Data is passed on as it comes; of other frames,
# which have to be whole, none needs to be as large.
MOST_FRAME = 1024 * 1024
_MOST_CONTROL = 65 * 1024

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
_OF_FIELDS = frozenset((HEADERS, CONTINUATION))
END_STREAM, ACK, END_HEADERS, PADDED, HAS_PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
TABLE_SIZE, ENABLE_PUSH, MAX_STREAMS, INITIAL_WINDOW, MAX_FRAME, MAX_FIELDS = range(1, 7)


class ErrorCode(IntEnum):
    """The codes with which a stream or a connection ends."""

    NO_ERROR = 0x0
    PROTOCOL_ERROR = 0x1
    INTERNAL_ERROR = 0x2
    FLOW_CONTROL_ERROR = 0x3
    STREAM_CLOSED = 0x5
    FRAME_SIZE_ERROR = 0x6
    REFUSED_STREAM = 0x7
    CANCEL = 0x8
    COMPRESSION_ERROR = 0x9
    ENHANCE_YOUR_CALM = 0xB


class ConnectionFault(Exception):
    """A peer does not speak HTTP/2 as it should: the connection ends, with ``code``."""

    def __init__(self, code: ErrorCode, what: str) -> None:
        super().__init__(what)
        self.code = code


def without_padding(payload: bytes, flags: int) -> bytes:
    """Return what a frame of data or headers says. Raises ``ConnectionFault`` where its padding is no such."""
    if not flags & PADDED:
        return payload
    check_size(len(payload) > 0, "a padded frame without its length")
    padding = payload[0]
    check(padding < len(payload), "more padding than the frame has bytes")
    return payload[1 : len(payload) - padding]


def check(holds: bool, what: str) -> None:
    """Raise ``ConnectionFault`` unless a rule of the protocol holds; ``what`` breaks it."""
    if not holds:
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, what)


def check_size(holds: bool, what: str) -> None:
    """Raise ``ConnectionFault`` unless a frame has the size that its kind has."""
    if not holds:
        raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, what)


class FrameReader(ABC):
    """Reads the frames of one connection. Data need not be whole to be passed on, nor is it kept here."""

    def __init__(self) -> None:
        # False until the settings have come, and in the middle of a block of fields: data would break the rules.
        self._takes_data = False
        self._preface = PREFACE
        self._rest = bytearray()
        self.has_more = False
        self._needed = HEAD.size
        # The frame of data that is still coming.
        self._open_data = 0
        self._open_data_left = 0
        self._open_data_ends = False
        # What follows it, and means nothing: padding. Or a frame of a kind that is not known.
        self._meaningless = 0

    def receive(self, data: bytes) -> None:
        """Take what the client has sent. Where that is more than others should wait for, ``has_more`` is True after
        it: call again with nothing. Raises ``ConnectionFault``: say ``goodbye``, and close."""
        self.has_more = False
        if self._preface:
            data = self._without_preface(data)
        if self._rest:
            self._rest += data
            if len(self._rest) < self._needed:
                return
            data = bytes(self._rest)
            self._rest.clear()
        at, end, left = 0, len(data), _MOST_IN_A_TURN
        if self._open_data_left:
            at = self._go_on_with_data(data, 0)
        if self._meaningless:
            at = self._skip(data, at)
        while end - at >= 9:
            if left <= 0:
                self.has_more, self._needed = True, 9
                break
            kind, after = data[at + 3], self._read_frame(data, at)
            if not after:
                break
            left -= 1 if kind not in _OF_FIELDS else 1 + (after - at) // _BYTES_OF_FIELDS
            if kind == HEADERS:
                left -= _REQUEST
            at = after
        else:
            self._needed = 9
        if at < end:
            self._rest += data[at:]

    def _read_frame(self, data: bytes, at: int) -> int:
        """Take the frame that begins here; return where it ends. 0 where ``needed`` bytes are not there yet."""
        high, low, kind, flags, stream_id = HEAD.unpack_from(data, at)
        length, stream_id, at = high << 8 | low, stream_id & 0x7FFFFFFF, at + 9
        if length > MOST_FRAME:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, f"a frame of {length} bytes")
        if kind == DATA and self._takes_data:
            if flags & PADDED:
                return self._begin_padded_data(flags, stream_id, length, data, at)
            self._open_data, self._open_data_left = stream_id, length
            self._open_data_ends = bool(flags & END_STREAM)
            self._begin_data(stream_id, length, self._open_data_ends, length)
            return self._go_on_with_data(data, at)
        if kind == DATA or kind > CONTINUATION:
            self._take_frame(kind, flags, stream_id, b"")
            self._meaningless = length
            return self._skip(data, at)
        if length > _MOST_CONTROL:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, f"a frame of {length} bytes that is not of data")
        end = at + length
        if end > len(data):
            self._needed = 9 + length
            return 0
        self._take_frame(kind, flags, stream_id, data[at:end])
        return end

    def _without_preface(self, data: bytes) -> bytes:
        came = data[: len(self._preface)]
        check(self._preface.startswith(came), "a connection that does not begin as HTTP/2 does")
        self._preface = self._preface[len(came) :]
        return data[len(came) :]

    def _begin_padded_data(self, flags: int, stream_id: int, size: int, data: bytes, at: int) -> int:
        check_size(size > 0, "a padded frame without its length")
        if len(data) == at:
            self._needed = HEAD.size + 1
            return 0
        padding = data[at]
        check(padding < size, "more padding than the frame has bytes")
        length = size - 1 - padding
        self._open_data, self._open_data_left, self._meaningless = stream_id, length, padding
        self._open_data_ends = bool(flags & END_STREAM)
        self._begin_data(stream_id, length, self._open_data_ends, size)
        return self._skip(data, self._go_on_with_data(data, at + 1))

    def _skip(self, data: bytes, at: int) -> int:
        """Return where what means nothing ends."""
        if not self._meaningless or self._open_data_left:
            return at
        skipped = min(self._meaningless, len(data) - at)
        self._meaningless -= skipped
        return at + skipped

    def _go_on_with_data(self, data: bytes, at: int) -> int:
        """Pass on what has come of the frame of data that is open; return where it ends."""
        piece = data[at : at + self._open_data_left]
        if piece:
            self._open_data_left -= len(piece)
            self._take_data(self._open_data, piece)
        if not self._open_data_left and self._open_data_ends:
            self._end_data(self._open_data)
        return at + len(piece)

    @abstractmethod
    def _begin_data(self, stream_id: int, length: int, ends: bool, size: int) -> None:
        """Take note that a frame of data comes. ``length``: of the data, ``size`` with its padding."""

    @abstractmethod
    def _take_data(self, stream_id: int, piece: bytes) -> None:
        """Take a piece of the data of a frame that has begun."""

    @abstractmethod
    def _end_data(self, stream_id: int) -> None:
        """Take note that a stream has no more data."""

    @abstractmethod
    def _take_frame(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        """Take any other frame. ``payload`` is empty for one of a kind that is not known, and for data where there
        may be none."""
