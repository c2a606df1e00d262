"""Serves gRPC-Web, as pages in a browser speak gRPC: a POST whose body has the messages, binary or as base64.

    POST /SERVICE/METHOD (grpc-timeout, metadata) ─► [base64] ─► length-prefixed messages ─► GrpcStream ─► method
    ◄─ 200 ◄─ [base64] ◄─ length-prefixed messages, then one frame (0x80) with the status and the trailers

The protocol: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md. Browsers have unary calls and streams of
answers; a stream of requests is served, too, but a browser sends all of it before it reads.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
import struct
from contextlib import suppress
from functools import partial

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.transport.grpc_stream import GrpcStream, Headers
from clarifai_emulator.api.transport.http2 import Find
from clarifai_emulator.api.transport.http_exchange import Exchange, HttpProblem
from clarifai_emulator.background_work import begin
from clarifai_emulator.errors import CallerError, TransportError

_BINARY = "application/grpc-web"
_TEXT = "application/grpc-web-text"
_CONTENT_TYPE = re.compile(r"(application/grpc-web(?:-text)?)(?:\+proto)?\s*(?:;.*)?")
_TRAILERS = struct.Struct(">BI")
_TRAILERS_FLAG = 0x80
# Bytes of the body that may wait for the handler.
_AHEAD = 4 * 1024 * 1024
_WHITESPACE = b" \t\r\n"
_PADDING = re.compile(rb"=+")
# What the HTTP answer has fields of its own for, and what is said of frames that a browser does not unpack.
_SAID_OTHERWISE = frozenset({":status", "content-type", "grpc-accept-encoding"})


class GrpcWeb:
    """Answers gRPC-Web requests with the methods that ``find`` has, with messages of up to ``max_bytes``."""

    def __init__(self, find: Find, *, max_bytes: int) -> None:
        self._find = find
        self._max_bytes = max_bytes

    async def serve(self, exchange: Exchange) -> None:
        """Answer one request."""
        asked = _kind(exchange)
        wire = _WebWire(exchange, _kind_of_answer(exchange, asked))
        headers = {":path": exchange.path, **exchange.headers}
        stream = GrpcStream(
            wire, 0, headers, peer=exchange.peer, max_bytes=self._max_bytes, buffers=exchange.buffers
        )
        feeding = begin(_feed(exchange, stream, wire, asked), "body of a gRPC-Web request", partial(_fail, stream))
        try:
            async with asyncio.timeout(stream.seconds_left):
                await stream.run(self._find(exchange.path) or _unknown)
        except TimeoutError:
            stream.end(TransportError("DEADLINE_EXCEEDED", "The time that the client gave this call has passed."))
        finally:
            stream.release()
            feeding.cancel()
            with suppress(asyncio.CancelledError):
                await feeding
        await wire.finish()


class _WebWire:
    """Sends what a stream has to say as the answer to one request."""

    def __init__(self, exchange: Exchange, kind: str) -> None:
        self._exchange = exchange
        self._kind = kind
        self._initial: dict[str, str] = {}
        self._trailers: list[tuple[str, str]] = []
        self._unread = 0
        self._has_room = asyncio.Event()
        self._has_room.set()

    def send_headers(self, stream_id: int, headers: Headers, *, end: bool) -> None:
        fields = [(str(name), str(value)) for name, value in headers]
        status_at = next((at for at, (name, _) in enumerate(fields) if name == "grpc-status"), len(fields))
        self._initial |= {name: value for name, value in fields[:status_at] if name not in _SAID_OTHERWISE}
        if end:
            self._trailers = fields[status_at:]

    async def send_data(self, stream_id: int, *pieces: bytes | memoryview) -> None:
        data = b"".join(pieces)
        if not self._exchange.started:
            await self._exchange.begin(200, f"{self._kind}+proto", self._initial)
        await self._exchange.write(base64.b64encode(data) if self._kind == _TEXT else data)

    def flush(self) -> None:
        """Say nothing: each chunk is sent as it is written."""

    def cork(self) -> None:
        """Say nothing: each chunk is sent as it is written."""

    def acknowledge(self, stream_id: int, size: int) -> None:
        self._unread -= size
        if self._unread < _AHEAD:
            self._has_room.set()

    def reset(self, stream_id: int) -> None:
        """Say nothing: the rest of a body that nobody reads ends with the answer."""

    def give_up(self, stream_id: int, reason: str) -> None:
        """Say nothing: whoever reads the stream hears of it, and the answer has its status."""

    async def room_for(self, size: int) -> None:
        """Wait until the stream has taken most of what it was fed before."""
        await self._has_room.wait()
        self._unread += size
        if self._unread >= _AHEAD:
            self._has_room.clear()

    async def finish(self) -> None:
        """Send the frame with the status and the trailers."""
        text = "".join(f"{name}: {value}\r\n" for name, value in self._trailers).encode("latin-1", "replace")
        await self.send_data(0, _TRAILERS.pack(_TRAILERS_FLAG, len(text)) + text)


async def _feed(exchange: Exchange, stream: GrpcStream, wire: _WebWire, kind: str) -> None:
    """Give the stream what the body has, as it comes."""
    decoder = _Base64() if kind == _TEXT else None
    try:
        async for chunk in exchange.chunks():
            data = decoder.feed(chunk) if decoder else chunk
            await wire.room_for(len(data))
            stream.receive(data, len(data))
        if decoder:
            decoder.end()
    except CallerError as error:
        stream.break_off(TransportError("INVALID_ARGUMENT", error.message))
    except HttpProblem as problem:
        name = "RESOURCE_EXHAUSTED" if problem.status == 429 else "INTERNAL"
        stream.break_off(TransportError(name, problem.details))
    else:
        stream.receive_end()


def _fail(stream: GrpcStream, reason: str) -> None:
    stream.break_off(TransportError("INTERNAL", f"The emulator failed while it read the body: {reason}."))


class _Base64:
    """Decodes base64 as it comes: broken anywhere, with line breaks, of several parts with their own padding."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """Return what the next characters add. Raises ``CallerError`` for what is no base64."""
        text = self._rest + data.translate(None, _WHITESPACE)
        whole = len(text) - len(text) % 4
        text, self._rest = text[:whole], text[whole:]
        ends = [match.end() for match in _PADDING.finditer(text)]
        try:
            return b"".join(
                base64.b64decode(text[begin:end], validate=True)
                for begin, end in zip([0, *ends], [*ends, whole], strict=True)
            )
        except binascii.Error as error:
            raise _no_base64(str(error)) from None

    def end(self) -> None:
        """Take note that no more comes. Raises ``CallerError`` where it breaks off."""
        if self._rest:
            raise _no_base64("it breaks off between two groups of four characters")


def _no_base64(what: str) -> CallerError:
    return CallerError(
        StatusCode.CONN_BAD_REQUEST_FORMAT,
        f"The body of a gRPC-Web request with content-type {_TEXT} must be base64: {what}.",
        hint=f"Bytes as they are go with content-type {_BINARY}.",
    )


def _kind(exchange: Exchange) -> str:
    """Return which form the request has. Raises ``HttpProblem`` for one that is no gRPC-Web."""
    if exchange.method != "POST":
        exchange.answer_headers["allow"] = "POST"
        text = f"There is no {exchange.method} {exchange.path[:300]}: a method of gRPC is called with POST."
        raise HttpProblem(405, StatusCode.CONN_METHOD_NOT_ALLOWED, text)
    content_type = exchange.headers.get("content-type", "")
    match = _CONTENT_TYPE.fullmatch(content_type.lower())
    if match is None:
        raise HttpProblem(
            415,
            StatusCode.CONN_BAD_REQUEST_FORMAT,
            f"{exchange.path[:300]} is a method of gRPC, and the request has content-type {content_type[:100]!r}. "
            f"Send gRPC-Web ({_BINARY}+proto or {_TEXT}), or gRPC over HTTP/2 (application/grpc); "
            "the REST API is below /v2.",
        )
    return match[1]


def _kind_of_answer(exchange: Exchange, asked: str) -> str:
    """Return which form the client wants: as it says itself, else as it asked."""
    accepted = exchange.headers.get("accept", "").lower()
    if _TEXT in accepted:
        return _TEXT
    return _BINARY if _BINARY in accepted else asked


async def _unknown(stream: GrpcStream) -> None:
    raise TransportError("UNIMPLEMENTED", f"There is no method {stream.path[:300]} over gRPC-Web.")
