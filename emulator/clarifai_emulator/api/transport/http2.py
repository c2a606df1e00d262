"""Serves one HTTP/2 connection: its calls, their tasks and deadlines. The protocol itself is ``http2_session``'s.

    ┌─ content-type application/grpc ─► a GrpcStream, served by a method of the RPCs
    └─ any other ─► an HttpStream (http2_exchange.py), served by the sites; a port without HTTP says so

Each is served by a task of its own. A client that resets a stream, runs out of time or goes away cancels that task.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Protocol, cast

from clarifai_emulator.api.transport.grpc_stream import GrpcStream, Headers
from clarifai_emulator.api.transport.http2_frames import ConnectionFault, ErrorCode
from clarifai_emulator.api.transport.http2_session import MOST_STREAMS, Session
from clarifai_emulator.api.transport.peer import NO_PEER, Peer
from clarifai_emulator.api.transport.request_buffers import Buffers, ConnectionBuffers
from clarifai_emulator.background_work import begin
from clarifai_emulator.errors import TransportError

log = logging.getLogger(__name__)

Serve = Callable[[GrpcStream], Awaitable[None]]
Find = Callable[[str], Serve | None]
OnOdd = Callable[[str, str], None]

_GRPC = "application/grpc"
_GRPC_WEB = "application/grpc-web"
_NO_HTTP = b"Only gRPC is spoken at this address: content-type must be application/grpc.\n"

# A peer whose machine has vanished says no goodbye. When nothing was heard for so long, the system asks, and after
# a few questions without an answer the connection ends. Seconds.
_SILENT_SECONDS = 20
_ASK_EVERY_SECONDS = 5
_QUESTIONS = 3
# Of a large message, so much is given to the socket together: its reader need not wait for all of it.
_WRITTEN_AT_ONCE = 256 * 1024
# How long a client that floods finds nobody at its connection.
_SHUT_OUT_SECONDS = 1.0
# How many calls are given up in one turn of the event loop, where a client with many is gone.
_DROPPED_AT_ONCE = 64
# How long a client may take for the rest of a hello or a frame that it has begun, where it waits for no answer.
_PATIENCE_SECONDS = 30.0
# The frames that may wait for a client that reads nothing, and has not to be waited for when they are sent.
_MOST_UNASKED = 50_000


class ServedStream(Protocol):
    """Takes what arrives on one stream, and serves it."""

    def receive(self, data: bytes, size: int) -> None:
        """Take bytes; ``size`` is what they count for in flow control."""
        ...

    def receive_end(self) -> None:
        """Note that the client says no more."""
        ...

    def abandon(self) -> None:
        """Say nothing more: the client does not wait any longer."""
        ...

    def release(self) -> None:
        """Forget what has not been read."""
        ...

    def hold_unsent(self, size: int) -> None:
        """Note how many bytes of the answer wait for the client to read."""
        ...


class RequestStream(ServedStream, Protocol):
    """Serves one HTTP request that came on a stream (``http2_exchange.HttpStream``)."""

    async def run(self) -> None:
        """Answer the request."""
        ...


# Makes what serves a request that is no call of gRPC: of its connection, its stream's id, its headers, its peer,
# and what counts its bytes.
TakeRequest = Callable[["Connection", int, Mapping[str, str], Peer, ConnectionBuffers], RequestStream]


@dataclass(frozen=True, slots=True)
class _Call:
    """Holds a stream that is being served, and until when."""

    stream: ServedStream
    task: asyncio.Task[None]
    timer: asyncio.TimerHandle | None


class Connection(asyncio.Protocol):
    """Serves one client's connection. ``find(path)`` gives what serves a method, ``take_request`` what serves other
    requests than gRPC's; the connection is in ``connections`` while open. ``on_odd`` hears of clients that do not
    speak HTTP/2 as they should. ``buffers`` count what waits."""

    def __init__(
        self,
        find: Find,
        *,
        max_bytes: int,
        connections: set[Connection],
        on_odd: OnOdd,
        buffers: Buffers,
        take_request: TakeRequest | None = None,
    ) -> None:
        self._find = find
        self._max_bytes = max_bytes
        self._connections = connections
        self._on_odd = on_odd
        self._take_request = take_request
        self._buffers = buffers.connection()
        self._session = Session(self)
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._peer = NO_PEER
        self._calls: dict[int, _Call] = {}
        self._leaving: set[asyncio.Task[None]] = set()  # cancelled, and not over yet
        self._flushing = False
        self._idle_since = self._heard = self._loop.time()
        self._patience: asyncio.TimerHandle | None = None
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._short: dict[int, asyncio.Future[None]] = {}  # streams whose windows have no room
        # Those that wait for room in the connection's, in their order.
        self._queue: OrderedDict[asyncio.Future[None], None] = OrderedDict()

    @property
    def idle_since(self) -> float | None:
        """Return since when (of the loop's clock) no call is being served; None while one is."""
        return None if self._calls else self._idle_since

    # asyncio's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast, not a check: transports of other event loops (uvloop) do not inherit from asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._peer = Peer.of(transport)
        _notice_if_it_vanishes(transport.get_extra_info("socket"))
        self._connections.add(self)
        self.flush()
        self._be_patient()

    def data_received(self, data: bytes) -> None:
        self._flushing = True  # what is said meanwhile goes out below
        try:
            self._heard = self._loop.time()
            self._session.pace.tick(self._heard)
            self._session.receive(data)
            self._check_pace()
        except ConnectionFault as error:
            log.debug("%s does not speak HTTP/2 as it should: %s", self._peer, error)
            self._on_odd("http2", f"no proper HTTP/2: {str(error)[:200]}")
            self._session.goodbye(error.code)
            self.flush()
            if not self._may_write.is_set():
                self.abort()  # it reads nothing: not the goodbye either
            elif error.code is ErrorCode.ENHANCE_YOUR_CALM:
                self._shut_out()
            else:
                self._close()
        else:
            self.flush()
            if self._session.has_more:
                self._pause()
            elif self._session.is_leaving:
                self._leave()
            if self._patience is None and self._session.is_midway:
                self._be_patient()

    def _be_patient(self) -> None:
        self._patience = self._loop.call_later(_PATIENCE_SECONDS, self._lose_patience)

    def _lose_patience(self) -> None:
        """Close the connection of a client that says no more, in the middle of something, and waits for nothing."""
        self._patience = None
        if not self._session.is_midway:
            return
        if self._calls or self._loop.time() < self._heard + _PATIENCE_SECONDS:
            self._be_patient()
            return
        self._on_odd("silence", f"the rest of a hello or a frame of HTTP/2 not within {_PATIENCE_SECONDS:g} s")
        self._session.goodbye()
        self.flush()
        self._close()

    def _pause(self) -> None:
        """Let others have their turn before what has come is dealt with further."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()
            self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
            self.data_received(b"")

    def _leave(self) -> None:
        """Close the connection of a client that has said goodbye, once it has all its answers."""
        if not self._calls and self._transport is not None and not self._transport.is_closing():
            self._session.goodbye()
            self.flush()
            self._close()

    def _shut_out(self) -> None:
        """Hear nothing more of a client that floods, and close later: it would be here again at once."""
        self._drop_all()
        if self._transport is not None:
            self._transport.pause_reading()
            self._loop.call_later(_SHUT_OUT_SECONDS, self._close)

    def _check_pace(self) -> None:
        """Refuse a client that asks for more and more, and reads no answer, or gives up whatever it asks for."""
        if len(self._leaving) > MOST_STREAMS:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "more resets than can be followed")
        if self._session.unasked > _MOST_UNASKED:
            if not self._may_write.is_set():
                raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "more and more to answer, and no answer is read")
            self._session.count_anew()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        if self._patience is not None:
            self._patience.cancel()
        self._buffers.close()
        self._drop_all()

    def _drop_all(self) -> None:
        """Give up every call, some in each turn: others are waiting."""
        for stream_id in tuple(islice(self._calls, _DROPPED_AT_ONCE)):
            self._drop(stream_id)
        if self._calls:
            self._loop.call_soon(self._drop_all)

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    async def close(self) -> None:
        """Say goodbye, end every call, close."""
        tasks = [call.task for call in self._calls.values()]
        for stream_id in tuple(self._calls):
            self._drop(stream_id)
        await asyncio.gather(*tasks, return_exceptions=True)
        self._session.goodbye()
        self.flush()
        self._close()

    def abort(self) -> None:
        """Close without waiting for a client that does not read."""
        self._connections.discard(self)
        if self._transport is not None:
            self._transport.abort()

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def flush(self) -> None:
        """Send what has been said so far."""
        self._flushing = False
        pieces = self._session.take()
        # A transport that is closed refuses several pieces at once, since Python 3.12.
        if pieces and self._transport is not None and not self._transport.is_closing():
            self._transport.writelines(pieces)

    def cork(self) -> None:
        """Let what is said from now on wait for what ends it, which sends all of it in one piece."""
        self._flushing = True

    def _flush_soon(self) -> None:
        """Send with what else is said in this turn of the event loop: a stream's chunks often come together."""
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self.flush)

    # What arrives.

    def request_came(self, stream_id: int, fields: Mapping[str, str]) -> None:
        kind = fields.get("content-type", "")
        if kind.startswith(_GRPC) and not kind.startswith(_GRPC_WEB):
            self._begin_call(stream_id, fields)
        elif self._take_request is not None:
            request = self._take_request(self, stream_id, fields, self._peer, self._buffers)
            serving, name = self._serve_request(stream_id, request), "request over HTTP/2"
            task = begin(serving, name, partial(self._serve_failed, stream_id))
            self._calls[stream_id] = _Call(request, task, None)
        else:
            self._refuse_request(stream_id)

    def data_came(self, stream_id: int, data: bytes, size: int) -> None:
        call = self._calls.get(stream_id)
        if call is not None:
            call.stream.receive(data, size)
        else:
            self._session.acknowledge(stream_id, size)

    def request_ended(self, stream_id: int) -> None:
        call = self._calls.get(stream_id)
        if call is not None:
            call.stream.receive_end()

    def stream_was_reset(self, stream_id: int) -> None:
        self._drop(stream_id)

    def window_grew(self, stream_id: int) -> None:
        if stream_id:
            _wake(self._short.get(stream_id))
        else:
            self._wake_next()

    def all_windows_grew(self) -> None:
        for waiting in self._short.values():
            _wake(waiting)
        self._wake_next()

    def _wake_next(self) -> None:
        """Let the stream that has waited longest for room in the connection's window have it."""
        while self._queue and self._session.has_room:
            if _wake(self._queue.popitem(last=False)[0]):
                return

    def _begin_call(self, stream_id: int, headers: Mapping[str, str]) -> None:
        stream = GrpcStream(
            self,
            stream_id,
            headers,
            peer=self._peer,
            max_bytes=self._max_bytes,
            buffers=self._buffers,
            more=self._session.fields_cost,
        )
        if stream.closed:
            return  # there was no room for it
        task = begin(self._serve(stream_id, stream), "gRPC call", partial(self._serve_failed, stream_id))
        timer = None
        if stream.seconds_left is not None:
            timer = self._loop.call_later(stream.seconds_left, self._expire, stream_id)
        self._calls[stream_id] = _Call(stream, task, timer)

    def _refuse_request(self, stream_id: int) -> None:
        self._session.send_headers(stream_id, [(":status", "415"), ("content-type", "text/plain")])
        if self._session.window(stream_id) >= len(_NO_HTTP):
            self._session.send_data(stream_id, _NO_HTTP, end=True)
        else:
            self._session.reset(stream_id, ErrorCode.REFUSED_STREAM)
        self._flush_soon()

    def _serve_failed(self, stream_id: int, reason: str) -> None:
        """Let its client know at once, who may still be there."""
        self._session.reset(stream_id, ErrorCode.INTERNAL_ERROR)
        self._forget(stream_id)
        self._flush_soon()

    async def _serve(self, stream_id: int, stream: GrpcStream) -> None:
        try:
            await stream.run(self._find(stream.path) or _unknown)
        finally:
            if not stream.closed:  # cancelled, but not by the client, who is still there to be told
                stream.end(TransportError("CANCELLED", "The emulator gave this request up."))
            self._forget(stream_id)

    async def _serve_request(self, stream_id: int, request: RequestStream) -> None:
        try:
            await request.run()
        finally:
            self._forget(stream_id)

    def _expire(self, stream_id: int) -> None:
        """Give a call up because its client's deadline has passed: nobody waits for it any longer."""
        self._drop(stream_id)
        self.reset(stream_id, ErrorCode.CANCEL)

    def _drop(self, stream_id: int) -> None:
        call = self._forget(stream_id)
        if call is not None:
            call.stream.abandon()
            if call.task.cancel():
                self._leaving.add(call.task)
                call.task.add_done_callback(self._leaving.discard)

    def _forget(self, stream_id: int) -> _Call | None:
        call = self._calls.pop(stream_id, None)
        if call is not None:
            self._idle_since = self._loop.time()
            if call.timer is not None:
                call.timer.cancel()
            call.stream.release()
            if self._session.is_leaving and not self._calls:
                self._loop.call_soon(self._leave)
        return call

    # What a stream says.

    def send_headers(self, stream_id: int, headers: Headers, *, end: bool) -> None:
        if not self._session.is_open(stream_id):
            return  # the stream or the connection ended in this instant
        self._session.send_headers(stream_id, headers, end=end)
        if end:
            self.flush()
        else:
            self._flush_soon()

    async def send_data(self, stream_id: int, *pieces: bytes | memoryview, end: bool = False) -> None:
        session = self._session
        left = sum(map(len, pieces))
        if session.is_open(stream_id) and left <= session.window(stream_id) and self._may_write.is_set():
            session.send_data(stream_id, *pieces, end=end)  # as a whole, as most are
            self._flush_soon()
            return
        hold = self._holder(stream_id)
        try:
            for piece in pieces:
                left -= len(piece)
                await self._send_piece(stream_id, memoryview(piece), hold, left, end=end and not left)
            if not self._may_write.is_set():
                await self._may_write.wait()
        finally:
            hold(0)
            self._wake_next()

    def _holder(self, stream_id: int) -> Callable[[int], None]:
        """Return what counts the bytes of an answer that wait. Whoever sends them does not see the call, whose task
        it is: a task that is cancelled would hold itself, until the garbage collector came."""
        call = self._calls.get(stream_id)
        return call.stream.hold_unsent if call is not None else _hold_nothing

    async def _send_piece(
        self, stream_id: int, rest: memoryview, hold: Callable[[int], None], left: int, *, end: bool
    ) -> None:
        """Send a piece of an answer, of which ``left`` bytes follow."""
        session, unsent = self._session, 0
        while session.is_open(stream_id):
            if not self._may_write.is_set():
                hold(len(rest) + left)
                await self._may_write.wait()
                continue
            size = session.window(stream_id)
            if len(rest) <= size:
                session.send_data(stream_id, rest, end=end)
                self._flush_soon()
                return
            if size > 0:
                session.send_data(stream_id, rest[:size])
                rest = rest[size:]
                unsent += size
                if unsent >= _WRITTEN_AT_ONCE:
                    self.flush()
                    unsent = 0
            else:
                self.flush()
                hold(len(rest) + left)
                await self._more_room(stream_id)

    async def _more_room(self, stream_id: int) -> None:
        """Wait until the windows of a stream and of the connection may have room."""
        waiting: asyncio.Future[None] = self._loop.create_future()
        has_room = self._session.has_room
        if has_room:
            self._wake_next()  # it has no use for that room
            self._short[stream_id] = waiting
        else:
            self._queue[waiting] = None
        try:
            await waiting
        finally:
            if has_room:
                del self._short[stream_id]
            else:
                self._queue.pop(waiting, None)

    def acknowledge(self, stream_id: int, size: int) -> None:
        if size:
            self._session.acknowledge(stream_id, size)
            if self._session.has_news:
                self._flush_soon()

    def reset(self, stream_id: int, code: ErrorCode = ErrorCode.NO_ERROR) -> None:
        self._session.reset(stream_id, code)
        self.flush()

    def give_up(self, stream_id: int, reason: str) -> None:
        self._drop(stream_id)
        self._on_odd("buffers", reason)


def first_of(services: Sequence[Find]) -> Find:
    """Make one service of several: the first that has a method serves it."""

    def find(path: str) -> Serve | None:
        for service in services:
            serve = service(path)
            if serve is not None:
                return serve
        return None

    return find


def _wake(waiting: asyncio.Future[None] | None) -> bool:
    """Let go on what waits; tell whether something does."""
    if waiting is None or waiting.done():
        return False
    waiting.set_result(None)
    return True


def _hold_nothing(size: int) -> None:
    """Count nothing: the stream is served no more."""


async def _unknown(stream: GrpcStream) -> None:
    stream.end(TransportError("UNIMPLEMENTED", f"There is no method {stream.path} at this address."))


def _notice_if_it_vanishes(sock: Any) -> None:
    """Let the system find out if the other machine is still there; what it has not acknowledged counts, too."""
    if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", _SILENT_SECONDS),
        ("TCP_KEEPINTVL", _ASK_EVERY_SECONDS),
        ("TCP_KEEPCNT", _QUESTIONS),
        ("TCP_USER_TIMEOUT", 1000 * (_SILENT_SECONDS + _QUESTIONS * _ASK_EVERY_SECONDS)),
    ):
        if hasattr(socket, name):  # not every system has all of them
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
