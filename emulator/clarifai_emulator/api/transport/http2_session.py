"""Speaks HTTP/2 as a server does: bytes in, what they mean out. It has no socket, and knows no clock.

    receive ─► frames ─► a Listener: requests, data, ends, resets
    send_headers, send_data, acknowledge, reset ─► frames ─► take

RFC 9113. What one stream does costs the same however many others are open. What a peer can make grow is bounded:
streams, a block of fields, its pieces, what is not read yet (by the windows), and frames that only answer others
(``unasked``, which the connection looks at while its client reads nothing).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Protocol

from hpack import HPACKError, OversizedHeaderListError

from clarifai_emulator.api.transport.http2_fields import (
    DEFAULT_TABLE,
    MOST_BYTES,
    NO_TABLE,
    FieldReader,
    write_fields,
)
from clarifai_emulator.api.transport.http2_frames import (
    ACK,
    CONTINUATION,
    DATA,
    ENABLE_PUSH,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HAS_PRIORITY,
    HEAD,
    HEADERS,
    INITIAL_WINDOW,
    MAX_FIELDS,
    MAX_FRAME,
    MAX_STREAMS,
    MOST_FRAME,
    NUMBER,
    PING,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTING,
    SETTINGS,
    TABLE_SIZE,
    WINDOW_UPDATE,
    ConnectionFault,
    ErrorCode,
    FrameReader,
    check,
    check_size,
    without_padding,
)
from clarifai_emulator.api.transport.http2_pace import FOR_RESET, Pace

# Windows large enough that a payload of many MiB is not metered out 64 KiB at a time. What one stream may have
# under way is bounded by its own window; the connection's is never the one that is short.
STREAM_WINDOW = 4 * 1024 * 1024
CONNECTION_WINDOW = 1 << 30
MOST_STREAMS = 10_000
_MOST_PIECES = 64  # of a block of fields
_MOST_SETTINGS = 32  # there are ten kinds
_STREAMS_A_FRAME = 64  # as many windows are changed for the price of one frame
_FIRST_WINDOW = 65_535  # of both sides, until the settings say something else
_LARGEST_WINDOW = (1 << 31) - 1
_REMEMBERED = 1_000
# Frames whose price depends on what they do.
_PAID_APART = frozenset((DATA, HEADERS, RST_STREAM))


Taker = Callable[[Any, int, int, bytes], None]


class Listener(Protocol):
    """Hears what came, each about one stream."""

    def request_came(self, stream_id: int, fields: Mapping[str, str]) -> None: ...

    def data_came(self, stream_id: int, data: bytes, size: int) -> None:
        """Take data; ``size`` is what it counts for in flow control, until it is acknowledged."""
        ...

    def request_ended(self, stream_id: int) -> None: ...

    def stream_was_reset(self, stream_id: int) -> None: ...

    def window_grew(self, stream_id: int) -> None:
        """Take note that more can be sent: on one stream; with 0, on the connection."""
        ...

    def all_windows_grew(self) -> None:
        """Take note that more can be sent on every stream that is open."""
        ...


class _Stream:
    """Holds what is known of an open stream. ``room``: bytes that the client may still send; ``unreturned``: read,
    and not given back to it yet; ``announced``: the bytes that its content-length says are still to come."""

    __slots__ = ("announced", "client_ended", "room", "send_window", "server_ended", "unreturned")

    def __init__(self, send_window: int, announced: int | None) -> None:
        self.send_window = send_window
        self.announced = announced
        self.room = STREAM_WINDOW
        self.unreturned = 0
        self.client_ended = False
        self.server_ended = False


class Session(FrameReader):
    """The state of one connection. ``listener`` hears what the client says. ``unasked`` counts the frames that were
    sent without waiting for a client that reads slowly. ``is_leaving``: the client has said goodbye, and waits for
    what it has asked."""

    def __init__(self, listener: Listener) -> None:
        super().__init__()
        self._listener = listener
        self._fields = FieldReader()
        self.pace = Pace()
        self._streams: dict[int, _Stream] = {}
        self._highest = 0
        # Streams that were reset from here: what still comes for them was sent before the client knew.
        self._given_up: dict[int, None] = {}
        self._out: list[bytes | memoryview] = []
        self.unasked = 0
        self.is_leaving = False
        self._has_settings = False
        self._block: bytearray | None = None
        self._block_stream = 0
        self._block_pieces = 0
        self._block_ends_stream = False
        # Windows and limits.
        self._send_window = _FIRST_WINDOW
        self._first_send_window = _FIRST_WINDOW
        self._room = _FIRST_WINDOW + CONNECTION_WINDOW
        self._unreturned = 0
        self._largest_frame = 16_384
        self._says_no_table = False
        self._begin()

    def _begin(self) -> None:
        ours = ((INITIAL_WINDOW, STREAM_WINDOW), (MAX_FRAME, MOST_FRAME), (MAX_STREAMS, MOST_STREAMS))
        settings = b"".join(SETTING.pack(*each) for each in (*ours, (MAX_FIELDS, MOST_BYTES)))
        self._put(SETTINGS, 0, 0, settings)
        self._put(WINDOW_UPDATE, 0, 0, NUMBER.pack(CONNECTION_WINDOW))

    def count_anew(self) -> None:
        """Begin to count ``unasked`` again: the client has read what was sent."""
        self.unasked = 0

    @property
    def is_midway(self) -> bool:
        """Tell whether the client has begun what others say in one go: its hello, a frame, a block of fields."""
        return not self._has_settings or bool(self._rest) or self._block is not None

    @property
    def has_news(self) -> bool:
        """Tell whether something is to be sent."""
        return bool(self._out)

    def take(self) -> list[bytes | memoryview]:
        """Return what is to be sent, and forget it."""
        out, self._out = self._out, []
        return out

    # What comes.

    def _begin_data(self, stream_id: int, length: int, ends: bool, size: int) -> None:
        self._room -= size
        if self._room < 0:
            raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "more data than the window has room for")
        if length:
            self.pace.moved_data()
        elif not ends:
            self.pace.pay()
        stream = self._streams.get(stream_id)
        if stream is None:
            self._check_begun(stream_id, "data")
            if stream_id not in self._given_up:
                self._put_reset(stream_id, ErrorCode.STREAM_CLOSED)
        elif stream.client_ended:
            self._break(stream_id, ErrorCode.STREAM_CLOSED)
        elif size > stream.room:
            self._break(stream_id, ErrorCode.FLOW_CONTROL_ERROR)
        else:
            stream.room -= size
            if stream.announced is not None:
                stream.announced -= length
                if stream.announced < 0 or (ends and stream.announced):
                    raise _wrong_length()
        if size > length:
            self.acknowledge(stream_id, size - length)

    def _take_data(self, stream_id: int, piece: bytes) -> None:
        if stream_id in self._streams:
            self._listener.data_came(stream_id, piece, len(piece))
        else:
            self.acknowledge(stream_id, len(piece))

    def _end_data(self, stream_id: int) -> None:
        stream = self._streams.get(stream_id)
        if stream is None:
            return
        if stream.announced:
            raise _wrong_length()
        stream.client_ended = True
        if stream.server_ended:
            del self._streams[stream_id]
        self._listener.request_ended(stream_id)

    def _take_frame(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        if not self._has_settings:
            if kind != SETTINGS or flags & ACK:
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a connection that begins without settings")
            self._has_settings = self._takes_data = True
        if self._block is not None and (kind != CONTINUATION or stream_id != self._block_stream):
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "another frame in the middle of a block of fields")
        if kind not in _PAID_APART:
            self.pace.pay()
        take = self._takers.get(kind)
        if take is not None:  # what is not known is to be ignored
            take(self, flags, stream_id, payload)

    def _take_push(self, _flags: int, _stream_id: int, _payload: bytes) -> None:
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a push from a client")

    def _take_goodbye(self, _flags: int, stream_id: int, _payload: bytes) -> None:
        check(stream_id == 0, "a goodbye on a stream")
        self.is_leaving = True

    def _take_headers(self, flags: int, stream_id: int, payload: bytes) -> None:
        payload = without_padding(payload, flags)
        if flags & HAS_PRIORITY:
            check_size(len(payload) >= 5, "a frame of headers that is too short for its priority")
            if NUMBER.unpack_from(payload)[0] & 0x7FFFFFFF == stream_id:
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a stream that depends on itself")
            payload = payload[5:]
        check(stream_id % 2 == 1, f"headers on stream {stream_id}, which no client begins")
        ends = bool(flags & END_STREAM)
        if flags & END_HEADERS:
            self._take_block(stream_id, payload, ends)
        else:
            self._block, self._block_stream, self._block_ends_stream = bytearray(payload), stream_id, ends
            self._takes_data = False
            self._block_pieces = 0

    def _take_continuation(self, flags: int, _stream_id: int, payload: bytes) -> None:
        block = self._block
        if block is None:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a continuation of no block of fields")
        block += payload
        self._block_pieces += 1
        if len(block) > MOST_BYTES or self._block_pieces > _MOST_PIECES:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "a block of fields that does not end")
        if flags & END_HEADERS:
            self._block, self._takes_data = None, True
            self._take_block(self._block_stream, bytes(block), self._block_ends_stream)

    def _take_block(self, stream_id: int, block: bytes, ends: bool) -> None:
        try:
            fields = self._fields.read(block)
        except OversizedHeaderListError:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, f"fields of more than {MOST_BYTES} bytes") from None
        except HPACKError as error:
            raise ConnectionFault(ErrorCode.COMPRESSION_ERROR, f"a block of fields that says: {error}") from None
        stream = self._streams.get(stream_id)
        if stream is not None:
            self._take_trailers(stream_id, stream, ends)
        elif stream_id <= self._highest:
            if stream_id not in self._given_up:
                raise ConnectionFault(ErrorCode.STREAM_CLOSED, f"headers on stream {stream_id}, which has ended")
        elif len(self._streams) >= MOST_STREAMS:
            self._highest = stream_id
            self.pace.pay(FOR_RESET)
            self._put_reset(stream_id, ErrorCode.REFUSED_STREAM)
        else:
            self._highest = stream_id
            self._streams[stream_id] = _Stream(self._first_send_window, _announced(fields, ends))
            self._listener.request_came(stream_id, fields)
            if ends:
                self._end_data(stream_id)

    def _take_trailers(self, stream_id: int, stream: _Stream, ends: bool) -> None:
        if stream.client_ended:
            self._break(stream_id, ErrorCode.STREAM_CLOSED)
        elif not ends:
            self._break(stream_id, ErrorCode.PROTOCOL_ERROR)
        else:
            self._end_data(stream_id)

    def _take_window(self, _flags: int, stream_id: int, payload: bytes) -> None:
        check_size(len(payload) == 4, "a window update that has not four bytes")
        more = NUMBER.unpack(payload)[0] & _LARGEST_WINDOW
        if stream_id == 0:
            check(more > 0, "a window that grows by nothing")
            self._send_window += more
            if self._send_window > _LARGEST_WINDOW:
                raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "a window that is too large")
        else:
            stream = self._streams.get(stream_id)
            if stream is None:
                self._check_begun(stream_id, "a window update")
                return
            if not more:
                self._break(stream_id, ErrorCode.PROTOCOL_ERROR)
                return
            stream.send_window += more
            if stream.send_window > _LARGEST_WINDOW:
                self._break(stream_id, ErrorCode.FLOW_CONTROL_ERROR)
                return
        self._listener.window_grew(stream_id)

    def _take_ping(self, flags: int, stream_id: int, payload: bytes) -> None:
        check(stream_id == 0, "a ping on a stream")
        check_size(len(payload) == 8, "a ping that has not eight bytes")
        if not flags & ACK:
            self.unasked += 1
            self._put(PING, ACK, 0, payload)

    def _take_settings(self, flags: int, stream_id: int, payload: bytes) -> None:
        check(stream_id == 0, "settings on a stream")
        if flags & ACK:
            check_size(not payload, "a confirmation of settings that says more")
            return
        check_size(len(payload) % 6 == 0, "settings that are not six bytes each")
        if len(payload) > 6 * _MOST_SETTINGS:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, f"more than {_MOST_SETTINGS} settings at once")
        for name, value in SETTING.iter_unpack(payload):
            self._take_setting(name, value)
        self.unasked += 1
        self._put(SETTINGS, ACK, 0, b"")

    def _take_setting(self, name: int, value: int) -> None:
        if name == INITIAL_WINDOW:
            if value > _LARGEST_WINDOW:
                raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "a window that is too large")
            more, self._first_send_window = value - self._first_send_window, value
            if more:
                self.pace.pay(len(self._streams) // _STREAMS_A_FRAME)
            for stream in self._streams.values():
                stream.send_window += more
                if stream.send_window > _LARGEST_WINDOW:
                    raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "a window that is too large")
            if more > 0:
                self._listener.all_windows_grew()
        elif name == MAX_FRAME:
            check(16_384 <= value < 1 << 24, f"frames of up to {value} bytes")
            self._largest_frame = min(value, MOST_FRAME)
        elif name == TABLE_SIZE:
            # Blocks are written without the table. Where the client has less room than it starts with, it is told.
            self._says_no_table = self._says_no_table or value < DEFAULT_TABLE
        elif name == ENABLE_PUSH:
            check(value <= 1, "a setting for pushes that is neither 0 nor 1")

    def _take_reset(self, _flags: int, stream_id: int, payload: bytes) -> None:
        check_size(len(payload) == 4, "a reset that has not four bytes")
        if self._streams.pop(stream_id, None) is not None:
            self.pace.pay(FOR_RESET)
            self._listener.stream_was_reset(stream_id)
        else:
            self.pace.pay()
            self._check_begun(stream_id, "a reset")

    def _take_priority(self, _flags: int, stream_id: int, payload: bytes) -> None:
        check(stream_id > 0, "a priority of no stream")
        check_size(len(payload) == 5, "a priority that has not five bytes")
        check(NUMBER.unpack_from(payload)[0] & 0x7FFFFFFF != stream_id, "a stream that depends on itself")

    def _check_begun(self, stream_id: int, what: str) -> None:
        check(0 < stream_id <= self._highest, f"{what} on stream {stream_id}, which has not begun")

    def _break(self, stream_id: int, code: ErrorCode) -> None:
        """End a stream whose client does not keep to the protocol; the connection stays."""
        self.pace.pay(FOR_RESET)
        self.reset(stream_id, code)
        self._listener.stream_was_reset(stream_id)

    _takers: ClassVar[Mapping[int, Taker]] = {
        HEADERS: _take_headers,
        PRIORITY: _take_priority,
        RST_STREAM: _take_reset,
        SETTINGS: _take_settings,
        PUSH_PROMISE: _take_push,
        PING: _take_ping,
        GOAWAY: _take_goodbye,
        WINDOW_UPDATE: _take_window,
        CONTINUATION: _take_continuation,
    }

    # What is sent.

    def is_open(self, stream_id: int) -> bool:
        """Tell whether something can still be sent on a stream."""
        stream = self._streams.get(stream_id)
        return stream is not None and not stream.server_ended

    def window(self, stream_id: int) -> int:
        """Return how many bytes of data a stream that is open can take now, in one frame."""
        return min(self._streams[stream_id].send_window, self._send_window, self._largest_frame)

    @property
    def fields_cost(self) -> int:
        """Return the bytes in memory of the fields that came last."""
        return self._fields.cost

    @property
    def has_room(self) -> bool:
        """Tell whether the connection can take more data, whatever its streams can."""
        return self._send_window > 0

    def send_headers(self, stream_id: int, fields: Iterable[tuple[str, str]], *, end: bool = False) -> None:
        """Send fields, on a stream that is open: of the answer, or its trailers with ``end``."""
        self.unasked += 1
        block = write_fields(fields)
        if self._says_no_table:
            self._says_no_table = False
            block = NO_TABLE + block
        first, rest = block[: self._largest_frame], block[self._largest_frame :]
        flags = END_STREAM if end else 0
        self._put(HEADERS, flags if rest else flags | END_HEADERS, stream_id, first)
        while rest:
            first, rest = rest[: self._largest_frame], rest[self._largest_frame :]
            self._put(CONTINUATION, 0 if rest else END_HEADERS, stream_id, first)
        if end:
            self._end_answer(stream_id)

    def send_data(self, stream_id: int, *pieces: bytes | memoryview, end: bool = False) -> None:
        """Send one frame of data, on a stream that is open; its window must have room for all pieces together."""
        self.pace.moved_data()
        size = sum(map(len, pieces))
        self._streams[stream_id].send_window -= size
        self._send_window -= size
        self._out.append(HEAD.pack(size >> 8, size & 0xFF, DATA, END_STREAM if end else 0, stream_id))
        self._out.extend(pieces)
        if end:
            self._end_answer(stream_id)

    def _end_answer(self, stream_id: int) -> None:
        self.pace.answered()
        stream = self._streams[stream_id]
        stream.server_ended = True
        if stream.client_ended:
            del self._streams[stream_id]

    def acknowledge(self, stream_id: int, size: int) -> None:
        """Let the client send as many bytes more; it is told when half of a window has come together."""
        self._unreturned += size
        if self._unreturned >= CONNECTION_WINDOW // 2:
            self._room += self._unreturned
            self._put(WINDOW_UPDATE, 0, 0, NUMBER.pack(self._unreturned))
            self._unreturned = 0
        stream = self._streams.get(stream_id)
        if stream is None or stream.client_ended:
            return
        stream.unreturned += size
        if stream.unreturned >= STREAM_WINDOW // 2:
            stream.room += stream.unreturned
            self._put(WINDOW_UPDATE, 0, stream_id, NUMBER.pack(stream.unreturned))
            stream.unreturned = 0

    def reset(self, stream_id: int, code: ErrorCode) -> None:
        """End a stream at once, in both directions; nothing if it has ended."""
        if self._streams.pop(stream_id, None) is not None:
            self._given_up[stream_id] = None
            if len(self._given_up) > _REMEMBERED:
                del self._given_up[next(iter(self._given_up))]
            self._put_reset(stream_id, code)

    def goodbye(self, code: ErrorCode = ErrorCode.NO_ERROR) -> None:
        """Say that the connection ends, and why."""
        self._put(GOAWAY, 0, 0, NUMBER.pack(self._highest) + NUMBER.pack(code))

    def _put_reset(self, stream_id: int, code: ErrorCode) -> None:
        self.unasked += 1
        self._put(RST_STREAM, 0, stream_id, NUMBER.pack(code))

    def _put(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        size = len(payload)
        self._out.append(HEAD.pack(size >> 8, size & 0xFF, kind, flags, stream_id) + payload)


def _announced(fields: Mapping[str, str], ends: bool) -> int | None:
    """Return how many bytes of data a request says will come; None where it does not say."""
    length = fields.get("content-length")
    if length is None:
        return None
    if not (length.isascii() and length.isdigit() and len(length) < 20) or (ends and int(length)):
        raise _wrong_length()
    return int(length)


def _wrong_length() -> ConnectionFault:
    return ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a body of another length than its content-length says")
