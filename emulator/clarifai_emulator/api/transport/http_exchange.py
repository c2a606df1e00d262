"""Carries one HTTP request and its answer: the body as it comes, the answer whole or in chunks.

    head ─► body (whole, or chunk by chunk) ─► handler ─► one answer  |  head, chunk, chunk, end

``http_server.HttpConnection`` (HTTP/1.1) or ``http2_exchange.HttpStream`` (HTTP/2) feeds it with what arrives and
sends what it says.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Protocol
from urllib.parse import parse_qsl

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.transport.packed_body import Unpacking, is_packed
from clarifai_emulator.api.transport.peer import Peer
from clarifai_emulator.api.transport.request_buffers import ConnectionBuffers, Pieces
from clarifai_emulator.errors import CallerError, describe
from clarifai_emulator.messages.header_text import sendable

log = logging.getLogger(__name__)

HttpHeaders = Mapping[str, str]
# Body bytes that may wait for whoever reads them chunk by chunk, or until somebody reads them at all; further ones
# stay with the sender.
_AHEAD = 1024 * 1024
# Chunks of an answer that are smaller are not counted: one waits at most.
_LARGE = 64 * 1024
# A body that is to be taken whole brings as many bytes within its connection's patience.
PROGRESS_BYTES = 64 * 1024
# How much of a body is unpacked before other connections have their turn.
_UNPACKED_AT_ONCE = 4 * 1024 * 1024


def _sendable(headers: HttpHeaders | None) -> dict[str, str]:
    return {name: sendable(value) for name, value in (headers or {}).items()}


class HttpProblem(Exception):
    """Ends a request with an HTTP status of its own: it never became a whole one, or no site takes it."""

    def __init__(self, status: int, code: int, details: str) -> None:
        super().__init__(details)
        self.status = status
        self.code = code
        self.details = details


class HttpWire(Protocol):
    """Sends for an exchange what it has to say."""

    def send_continue(self) -> None: ...

    async def send_answer(self, status: int, headers: HttpHeaders, body: bytes) -> None: ...

    async def send_head(self, status: int, headers: HttpHeaders) -> None: ...

    async def send_chunk(self, data: bytes) -> None: ...

    def read_more(self, wanted: bool) -> None: ...

    def give_up(self, reason: str, *, has_begun: bool) -> None:
        """Take note that there is no room for the request any longer; end an answer that ``has_begun``."""
        ...


class Exchange:
    """Holds a request (``method``, ``path`` as sent but for a slash at its end, ``query``, ``headers`` in lower
    case) and the way to answer it.

    ``max_bytes``: the largest body that is taken whole. ``buffers`` count what waits.
    """

    def __init__(
        self,
        wire: HttpWire,
        method: str,
        target: str,
        headers: HttpHeaders,
        *,
        peer: Peer,
        max_bytes: int,
        buffers: ConnectionBuffers,
    ) -> None:
        self.method = method
        path, _, self.query_string = target.partition("?")
        # The platform answers paths with a slash at their end, too: the documentation's curls of compute have one.
        self.path = path.removesuffix("/") if path.startswith("/v2/") else path
        self.headers = headers
        self.peer = peer
        self.started = False  # an answer has begun
        self.answer_headers: dict[str, str] = {}  # what every answer to this request carries
        self._wire = wire
        self._max_bytes = max_bytes
        self._pieces = Pieces()
        self._lent = 0  # bytes of what was read
        self._unsent = 0
        self._received = 0
        self._ended = False
        self._is_whole = False
        self._has_body = False
        self._as_stream = False
        self._is_paused = False
        self._problem: HttpProblem | None = None
        self._reader: asyncio.Future[None] | None = None
        self.buffers = buffers
        size = sum(len(name) + len(value) for name, value in headers.items())
        self._buffer = buffers.request(self._give_up, len(target) + size)

    # The handler's side.

    @property
    def query(self) -> list[tuple[str, str]]:
        """Return the query parameters in the order in which they were sent."""
        return parse_qsl(self.query_string, keep_blank_values=True)

    async def body(self) -> bytes:
        """Return the whole body, unpacked. Raises ``CallerError`` 11100 for one that cannot be unpacked, 40033 for
        one that is too large, ``HttpProblem`` for one that breaks off."""
        encoding = self.headers.get("content-encoding", "")
        packed = is_packed(encoding)
        announced = self.headers.get("content-length", "")
        if announced.isdigit() and int(announced) > self._max_bytes:
            raise self._too_large(f"{announced} bytes")
        self._wire.send_continue()
        self._is_whole = True
        self._read_more(True)
        while not self._ended and self._received <= self._max_bytes:
            await self._more()
        if self._problem is not None:
            raise self._problem
        if self._received > self._max_bytes:
            self._pieces.clear()
            raise self._too_large("more bytes")
        whole = b"".join(self._pieces.take())
        self._hold(len(whole))
        whole = await self._unpacked(whole, encoding) if packed else whole
        self._has_body = True
        self._buffer.put_in_hand(True)
        return whole

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes, unpacked, however long it takes. Raises ``CallerError`` 11100 for one that
        cannot be unpacked, ``HttpProblem`` for one that breaks off."""
        encoding = self.headers.get("content-encoding", "")
        unpacking = Unpacking(encoding) if is_packed(encoding) else None
        async for chunk in self._raw_chunks():
            for piece in unpacking.feed(chunk) if unpacking else (chunk,):
                yield piece
        if unpacking is not None:
            unpacking.end()

    async def _raw_chunks(self) -> AsyncIterator[bytes]:
        self._as_stream = True
        self._wire.send_continue()
        while True:
            for chunk in self._pieces.take():
                self._hold(len(chunk))
                yield chunk
            self._hold(0)
            self._read_more(True)
            if self._ended:
                return
            await self._more()

    async def _unpacked(self, packed: bytes, encoding: str) -> bytes:
        unpacking = Unpacking(encoding)
        whole, turn = bytearray(), 0
        for piece in unpacking.feed(packed):
            whole += piece
            if len(whole) > self._max_bytes:
                raise self._too_large(f"more bytes when it is unpacked ({len(packed)} as it came)")
            if len(whole) - turn >= _UNPACKED_AT_ONCE:
                turn = len(whole)
                self._hold(len(packed) + len(whole))
                await asyncio.sleep(0)
                if self._problem is not None:
                    raise self._problem
        unpacking.end()
        self._hold(len(whole))
        return bytes(whole)

    async def answer(self, status: int, body: bytes, content_type: str, headers: HttpHeaders | None = None) -> None:
        """Send the whole answer at once."""
        self.started = True
        fields = {"content-type": content_type, **self.answer_headers, **_sendable(headers)}
        self.hold_unsent(len(body))
        await self._wire.send_answer(status, fields, body)
        self.hold_unsent(0)

    async def begin(self, status: int, content_type: str, headers: HttpHeaders | None = None) -> None:
        """Send the head of an answer that comes in chunks; ``write`` them. It ends when the handler returns."""
        self.started = True
        fields = {"content-type": content_type, "cache-control": "no-cache", **self.answer_headers}
        await self._wire.send_head(status, {**fields, **_sendable(headers)})

    async def write(self, data: bytes) -> None:
        """Send one chunk of the answer; wait while the client takes no more."""
        if len(data) < _LARGE:
            await self._wire.send_chunk(data)
            return
        self.hold_unsent(len(data))
        await self._wire.send_chunk(data)
        self.hold_unsent(0)

    def hold(self, size: int) -> None:
        """Note how many bytes whoever reads the body as it comes keeps of it. Raises ``HttpProblem`` where there is
        no room for them."""
        self._hold(size)
        if self._problem is not None:
            raise self._problem

    @property
    def as_stream(self) -> bool:
        """Tell if the body is read as it comes: then nobody minds how long it takes."""
        return self._as_stream

    # The connection's side.

    def receive(self, data: bytes) -> None:
        """Take bytes of the body."""
        self._received += len(data)
        if self._problem is None and not self._buffer.has_ended:
            self._pieces.add(data)
            if not self._is_whole and self._pieces.size >= _AHEAD:
                self._read_more(False)
            self._hold(self._lent)
        self._wake()

    def receive_end(self) -> None:
        """Note that the body is complete."""
        self._ended = True
        self._wake()

    def fail(self, problem: HttpProblem) -> None:
        """Note that the rest of the body will not come."""
        self._problem = problem
        self._wake()

    def hold_unsent(self, size: int) -> None:
        """Note how many bytes of the answer wait for the client to read."""
        self._unsent = size
        self._buffer.put_in_hand(self._has_body and not size)
        self._hold(self._lent)

    def release(self) -> None:
        """Forget what nobody has read: the request is over."""
        self._pieces.clear()
        self._buffer.end()

    def _hold(self, lent: int) -> None:
        self._lent = lent
        self._buffer.hold(self._pieces.size + lent + self._unsent)

    def _give_up(self, reason: str) -> None:
        self._pieces.clear()
        self.fail(HttpProblem(429, StatusCode.RPC_REQUEST_QUEUE_FULL, reason))
        self._wire.give_up(reason, has_begun=self.started)

    def _read_more(self, wanted: bool) -> None:
        if wanted is self._is_paused:
            self._is_paused = not wanted
            self._wire.read_more(wanted)

    async def _more(self) -> None:
        if self._problem is None:
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        if self._problem is not None:
            raise self._problem

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def _too_large(self, size: str) -> CallerError:
        return CallerError(
            StatusCode.RPC_MAX_MESSAGE_SIZE_EXCEEDED,
            f"The body of the request has {size}; it may have {self._max_bytes} at most.",
            hint="Send large data as a URL, or over gRPC, which needs no base64.",
        )


ServeHttp = Callable[[Exchange], Awaitable[None]]


async def serve_exchange(serve: ServeHttp, exchange: Exchange) -> bool:
    """Let a site answer a request, and answer what it raises. Return False where an answer that has begun breaks
    off: it must not look complete."""
    try:
        await serve(exchange)
    except HttpProblem as problem:
        said = problem
    except Exception as error:
        log.exception("%s %s failed inside the emulator", exchange.method, exchange.path)
        text = f"The emulator failed ({type(error).__name__}); its log has the trace."
        said = HttpProblem(500, StatusCode.INTERNAL_UNCATEGORIZED, text)
    else:
        return True
    if exchange.started:
        return False
    await exchange.answer(said.status, problem_body(said), "application/json")
    return True


def problem_body(problem: HttpProblem) -> bytes:
    """Return the body of a problem, as the platform words its statuses."""
    status = {
        "code": problem.code,
        "description": describe(problem.code),
        "details": problem.details,
        "req_id": secrets.token_hex(16),
    }
    return json.dumps({"status": status}).encode()


def too_slow(part: str, seconds: float) -> HttpProblem:
    """Return the refusal of a request of which a part did not come in time."""
    details = f"The request came too slowly: its {part} within {seconds:g} s."
    return HttpProblem(408, StatusCode.RPC_REQUEST_TIMEOUT, details)
