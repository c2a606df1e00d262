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
import zlib
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol
from urllib.parse import quote

from clarifai_emulator.api.transport.http2_fields import Fields
from clarifai_emulator.errors import TransportError
from clarifai_emulator.messages.header_text import sendable

log = logging.getLogger(__name__)

Headers = list[tuple[str, str]]

_PREFIX = struct.Struct(">BI")
# Complete messages that may wait for a handler; further ones stay with the sender.
_MESSAGES_AHEAD = 16
# And how many bytes they may have: an upload comes in messages of 127 MiB.
_BYTES_AHEAD = 16 * 1024 * 1024
# The pieces of a message of this size are put together once it is whole, not as they come.
_LARGE = 64 * 1024
# A message of this size is given to who asks for it in pieces.
_LONG = 1024 * 1024
_BROKEN_OFF = "The request ended in the middle of a message."
_TIMEOUT = re.compile(r"(\d{1,8})([HMSmun])")
_UNITS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_WINDOW_BITS = {"gzip": 31, "deflate": 15}
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

    async def send_data(self, stream_id: int, *pieces: bytes) -> None: ...

    def flush(self) -> None: ...

    def cork(self) -> None: ...

    def acknowledge(self, stream_id: int, size: int) -> None: ...

    def reset(self, stream_id: int) -> None: ...


class LongMessage:
    """Gives a message that is still coming. ``size``: all its bytes; ``missing``: those that have not come yet."""

    def __init__(self, stream: GrpcStream, size: int) -> None:
        self.size = size
        self.missing = size
        self._stream = stream
        self._pieces: list[bytes] = []

    async def read(self) -> list[bytes]:
        """Return the pieces that have come since the last time, in order; none at the end. Read the message to its
        end before the next one. Raises ``TransportError`` where the request ends in its middle."""
        while not self._pieces and self.missing:
            await self._stream.wait_for_more()
        pieces, self._pieces = self._pieces, []
        self._stream.taken(sum(map(len, pieces)))
        return pieces

    def feed(self, data: bytes) -> bytes:
        """Add what has come; return what belongs to the message after it."""
        own, rest = (data, b"") if len(data) <= self.missing else (data[: self.missing], data[self.missing :])
        self._pieces.append(own)
        self.missing -= len(own)
        return rest


class _Gathered:
    """Keeps the pieces of a message that is large and still coming, until they are put together, once."""

    __slots__ = ("flag", "missing", "pieces", "size")

    def __init__(self, flag: int, size: int) -> None:
        self.flag = flag
        self.size = size
        self.missing = size
        self.pieces: list[bytes] = []

    def feed(self, data: bytes) -> bytes:
        """Add what has come; return what belongs to the message after it."""
        own, rest = (data, b"") if len(data) <= self.missing else (data[: self.missing], data[self.missing :])
        self.pieces.append(own)
        self.missing -= len(own)
        return rest


class GrpcStream:
    """Serves one call, from the server's side. ``max_bytes``: the largest message in either direction."""

    def __init__(
        self, wire: Wire, stream_id: int, headers: Mapping[str, str], *, peer: str, max_bytes: int
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
        self._partial = bytearray()
        self._gathered: _Gathered | None = None
        self._refused = False
        self._unacknowledged = 0
        self._ended = False
        self._reader: asyncio.Future[None] | None = None
        self._began = False
        self.closed = False

    # The handler's side.

    def take_up_to(self, max_bytes: int) -> None:
        """Take messages of the client up to this size from now on."""
        self._max_bytes = max_bytes

    async def read(self) -> bytes | None:
        """Return the next message; None after the last. Raises ``TransportError`` for one that cannot be taken."""
        message = await self._next()
        assert not isinstance(message, LongMessage), "it was not asked for"
        return message

    async def read_begun(self) -> bytes | LongMessage | None:
        """Return the next message as ``read`` does, but a long one as soon as it begins to come."""
        self._in_pieces = True
        gathered, self._gathered = self._gathered, None
        if gathered is not None and gathered.flag:
            self._gathered = gathered  # it can be unpacked as a whole only
        elif gathered is not None:
            self._begin_long(gathered.size, b"".join(gathered.pieces))
        return await self._next()

    async def _next(self) -> bytes | LongMessage | None:
        while not self._messages:
            if self._ended:
                return None
            await self._more()
        message = self._messages.popleft()
        if isinstance(message, TransportError):
            self._acknowledge()
            raise message
        self.taken(len(message) if isinstance(message, bytes) else 0)
        return message

    async def wait_for_more(self) -> None:
        """Wait until more of a long message has come."""
        if self._ended:
            raise TransportError("INTERNAL", _BROKEN_OFF)
        await self._more()

    def taken(self, size: int) -> None:
        """Note that the handler has so many bytes: as many more may come."""
        self._waiting_bytes -= size
        self._acknowledge()

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
        if len(message) > self._max_bytes:
            raise TransportError("RESOURCE_EXHAUSTED", _too_large("The answer", len(message), self._max_bytes))
        self.begin()
        if not self.closed:
            await self._wire.send_data(self._id, _PREFIX.pack(0, len(message)), message)

    async def write_last(self, message: bytes) -> None:
        """Send the last message: it leaves in one piece with the status, which follows at once."""
        self._wire.cork()
        await self.write(message)

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
        if self._refused:
            pass  # the rest of a message that is too large
        elif (
            not self._partial
            and 5 <= len(data) <= 5 + self._max_bytes
            and len(data) == 5 + _PREFIX.unpack_from(data)[1]
        ):
            self._take(data[0], data[5:])  # one whole message, as most are
        else:
            self._partial += data
            self._split()
        self._acknowledge()
        self._wake()

    def receive_end(self) -> None:
        """Note that the client says no more."""
        self._ended = True
        if self._partial or self._gathered is not None:
            self._messages.append(TransportError("INTERNAL", _BROKEN_OFF))
        self._wake()

    def break_off(self, error: TransportError) -> None:
        """Note that the rest of the request will not come, and what the client is told of it."""
        self._partial.clear()
        self._gathered = None
        self._messages.append(error)
        self.receive_end()

    def _feed(self, message: LongMessage, data: bytes) -> bytes:
        rest = message.feed(data)
        self._waiting_bytes += len(data) - len(rest)
        if not message.missing:
            self._coming = None
        return rest

    def _split(self) -> None:
        while len(self._partial) >= 5:
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
            self._take(gathered.flag, b"".join(gathered.pieces))
        return rest

    def _take(self, flag: int, message: bytes) -> None:
        taken = self._unpacked(flag, message) if flag else message
        if not isinstance(taken, TransportError):
            self._waiting_bytes += len(taken)
        self._messages.append(taken)

    def _unpacked(self, flag: int, message: bytes) -> bytes | TransportError:
        if flag != 1:
            return TransportError(
                "INTERNAL",
                f"A message begins with the byte 0x{flag:02x}: it must be 0 (plain) or 1 (compressed).",
            )
        encoding = self.metadata.get("grpc-encoding", "identity")
        if encoding not in _WINDOW_BITS:
            return TransportError(
                "UNIMPLEMENTED",
                f"The request is compressed with '{encoding}'; the emulator takes identity, deflate and gzip.",
            )
        try:
            inflater = zlib.decompressobj(_WINDOW_BITS[encoding])
            plain = inflater.decompress(message, self._max_bytes)
        except zlib.error as error:
            return TransportError("INTERNAL", f"The request is said to be {encoding} and is not: {error}.")
        if inflater.unconsumed_tail:
            return TransportError(
                "RESOURCE_EXHAUSTED", f"The request unpacks to more than {self._max_bytes} bytes."
            )
        return plain

    def abandon(self) -> None:
        """Say nothing more: the client does not wait any longer."""
        self.closed = True

    def release(self) -> None:
        """Forget what the call has not read: it is over."""
        self._messages.clear()
        self._waiting_bytes = 0
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
