"""Carries one HTTP request over one HTTP/2 stream, for clients that speak HTTP/2 from the first byte on.

    HEADERS (:method, :path) ─► DATA (body) ─► END_STREAM, maybe behind trailers, which nobody reads
    ◄─ HEADERS (:status)      ◄─ DATA        ◄─ END_STREAM

``http2.Connection`` feeds it with what arrives; the ``Exchange`` in it says the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.transport.grpc_stream import Headers
from clarifai_emulator.api.transport.http2_frames import ErrorCode
from clarifai_emulator.api.transport.http_exchange import (
    PROGRESS_BYTES,
    Exchange,
    HttpHeaders,
    HttpProblem,
    ServeHttp,
    serve_exchange,
    too_slow,
)
from clarifai_emulator.api.transport.peer import Peer
from clarifai_emulator.api.transport.request_buffers import ConnectionBuffers

# How long each ``PROGRESS_BYTES`` of a body may take.
_PATIENCE_SECONDS = 30.0
# How long what a client still sends is read past, so that it sees the answer that came early.
_LINGER_SECONDS = 2.0
# Fields that are about one connection of HTTP/1.1.
_OF_HTTP1 = frozenset({"connection", "keep-alive", "transfer-encoding"})


class StreamWire(Protocol):
    """Sends for a stream what it has to say (``http2.Connection``)."""

    def send_headers(self, stream_id: int, headers: Headers, *, end: bool) -> None: ...

    async def send_data(self, stream_id: int, *pieces: bytes, end: bool = False) -> None: ...

    def acknowledge(self, stream_id: int, size: int) -> None: ...

    def reset(self, stream_id: int, code: ErrorCode = ...) -> None: ...

    def give_up(self, stream_id: int, reason: str) -> None: ...


class HttpStream:
    """Serves one request. ``serve`` answers it; ``max_bytes``: the largest body that is taken whole."""

    def __init__(
        self,
        wire: StreamWire,
        stream_id: int,
        headers: Mapping[str, str],
        *,
        peer: Peer,
        max_bytes: int,
        buffers: ConnectionBuffers,
        serve: ServeHttp,
    ) -> None:
        self._wire = wire
        self._id = stream_id
        self._serve = serve
        self._exchange = Exchange(
            self,
            headers.get(":method", ""),
            headers.get(":path", ""),
            _fields(headers),
            peer=peer,
            max_bytes=max_bytes,
            buffers=buffers,
        )
        self._progress = 0
        self._unacknowledged = 0
        self._takes_more = True
        self._has_ended = False
        self._is_gone = False
        self._answer_ended = False
        self._timer = asyncio.get_running_loop().call_later(_PATIENCE_SECONDS, self._expire)

    async def run(self) -> None:
        """Answer the request; whatever becomes of it, the stream ends."""
        try:
            if await serve_exchange(self._check_and_serve, self._exchange):
                await self._end()
            else:
                self._wire.reset(self._id, ErrorCode.INTERNAL_ERROR)
        except asyncio.CancelledError:
            if not self._is_gone:
                self._wire.reset(self._id, ErrorCode.CANCEL)
            raise

    async def _check_and_serve(self, exchange: Exchange) -> None:
        if not exchange.method or not exchange.path.startswith(("/", "*")):
            raise HttpProblem(
                400, StatusCode.CONN_BAD_REQUEST_FORMAT, "An HTTP/2 request must have a :method and a :path."
            )
        await self._serve(exchange)

    async def _end(self) -> None:
        if not self._answer_ended and not self._is_gone:
            self._answer_ended = True
            await self._wire.send_data(self._id, b"", end=True)
        if not self._has_ended and not self._is_gone:
            # Nobody reads the rest of the body; but a client that is told so at once may lose the answer to it.
            loop = asyncio.get_running_loop()
            loop.call_later(_LINGER_SECONDS, self._wire.reset, self._id, ErrorCode.NO_ERROR)

    # The connection's side.

    def receive(self, data: bytes, size: int) -> None:
        """Take bytes of the body; ``size`` is what they count for in flow control."""
        self._unacknowledged += size
        self._exchange.receive(data)
        if self._takes_more:
            self._acknowledge()
        self._progress += len(data)
        if self._progress >= PROGRESS_BYTES:
            self._progress = 0
            self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_later(_PATIENCE_SECONDS, self._expire)

    def receive_end(self) -> None:
        """Note that the body is complete."""
        self._has_ended = True
        self._timer.cancel()
        self._exchange.receive_end()

    def abandon(self) -> None:
        """Say nothing more: the client does not wait any longer."""
        self._is_gone = True

    def release(self) -> None:
        """Give the room of what was not read back to the connection."""
        self._timer.cancel()
        self._exchange.release()
        self._acknowledge()

    def hold_unsent(self, size: int) -> None:
        """Note how many bytes of the answer wait for the client to read."""
        self._exchange.hold_unsent(size)

    def _acknowledge(self) -> None:
        size, self._unacknowledged = self._unacknowledged, 0
        self._wire.acknowledge(self._id, size)

    def _expire(self) -> None:
        if not self._exchange.as_stream:
            self._exchange.fail(too_slow(f"body brought fewer than {PROGRESS_BYTES} bytes", _PATIENCE_SECONDS))

    # What the exchange says.

    def give_up(self, reason: str, *, has_begun: bool) -> None:
        """End an answer that has begun; another says why it is none."""
        if has_begun and not self._is_gone:
            self._wire.reset(self._id, ErrorCode.ENHANCE_YOUR_CALM)
            self._wire.give_up(self._id, reason)

    def send_continue(self) -> None:
        """Say nothing: flow control tells an HTTP/2 client that it may send."""

    async def send_answer(self, status: int, headers: HttpHeaders, body: bytes) -> None:
        """Send the whole answer."""
        is_empty = not body or self._exchange.method == "HEAD"
        self._send_head(status, {**headers, "content-length": str(len(body))}, end=is_empty)
        self._answer_ended = True
        if not is_empty and not self._is_gone:
            await self._wire.send_data(self._id, body, end=True)

    async def send_head(self, status: int, headers: HttpHeaders) -> None:
        """Send the head of an answer that comes in chunks."""
        self._answer_ended = self._exchange.method == "HEAD"
        self._send_head(status, headers, end=self._answer_ended)

    async def send_chunk(self, data: bytes) -> None:
        """Send one chunk; wait while the client takes no more."""
        if not self._answer_ended and not self._is_gone:
            await self._wire.send_data(self._id, data)
        await asyncio.sleep(0)  # a quick handler would keep the loop, and never hear that its client left

    def read_more(self, wanted: bool) -> None:
        """Take more of the body, or leave it with the client for now."""
        self._takes_more = wanted
        if wanted:
            self._acknowledge()

    def _send_head(self, status: int, headers: HttpHeaders, *, end: bool) -> None:
        if self._is_gone:
            return
        fields: Headers = [(":status", str(status))]
        fields += [(name.lower(), value) for name, value in headers.items() if name.lower() not in _OF_HTTP1]
        self._wire.send_headers(self._id, fields, end=end)


def _fields(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the header fields as HTTP/1.1 has them: the host is one of them, and each name in lower case."""
    fields = {name.lower(): value for name, value in headers.items() if not name.startswith(":")}
    if ":authority" in headers:
        fields["host"] = headers[":authority"]
    return fields
