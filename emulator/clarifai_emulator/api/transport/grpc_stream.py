"""Carries one gRPC call over one HTTP/2 stream: messages in, messages out, and the status at the end.

    HEADERS (path, metadata, deadline) ─► DATA (length-prefixed messages) ─► END_STREAM
    ◄─ HEADERS (initial metadata)      ◄─ DATA                            ◄─ HEADERS (grpc-status, trailers)

``http2.Connection`` feeds it with what arrives and sends what it says. A handler sees ``read``, ``write``,
``metadata`` and ``trailers``; what it raises becomes the call's status.
"""

from __future__ import annotations

import asyncio
import logging
import re
import struct
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Protocol
from urllib.parse import quote

from clarifai_emulator.api.transport.http2_fields import Fields
from clarifai_emulator.api.transport.packed_message import unpacked
from clarifai_emulator.api.transport.peer import Peer
from clarifai_emulator.api.transport.request_buffers import ConnectionBuffers, Pieces
from clarifai_emulator.errors import TransportError
from clarifai_emulator.messages.header_text import sendable

log = logging.getLogger(__name__)

Headers = list[tuple[str, str]]

_PREFIX = struct.Struct(">BI")
# Complete messages that may wait for a handler; further ones stay with the sender.
_MESSAGES_AHEAD = 16
# And how many bytes they may have: an upload comes in messages of 127 MiB.
_BYTES_AHEAD = 16 * 1024 * 1024
# What a message costs that has no bytes at all.
_OF_A_MESSAGE = 64
# The pieces of a message of this size are put together once it is whole, not as they come.
_LARGE = 64 * 1024
# A message of this size is given to who asks for it in pieces.
_LONG = 1024 * 1024
_BROKEN_OFF = "The request ended in the middle of a message."
_TIMEOUT = re.compile(r"(\d{1,8})([HMSmun])")
_UNITS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
# What may stand in `grpc-message` as it is: printable ASCII without the percent sign.
_MESSAGE_SAFE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")
_INITIAL: Headers = [
    (":status", "200"),
    ("content-type", "application/grpc"),
    ("grpc-accept-encoding", "identity,deflate,gzip"),
]


class Wire(Protocol):
    """Sends for a stream what it has to say. Each call is about one stream id."""

    def send_headers(self, stream_id: int, headers: Headers, *, end: bool) -> None: ...

    async def send_data(self, stream_id: int, *pieces: bytes | memoryview) -> None: ...

    def flush(self) -> None: ...

    def cork(self) -> None: ...

    def acknowledge(self, stream_id: int, size: int) -> None: ...

    def reset(self, stream_id: int) -> None: ...

    def give_up(self, stream_id: int, reason: str) -> None:
        """Let nobody serve the stream any longer: it has ended, for want of room."""
        ...


class LongMessage:
    """Gives a message that is still coming. ``size``: all its bytes; ``missing``: those that have not come yet."""

    def __init__(self, stream: GrpcStream, size: int) -> None:
        self.size = size
        self.missing = size
        self._stream = stream
        self._pieces = Pieces()

    async def read(self) -> list[bytes]:
        """Return the pieces that have come since the last time, in order; none at the end. Read the message to its
        end before the next one. Raises ``TransportError`` where the request ends in its middle."""
        while not self._pieces.size and self.missing:
            await self._stream.wait_for_more()
        size = self._pieces.size
        pieces = self._pieces.take()
        self._stream.taken(size)
        return pieces

    def feed(self, data: bytes) -> bytes:
        """Add what has come; return what belongs to the message after it."""
        own, rest = (data, b"") if len(data) <= self.missing else (data[: self.missing], data[self.missing :])
        self._pieces.add(own)
        self.missing -= len(own)
        return rest

    def forget(self) -> None:
        """Keep nothing of what nobody has read."""
        self._pieces.clear()


class _Gathered:
    """Keeps the pieces of a message that is large and still coming, until they are put together, once."""

    __slots__ = ("flag", "missing", "pieces", "size")

    def __init__(self, flag: int, size: int) -> None:
        self.flag = flag
        self.size = size
        self.missing = size
        self.pieces = Pieces()

    def feed(self, data: bytes) -> bytes:
        """Add what has come; return what belongs to the message after it."""
        own, rest = (data, b"") if len(data) <= self.missing else (data[: self.missing], data[self.missing :])
        self.pieces.add(own)
        self.missing -= len(own)
        return rest


class _Packed(bytes):
    """Holds a message that is compressed, until somebody asks for it."""


class GrpcStream:
    """Serves one call, from the server's side. ``max_bytes``: the largest message in either direction. ``buffers``
    count what waits; ``more``: the bytes of the headers."""

    def __init__(
        self,
        wire: Wire,
        stream_id: int,
        headers: Mapping[str, str],
        *,
        peer: Peer,
        max_bytes: int,
        buffers: ConnectionBuffers,
        more: int = 0,
    ) -> None:
        self.path = headers.get(":path", "")
        self.metadata = (headers if isinstance(headers, Fields) else Fields(headers)).metadata
        self.peer = peer
        self.seconds_left = _seconds(headers.get("grpc-timeout", ""))
        self.trailers: dict[str, str] = {}
        self._wire = wire
        self._id = stream_id
        self._max_bytes = max_bytes
        self._messages: deque[bytes | LongMessage | TransportError] = deque()
        self._in_pieces = False
        self._coming: LongMessage | None = None
        self._waiting_bytes = 0
        self._lent = 0  # bytes of what the handler read last
        self._unsent = 0
        self._refusal: TransportError | None = None
        self._takes_more = True
        self._has_only = False
        self._partial = bytearray()
        self._gathered: _Gathered | None = None
        self._refused = False
        self._unacknowledged = 0
        self._ended = False
        self._reader: asyncio.Future[None] | None = None
        self._began = False
        self.closed = False
        self._buffers = buffers
        self._buffer = buffers.request(self._give_up, more)  # last: it may give the call up at once

    # The handler's side.

    def take_up_to(self, max_bytes: int) -> None:
        """Take messages of the client up to this size from now on."""
        self._max_bytes = max_bytes
        self._buffers.allow(max_bytes)

    async def read(self) -> bytes | None:
        """Return the next message; None after the last. Raises ``TransportError`` for one that cannot be taken."""
        message = await self._next()
        assert not isinstance(message, LongMessage), "it was not asked for"
        return message

    async def read_only(self) -> bytes | None:
        """Return the only message that the handler wants, as ``read`` does. Others are not kept."""
        message = await self.read()
        self._takes_more = False
        if self._partial or self._messages or self._gathered is not None:
            self._forget_messages()
        self._has_only = True
        self._buffer.put_in_hand(True)
        return message

    async def read_begun(self) -> bytes | LongMessage | None:
        """Return the next message as ``read`` does, but a long one as soon as it begins to come."""
        self._in_pieces = True
        gathered, self._gathered = self._gathered, None
        if gathered is not None and gathered.flag:
            self._gathered = gathered  # it can be unpacked as a whole only
        elif gathered is not None:
            self._begin_long(gathered.size, b"".join(gathered.pieces.take()))
        return await self._next()

    async def _next(self) -> bytes | LongMessage | None:
        if self._lent:
            self._give_back()
        while not self._messages:
            self._split()
            if self._messages:
                break
            if self._ended:
                if not self._partial and self._gathered is None:
                    return None
                self._forget_messages()
                raise TransportError("INTERNAL", _BROKEN_OFF)
            await self._more()
        message = self._messages.popleft()
        if isinstance(message, TransportError):
            self._acknowledge()
            raise message
        if isinstance(message, _Packed):
            message = await self._unpacked(message)
        elif isinstance(message, bytes):
            self._waiting_bytes -= len(message)
            self._lent = len(message)  # it is counted as before
            self._acknowledge()
        return message

    def _give_back(self) -> None:
        self._lent = 0
        self._count()

    async def _unpacked(self, packed: _Packed) -> bytes:
        def hold(size: int) -> None:
            self._lent = size
            self._count()
            if self._refusal is not None:
                raise self._refusal

        try:
            message = await unpacked(self.metadata.get("grpc-encoding", ""), packed, self._max_bytes, hold)
        finally:
            self.taken(len(packed))
        hold(len(message))
        return message

    async def wait_for_more(self) -> None:
        """Wait until more of a long message has come."""
        self._give_back()
        if self._refusal is not None:
            raise self._refusal
        if self._ended:
            raise TransportError("INTERNAL", _BROKEN_OFF)
        await self._more()

    def taken(self, size: int) -> None:
        """Note that the handler has so many bytes: as many more may come."""
        self._waiting_bytes -= size
        self._lent = size
        self._acknowledge()
        self._count()

    async def _more(self) -> None:
        self._reader = asyncio.get_running_loop().create_future()
        await self._reader

    def begin(self, metadata: Mapping[str, str] | None = None) -> None:
        """Announce the answer, with initial metadata. The first ``write`` does it where nobody has."""
        if not self._began and not self.closed:
            self._began = True
            self._wire.send_headers(self._id, _INITIAL + _ascii(metadata or {}), end=False)

    async def write(self, message: bytes) -> None:
        """Send one message; waits while the client takes no more. Says nothing to a client that is gone."""
        self._begin_message(len(message))
        if not self.closed:
            await self._wire.send_data(self._id, _PREFIX.pack(0, len(message)), message)

    async def write_parts(self, size: int, parts: Iterable[bytes | memoryview]) -> None:
        """Send one message of ``size`` bytes, as ``write`` does, and let others have their turn between its parts.
        When the next part is asked for, the one before is on its way, and those before that have left."""
        self._begin_message(size)
        before = _PREFIX.pack(0, size)
        for part in parts:
            if not before:
                await asyncio.sleep(0)
            if self.closed:
                return
            await self._wire.send_data(self._id, before, part)
            self._wire.flush()
            before = b""

    async def write_last(self, message: bytes) -> None:
        """Send the last message: it leaves in one piece with the status, which follows at once."""
        self._wire.cork()
        await self.write(message)

    def _begin_message(self, size: int) -> None:
        if size > self._max_bytes:
            raise TransportError("RESOURCE_EXHAUSTED", _too_large("The answer", size, self._max_bytes))
        self.begin()

    def flush(self) -> None:
        """Send what was written now, not with what else is written in this turn of the event loop."""
        self._wire.flush()

    def end(self, error: TransportError | None = None) -> None:
        """Send the status and the trailers, and no more."""
        if self.closed:
            return
        self.closed = True
        headers: Headers = [] if self._began else list(_INITIAL)
        headers.append(("grpc-status", str(error.code if error else 0)))
        if error:
            headers.append(("grpc-message", quote(error.message, safe=_MESSAGE_SAFE)))
        self._wire.send_headers(self._id, headers + _ascii(self.trailers), end=True)
        if not self._ended:
            self._wire.reset(self._id)

    async def run(self, serve: Callable[[GrpcStream], Awaitable[None]]) -> None:
        """Let a handler answer; whatever becomes of it, the call ends."""
        try:
            await serve(self)
        except TransportError as error:
            self.end(error)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            log.exception("%s failed inside the emulator", self.path)
            text = f"The emulator failed ({type(error).__name__}); its log has the trace."
            self.end(TransportError("UNKNOWN", text))
        else:
            self.end()

    # The connection's side.

    def receive(self, data: bytes, size: int) -> None:
        """Take bytes of messages; ``size`` is what they count for in flow control."""
        self._unacknowledged += size
        if self._coming is not None:
            data = self._feed(self._coming, data)
        elif self._gathered is not None:
            data = self._gather(self._gathered, data)
        if self._refused or not self._takes_more:
            pass  # the rest of a message that is too large, or messages that nobody wants
        elif (
            not self._partial
            and 5 <= len(data) <= 5 + self._max_bytes
            and len(data) == 5 + _PREFIX.unpack_from(data)[1]
        ):
            self._take(data[0], data[5:])  # one whole message, as most are
        else:
            self._partial += data
            self._split()
        self._count()
        self._acknowledge()
        self._wake()

    def receive_end(self) -> None:
        """Note that the client says no more."""
        self._ended = True
        self._wake()

    def break_off(self, error: TransportError) -> None:
        """Note that the rest of the request will not come, and what the client is told of it."""
        self._forget_messages()
        self._messages.append(error)
        self.receive_end()

    def hold_unsent(self, size: int) -> None:
        """Note how many bytes of an answer wait for the client to read."""
        self._unsent = size
        self._buffer.put_in_hand(self._has_only and not size)
        self._count()

    def _count(self) -> None:
        gathered = self._gathered
        arriving = len(self._partial) + (gathered.size - gathered.missing if gathered is not None else 0)
        waiting = self._waiting_bytes + _OF_A_MESSAGE * len(self._messages)
        self._buffer.hold(arriving + waiting + self._lent + self._unsent)

    def _give_up(self, reason: str) -> None:
        """Refuse the call: it holds more than there is room for."""
        self._refusal = TransportError("RESOURCE_EXHAUSTED", reason)
        self._takes_more = False
        self.break_off(self._refusal)
        self.end(self._refusal)
        self._wire.give_up(self._id, reason)

    def _forget_messages(self) -> None:
        if self._coming is not None:
            self._coming.forget()
            self._coming = None
        if self._partial:
            self._partial.clear()
        self._gathered = None
        if self._messages:
            self._messages.clear()
        self._waiting_bytes = 0

    def _feed(self, message: LongMessage, data: bytes) -> bytes:
        rest = message.feed(data)
        self._waiting_bytes += len(data) - len(rest)
        if not message.missing:
            self._coming = None
        return rest

    def _split(self) -> None:
        while len(self._partial) >= 5 and len(self._messages) < _MESSAGES_AHEAD:
            flag, size = _PREFIX.unpack_from(self._partial)
            if size > self._max_bytes:
                self._refused = True
                self._partial.clear()
                self._messages.append(
                    TransportError("RESOURCE_EXHAUSTED", _too_large("The request", size, self._max_bytes))
                )
                return
            if len(self._partial) < 5 + size:
                if size >= _LARGE:
                    self._begin_large(flag, size)
                return
            message = bytes(memoryview(self._partial)[5 : 5 + size])
            del self._partial[: 5 + size]
            self._take(flag, message)

    def _begin_large(self, flag: int, size: int) -> None:
        begun = bytes(memoryview(self._partial)[5:])
        self._partial.clear()
        if self._in_pieces and size >= _LONG and not flag:
            self._begin_long(size, begun)
        else:
            self._gathered = _Gathered(flag, size)
            self._gathered.feed(begun)

    def _begin_long(self, size: int, begun: bytes) -> None:
        self._coming = LongMessage(self, size)
        self._messages.append(self._coming)
        self._feed(self._coming, begun)

    def _gather(self, gathered: _Gathered, data: bytes) -> bytes:
        rest = gathered.feed(data)
        if not gathered.missing:
            self._gathered = None
            self._take(gathered.flag, b"".join(gathered.pieces.take()))
        return rest

    def _take(self, flag: int, message: bytes) -> None:
        if flag > 1:
            text = f"A message begins with the byte 0x{flag:02x}: it must be 0 (plain) or 1 (compressed)."
            self._messages.append(TransportError("INTERNAL", text))
            return
        self._waiting_bytes += len(message)
        self._messages.append(_Packed(message) if flag else message)

    def abandon(self) -> None:
        """Say nothing more: the client does not wait any longer."""
        self.closed = True

    def release(self) -> None:
        """Forget what the call has not read: it is over."""
        self._takes_more = False
        if self._waiting_bytes or self._partial or self._gathered is not None or self._messages:
            self._forget_messages()
        self._buffer.end()
        self._acknowledge()

    def _acknowledge(self) -> None:
        has_room = len(self._messages) < _MESSAGES_AHEAD and self._waiting_bytes <= _BYTES_AHEAD
        if self._unacknowledged and has_room:
            size, self._unacknowledged = self._unacknowledged, 0
            self._wire.acknowledge(self._id, size)

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)


def _too_large(what: str, size: int, limit: int) -> str:
    return f"{what} has {size} bytes; a message may have {limit} at most."


def _seconds(timeout: str) -> float | None:
    """Read ``grpc-timeout`` as seconds; None without one, and for one that cannot be read."""
    match = _TIMEOUT.fullmatch(timeout) if timeout else None
    return int(match[1]) * _UNITS[match[2]] if match else None


def _ascii(metadata: Mapping[str, str]) -> Headers:
    """Return metadata as header fields, which carry printable ASCII only."""
    return [(name, sendable(value)) for name, value in metadata.items()]
