"""Speaks HTTP/1.1: one connection, one request after the other. The protocol itself is the ``h11`` library's.

    bytes ─► h11 ─► Exchange ─► serve(exchange) in a task of its own ─► h11 ─► bytes

A client that goes away cancels that task. A client that sends too slowly, too much or nonsense is told so, with the
platform's status as JSON, and its connection ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Any, cast

import h11
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.transport.http_exchange import (
    PROGRESS_BYTES,
    Exchange,
    HttpHeaders,
    HttpProblem,
    ServeHttp,
    problem_body,
    serve_exchange,
    too_slow,
)
from clarifai_emulator.api.transport.peer import NO_PEER, Peer
from clarifai_emulator.api.transport.request_buffers import Buffers
from clarifai_emulator.background_work import begin

OnOdd = Callable[[str, str], None]

_REASONS = {each.value: each.phrase for each in HTTPStatus}
_HEAD_BYTES = 64 * 1024
# How long the head of a request may take, and how long each ``PROGRESS_BYTES`` of its body.
_PATIENCE_SECONDS = 30.0
# How long a connection is kept that nothing is asked on.
_IDLE_SECONDS = 75.0
# How many chunks of an answer go out in one go, before other connections have their turn.
_CHUNKS_AT_ONCE = 16
# How many parts of what came are dealt with before other connections have their turn.
_PARTS_AT_ONCE = 64
# How long what a client still sends is read past, so that it sees the answer that came early.
_LINGER_SECONDS = 2.0


class HttpConnection(asyncio.Protocol):
    """Serves one client's connection. ``serve`` answers each request; the connection is in ``connections`` while
    open. ``on_odd`` hears of clients that speak no proper HTTP. ``buffers`` count what waits."""

    def __init__(
        self,
        serve: ServeHttp,
        *,
        max_bytes: int,
        connections: set[HttpConnection],
        on_odd: OnOdd,
        buffers: Buffers,
    ) -> None:
        self._serve = serve
        self._max_bytes = max_bytes
        self._connections = connections
        self._on_odd = on_odd
        self._buffers = buffers.connection()
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD_BYTES)
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._peer = NO_PEER
        self._exchange: Exchange | None = None
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._head_began = False
        self._progress = 0
        self._lingering = False
        self._is_behind = False  # with what has come
        self._wants_more = True
        self._lost = False
        self._sent_at_once = 0
        self._idle_since = self._loop.time()
        self._may_write = asyncio.Event()
        self._may_write.set()

    @property
    def idle_since(self) -> float | None:
        """Return since when (of the loop's clock) no request is being answered; None while one is."""
        return None if self._exchange is not None else self._idle_since

    # asyncio's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast, not a check: transports of other event loops (uvloop) do not inherit from asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._peer = Peer.of(transport)
        self._connections.add(self)
        self._wait(_PATIENCE_SECONDS)

    def data_received(self, data: bytes) -> None:
        if self._lingering:
            return
        try:
            self._h11.receive_data(data)
            self._advance()
        except h11.RemoteProtocolError as error:
            self._refuse(error)

    def eof_received(self) -> bool:
        if not self._lingering:
            try:
                self._h11.receive_data(b"")
                self._advance()
            except h11.RemoteProtocolError as error:
                exchange = self._exchange
                self._refuse(error)
                return exchange is None or not exchange.as_stream  # it may still listen for what was wrong
        return False  # HTTP clients do not hang up one half: whoever closes waits for no answer

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._connections.discard(self)
        self._stop_waiting()
        self._may_write.set()
        self._buffers.close()
        if self._exchange is not None:
            self._exchange.release()
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    def abort(self) -> None:
        """End the connection now."""
        self._connections.discard(self)
        if self._transport is not None:
            self._transport.abort()

    async def close(self) -> None:
        """Cancel what is being answered, and end the connection."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.wait([self._task])
        if self._transport is not None:
            self._transport.close()

    # What arrives.

    def _advance(self) -> None:
        for _ in range(_PARTS_AT_ONCE):
            event = self._h11.next_event()
            if event is h11.NEED_DATA:
                if self._exchange is None and not self._head_began and self._h11.trailing_data[0]:
                    self._head_began = True
                    self._wait(_PATIENCE_SECONDS)
                return
            if event is h11.PAUSED:
                self.read_more(False)  # the next request, before this one is answered
                return
            if isinstance(event, h11.Request):
                self._begin(event)
            elif isinstance(event, h11.Data):
                self._take(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                self._stop_waiting()
                if self._exchange is not None:
                    self._exchange.receive_end()
            elif isinstance(event, h11.ConnectionClosed):
                if self._task is None and self._transport is not None:
                    self._transport.close()
                return
        self._go_on_later()

    def _go_on_later(self) -> None:
        """Let others have their turn before what has come is dealt with further."""
        self._is_behind = True
        self._pause_or_read()
        self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        self._is_behind = False
        if self._lost or self._lingering:
            return
        self._pause_or_read()
        try:
            self._advance()
        except h11.RemoteProtocolError as error:
            self._refuse(error)

    def _begin(self, request: h11.Request) -> None:
        headers: dict[str, str] = {}
        for name, value in request.headers:
            headers[name.decode("ascii")] = value.decode("utf-8", "replace")
        if "transfer-encoding" in headers and "content-length" in headers:
            # Whoever reads it by the one finds another end than who reads it by the other (RFC 9112, 6.3).
            raise h11.RemoteProtocolError("both Transfer-Encoding and Content-Length")
        host, path = _parted(request.target.decode("ascii", "replace"))
        if host:
            headers["host"] = host
        self._head_began = False
        self._progress = 0
        self._exchange = Exchange(
            self,
            request.method.decode("ascii"),
            path,
            headers,
            peer=self._peer,
            max_bytes=self._max_bytes,
            buffers=self._buffers,
        )
        self._wait(_PATIENCE_SECONDS)
        self._task = begin(self._run(self._exchange), "request over HTTP/1.1", self._run_failed)

    def _take(self, data: bytes) -> None:
        self._progress += len(data)
        if self._progress >= PROGRESS_BYTES:
            self._progress = 0
            self._wait(_PATIENCE_SECONDS)
        if self._exchange is not None:
            self._exchange.receive(data)

    def _run_failed(self, reason: str) -> None:
        self._task = None
        self.abort()

    async def _run(self, exchange: Exchange) -> None:
        try:
            is_whole = await serve_exchange(self._serve, exchange)
        except asyncio.CancelledError:
            self._task = None
            self.abort()
            raise
        if not is_whole:
            self.abort()
        self._finish()

    def _finish(self) -> None:
        """End an answer that has been given, and turn to the next request, or to the door."""
        self._task = None
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.release()
        self._idle_since = self._loop.time()
        if self._lost or exchange is None or self._transport is None or self._lingering:
            return
        if self._h11.our_state is h11.SEND_BODY:
            self._send(h11.EndOfMessage())
        if self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE:
            self._h11.start_next_cycle()
            self._wait(_IDLE_SECONDS)
            self.read_more(True)
            try:
                self._advance()
            except h11.RemoteProtocolError as error:
                self._refuse(error)
        elif self._h11.their_state in (h11.SEND_BODY, h11.ERROR):
            self._linger()
        else:
            self._transport.close()

    def _linger(self) -> None:
        """Close without a reset: a client that is still sending would lose the answer to it."""
        assert self._transport is not None
        self._lingering = True
        self._stop_waiting()
        self.read_more(True)
        with suppress(OSError, RuntimeError):
            self._transport.write_eof()
        self._timer = self._loop.call_later(_LINGER_SECONDS, self._transport.close)

    # What goes wrong.

    def _refuse(self, error: h11.RemoteProtocolError) -> None:
        what = str(error).partition(": bytearray")[0]  # not what was sent: it may be a credential
        self._on_odd("http", f"no proper HTTP/1.1: {what}")
        details = f"The request is no proper HTTP/1.1: {what}."
        self._give_up(HttpProblem(error.error_status_hint, StatusCode.CONN_BAD_REQUEST_FORMAT, details))

    def _give_up(self, problem: HttpProblem) -> None:
        """Answer what never became a whole request. Its handler, if one waits for the rest, says it."""
        self._stop_waiting()
        if self._exchange is not None:
            self._exchange.fail(problem)
        elif self._h11.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = problem_body(problem)
            fields = {"content-type": "application/json", "connection": "close"}
            self._write(self._answer_bytes(problem.status, fields, body))
            self._linger()
        else:
            self.abort()

    def _wait(self, seconds: float) -> None:
        self._stop_waiting()
        self._timer = self._loop.call_later(seconds, self._expire)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        self._timer = None
        exchange = self._exchange
        if exchange is None and not self._head_began:
            if self._transport is not None:
                self._transport.close()  # nothing was asked: nothing to say
        elif exchange is None or not exchange.as_stream:
            self._on_odd("silence", "an HTTP request that was begun did not come to its end in time")
            body = f"body brought fewer than {PROGRESS_BYTES} bytes"
            self._give_up(too_slow("head was not complete" if exchange is None else body, _PATIENCE_SECONDS))

    # What an exchange says.

    def send_continue(self) -> None:
        if self._h11.they_are_waiting_for_100_continue:
            self._send(h11.InformationalResponse(status_code=100, headers=[]))

    async def send_answer(self, status: int, headers: HttpHeaders, body: bytes) -> None:
        if self._lost:
            return
        fields = dict(headers)
        if self._h11.their_state in (h11.SEND_BODY, h11.ERROR):
            fields["connection"] = "close"
        self._write(self._answer_bytes(status, fields, body))
        await self._may_write.wait()

    async def send_head(self, status: int, headers: HttpHeaders) -> None:
        if not self._lost:
            self._send(_head(status, headers))

    async def send_chunk(self, data: bytes) -> None:
        if not self._lost:
            self._send(h11.Data(data=data))
        await self._may_write.wait()
        self._sent_at_once += 1
        if self._sent_at_once >= _CHUNKS_AT_ONCE or self._is_ending():
            self._sent_at_once = 0
            await asyncio.sleep(0)  # a quick handler would keep the loop, and never hear that its client left

    def _is_ending(self) -> bool:
        return self._lost or self._transport is None or self._transport.is_closing()

    def give_up(self, reason: str, *, has_begun: bool) -> None:
        self._on_odd("buffers", reason)
        if has_begun:
            self.abort()

    def read_more(self, wanted: bool) -> None:
        self._wants_more = wanted
        self._pause_or_read()

    def _pause_or_read(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            if self._wants_more and not self._is_behind:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def _answer_bytes(self, status: int, headers: dict[str, str], body: bytes) -> bytes:
        headers["content-length"] = str(len(body))
        head = self._h11.send(_head(status, headers))
        no_body = self._exchange is not None and self._exchange.method == "HEAD"
        rest = b"" if no_body or not body else self._h11.send(h11.Data(data=body))
        return (head or b"") + (rest or b"") + (self._h11.send(h11.EndOfMessage()) or b"")

    def _send(self, event: Any) -> None:
        self._write(self._h11.send(event) or b"")

    def _write(self, data: bytes) -> None:
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)


def _parted(target: str) -> tuple[str, str]:
    """Return the host and the path of a request's target, which names the host where a client takes this for its
    proxy; then that host counts, whatever the field says (RFC 9112, 3.2.2)."""
    scheme, _, rest = target.partition("://")
    if scheme.lower() not in ("http", "https"):
        return "", target
    host, _, path = rest.partition("/")
    return host, f"/{path}"


def _head(status: int, headers: HttpHeaders) -> h11.Response:
    return h11.Response(status_code=status, headers=list(headers.items()), reason=_REASONS.get(status, ""))
