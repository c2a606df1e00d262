"""Speaks HTTP/2: one connection, its streams, its flow control. The protocol itself is the ``h2`` library's.

    ┌─ content-type application/grpc ─► a GrpcStream, served by a method of the RPCs
    └─ any other ─► an HttpStream (http2_exchange.py), served by the sites; a port without HTTP says so

Each is served by a task of its own. A client that resets a stream, runs out of time or goes away cancels that task.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    Event,
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError
from h2.frame_buffer import FrameBuffer
from h2.settings import SettingCodes
from hpack import Encoder
from hyperframe.frame import DataFrame, Frame

from clarifai_emulator.api.transport.grpc_stream import GrpcStream, Headers
from clarifai_emulator.errors import TransportError

log = logging.getLogger(__name__)
# It would write every header at DEBUG, credentials among them.
logging.getLogger("hpack").setLevel(logging.INFO)

Serve = Callable[[GrpcStream], Awaitable[None]]
Find = Callable[[str], Serve | None]
OnOdd = Callable[[str, str], None]

_GRPC = "application/grpc"
_GRPC_WEB = "application/grpc-web"
_NO_HTTP = b"Only gRPC is spoken at this address: content-type must be application/grpc.\n"

# Windows large enough that a payload of many MiB is not metered out 64 KiB at a time. What one stream may have
# under way is bounded by its own window; the connection's is never the one that is short.
_STREAM_WINDOW = 4 * 1024 * 1024
_CONNECTION_WINDOW = 1 << 30
_FRAME = 1024 * 1024

# A peer whose machine has vanished says no goodbye. When nothing was heard for so long, the system asks, and after
# a few questions without an answer the connection ends. Seconds.
_SILENT_SECONDS = 20
_ASK_EVERY_SECONDS = 5
_QUESTIONS = 3
_SETTINGS: dict[SettingCodes | int, int] = {
    SettingCodes.INITIAL_WINDOW_SIZE: _STREAM_WINDOW,
    SettingCodes.MAX_FRAME_SIZE: _FRAME,
    SettingCodes.MAX_CONCURRENT_STREAMS: 10_000,
    SettingCodes.MAX_HEADER_LIST_SIZE: 64 * 1024,
}

# Headers are taken as they come: a credential with a blank at its end is refused by name, not with the connection.
_CONFIG = H2Configuration(
    client_side=False,
    header_encoding=None,
    validate_inbound_headers=False,
    normalize_inbound_headers=False,
    validate_outbound_headers=False,
    normalize_outbound_headers=False,
)


class _PlainEncoder(Encoder):
    """Compresses headers without the Huffman code, which costs more time here than its bytes would."""

    def encode(self, headers: Any, huffman: bool = False) -> bytes:
        return super().encode(headers, huffman=False)


def _data() -> str:
    return "data"


class _Frames(FrameBuffer):
    """Reads frames whose data is not described. h2 describes every frame that it receives, for a trace that is off;
    of data it would write all in hexadecimal: 2.7 ms for each MiB."""

    def __next__(self) -> Frame:
        frame = super().__next__()
        if isinstance(frame, DataFrame):
            frame._body_repr = _data  # pyright: ignore[reportPrivateUsage]
        return frame


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


class RequestStream(ServedStream, Protocol):
    """Serves one HTTP request that came on a stream (``http2_exchange.HttpStream``)."""

    async def run(self) -> None:
        """Answer the request."""
        ...


# Makes what serves a request that is no call of gRPC: of its connection, its stream's id, its headers, its peer.
TakeRequest = Callable[["Connection", int, Mapping[str, str], str], RequestStream]


@dataclass(frozen=True, slots=True)
class _Call:
    """Holds a stream that is being served, and until when."""

    stream: ServedStream
    task: asyncio.Task[None]
    timer: asyncio.TimerHandle | None


class Connection(asyncio.Protocol):
    """Serves one client's connection. ``find(path)`` gives what serves a method, ``take_request`` what serves other
    requests than gRPC's; the connection is in ``connections`` while open. ``on_odd`` hears of clients that do not
    speak HTTP/2 as they should."""

    def __init__(
        self,
        find: Find,
        *,
        max_bytes: int,
        connections: set[Connection],
        on_odd: OnOdd,
        take_request: TakeRequest | None = None,
    ) -> None:
        self._find = find
        self._max_bytes = max_bytes
        self._connections = connections
        self._on_odd = on_odd
        self._take_request = take_request
        self._h2 = H2Connection(_CONFIG)
        self._h2.encoder = _PlainEncoder()
        self._h2.incoming_buffer = _Frames(server=True)
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._peer = ""
        self._calls: dict[int, _Call] = {}
        self._flushing = False
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._windows = asyncio.Event()

    # asyncio's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast, not a check: transports of other event loops (uvloop) do not inherit from asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._peer = _peer(transport.get_extra_info("peername"))
        _notice_if_it_vanishes(transport.get_extra_info("socket"))
        self._connections.add(self)
        self._h2.initiate_connection()
        self._h2.update_settings(_SETTINGS)
        # From now on, not from the client's confirmation on: it may come in one piece with the first large frame.
        self._h2.max_inbound_frame_size = _FRAME
        self._h2.increment_flow_control_window(_CONNECTION_WINDOW)
        self.flush()

    def data_received(self, data: bytes) -> None:
        self._flushing = True  # what is said meanwhile goes out below
        try:
            for event in self._h2.receive_data(data):
                self._handle(event)
        except ProtocolError as error:
            log.debug("%s does not speak HTTP/2 as it should: %s", self._peer, error)
            self._on_odd("http2", f"no proper HTTP/2: {str(error)[:200]}")
            self.flush()
            self._close()
        else:
            self.flush()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        for stream_id in tuple(self._calls):
            self._drop(stream_id)

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
        self._h2.close_connection()
        self.flush()
        self._close()

    def abort(self) -> None:
        """Close without waiting for a client that does not read."""
        if self._transport is not None:
            self._transport.abort()

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def flush(self) -> None:
        """Send what has been said so far."""
        self._flushing = False
        data = self._h2.data_to_send()
        if data and self._transport is not None:
            self._transport.write(data)

    def _flush_soon(self) -> None:
        """Send with what else is said in this turn of the event loop: a stream's chunks often come together."""
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self.flush)

    # What arrives.

    def _handle(self, event: Event) -> None:
        if isinstance(event, DataReceived):
            call = self._calls.get(event.stream_id)
            if call is not None:
                call.stream.receive(event.data, event.flow_controlled_length)
            else:
                self.acknowledge(event.stream_id, event.flow_controlled_length)
        elif isinstance(event, RequestReceived):
            self._begin(event.stream_id, event.headers)
        elif isinstance(event, StreamEnded):
            call = self._calls.get(event.stream_id)
            if call is not None:
                call.stream.receive_end()
        elif isinstance(event, StreamReset):
            self._drop(event.stream_id)
        elif isinstance(event, WindowUpdated | RemoteSettingsChanged):
            self._windows.set()
            self._windows = asyncio.Event()

    def _begin(self, stream_id: int, fields: Any) -> None:
        headers: dict[str, str] = {}
        for name, value in fields:
            headers[name.decode("ascii", "replace")] = value.decode("utf-8", "replace")
        kind = headers.get("content-type", "")
        if kind.startswith(_GRPC) and not kind.startswith(_GRPC_WEB):
            self._begin_call(stream_id, headers)
        elif self._take_request is not None:
            request = self._take_request(self, stream_id, headers, self._peer)
            task = self._loop.create_task(self._serve_request(stream_id, request))
            self._calls[stream_id] = _Call(request, task, None)
        else:
            self._refuse_request(stream_id)

    def _begin_call(self, stream_id: int, headers: Mapping[str, str]) -> None:
        stream = GrpcStream(self, stream_id, headers, peer=self._peer, max_bytes=self._max_bytes)
        task = self._loop.create_task(self._serve(stream_id, stream))
        timer = None
        if stream.seconds_left is not None:
            timer = self._loop.call_later(stream.seconds_left, self._expire, stream_id)
        self._calls[stream_id] = _Call(stream, task, timer)

    def _refuse_request(self, stream_id: int) -> None:
        try:
            self._h2.send_headers(stream_id, [(":status", "415"), ("content-type", "text/plain")])
            self._h2.send_data(stream_id, _NO_HTTP, end_stream=True)
        except ProtocolError:
            return  # a client that takes no body, or has gone
        self._flush_soon()

    async def _serve(self, stream_id: int, stream: GrpcStream) -> None:
        try:
            await stream.run(self._find(stream.path) or _unknown)
        finally:
            # Cancelled, but not by the client, who is still there to be told.
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
        self.reset(stream_id, ErrorCodes.CANCEL)

    def _drop(self, stream_id: int) -> None:
        call = self._forget(stream_id)
        if call is not None:
            call.stream.abandon()
            call.task.cancel()

    def _forget(self, stream_id: int) -> _Call | None:
        call = self._calls.pop(stream_id, None)
        if call is not None:
            if call.timer is not None:
                call.timer.cancel()
            call.stream.release()
        return call

    # What a stream says.

    def send_headers(self, stream_id: int, headers: Headers, *, end: bool) -> None:
        try:
            self._h2.send_headers(stream_id, headers, end_stream=end)
        except ProtocolError:
            return  # the stream or the connection ended in this instant
        if end:
            self.flush()
        else:
            self._flush_soon()

    async def send_data(self, stream_id: int, data: bytes, *, end: bool = False) -> None:
        rest = memoryview(data)
        try:
            while True:
                size = min(self._h2.local_flow_control_window(stream_id), self._h2.max_outbound_frame_size)
                if len(rest) <= size:
                    self._h2.send_data(stream_id, rest, end_stream=end)
                    self._flush_soon()
                    break
                if size > 0:
                    self._h2.send_data(stream_id, rest[:size])
                    rest = rest[size:]
                else:
                    self.flush()
                    await self._windows.wait()
                if not self._may_write.is_set():
                    await self._may_write.wait()
        except ProtocolError:
            return
        if not self._may_write.is_set():
            await self._may_write.wait()

    def acknowledge(self, stream_id: int, size: int) -> None:
        if size:
            try:
                self._h2.acknowledge_received_data(size, stream_id)
            except ProtocolError:
                return
            self._flush_soon()

    def reset(self, stream_id: int, code: ErrorCodes = ErrorCodes.NO_ERROR) -> None:
        try:
            self._h2.reset_stream(stream_id, code)
        except ProtocolError:
            return
        self.flush()


def first_of(services: Sequence[Find]) -> Find:
    """Make one service of several: the first that has a method serves it."""

    def find(path: str) -> Serve | None:
        return next((serve for service in services if (serve := service(path)) is not None), None)

    return find


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


def _peer(name: Any) -> str:
    """Write an address as gRPC does."""
    if not isinstance(name, tuple):
        return "unix:"
    host, port = cast(tuple[str, int], name[:2])
    return f"ipv6:[{host}]:{port}" if ":" in host else f"ipv4:{host}:{port}"
