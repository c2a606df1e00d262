"""Listens on one port for everything: looks at the first bytes of a connection and hands it on.

    ┌─ "PRI " (HTTP/2) ─► an HTTP/2 connection (http2.py) takes over: gRPC, and other requests, each by its stream
    ├─ an HTTP/1 request line ─► an HTTP connection (http_server.py) takes over; a port without HTTP says so
    └─ anything else ─► one line that says the same, and the end

The platform serves gRPC and REST at one address, and the SDK derives both from its one base URL.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
import socket
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Protocol, cast

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.transport.crowd import Guest, longest_idle, most_connections
from clarifai_emulator.api.transport.http2 import Connection, Find, OnOdd, RequestStream
from clarifai_emulator.api.transport.peer import Peer
from clarifai_emulator.api.transport.request_buffers import Buffers, ConnectionBuffers
from clarifai_emulator.errors import describe

if TYPE_CHECKING:
    import ssl

_HTTP2 = b"PRI "
_HTTP1 = re.compile(rb"^[A-Z]{3,8} (\S{0,2048})")
_BACKLOG = 1024
_IN_A_TURN = 16
_IP_FREEBIND = 15  # linux/in.h; the socket module does not name it
_TLS_HANDSHAKE = b"\x16\x03"
_FIRST_BYTES = 4096
# A client that connects and says nothing is let go after this long.
_SILENCE_SECONDS = 30.0
_TOLD_EVERY_SECONDS = 60.0


class Newcomer(asyncio.Protocol):
    """Holds a client's connection until it is known what it speaks: an HTTP/2 or HTTP/1.1 connection then takes its
    place."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._transport: asyncio.Transport | None = None
        self._early = bytearray()
        self._decided = False
        self.idle_since: float | None = None
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast, not a check: transports of other event loops (uvloop) do not inherit from asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        if not self._port.makes_room():
            self.abort()
            return
        self.idle_since = asyncio.get_running_loop().time()
        self._port.newcomers.add(self)
        self._patience = asyncio.get_running_loop().call_later(_SILENCE_SECONDS, self._give_up)

    def data_received(self, data: bytes) -> None:
        if not self._decided:
            self._early += data
            self._decide()

    def eof_received(self) -> bool:
        if not self._decided and self._early:
            self._refuse_garbage()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()

    def abort(self) -> None:
        """End the connection now."""
        self._leave()
        if self._transport is not None:
            self._transport.abort()

    def _decide(self) -> None:
        early = bytes(self._early)
        if early.startswith(_HTTP2):
            self._hand_over(self._port.http2_connection(), early)
        elif _HTTP2.startswith(early[:4]) and len(early) < len(_HTTP2):
            return
        elif match := _HTTP1.match(early):
            if self._port.http is not None:
                self._hand_over(self._port.http_connection(), early)
            elif b"\r\n\r\n" in early or b"\n\n" in early or len(early) >= _FIRST_BYTES:
                self._decided = True
                self._answer_http(match[1].decode("latin-1"))
        elif b"\n" in early or len(early) >= 16 or not _might_become_http(early):
            self._decided = True
            self._refuse_garbage()

    def _hand_over(self, connection: asyncio.Protocol, early: bytes) -> None:
        assert self._transport is not None
        self._decided = True
        self._leave()
        self._transport.set_protocol(connection)
        connection.connection_made(self._transport)
        connection.data_received(early)

    def _answer_http(self, path: str) -> None:
        self._port.on_odd("http", path)
        details = (
            f"The emulator has no REST endpoint for {path}; it answers gRPC at this address. "
            "The Clarifai SDK uses gRPC by itself: set CLARIFAI_API_BASE to this base URL."
        )
        status = {
            "code": StatusCode.NOT_IMPLEMENTED,
            "description": describe(StatusCode.NOT_IMPLEMENTED),
            "details": details,
        }
        body = json.dumps({"status": status}).encode()
        head = (
            "HTTP/1.1 501 Not Implemented\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self._say(head.encode() + body)

    def _refuse_garbage(self) -> None:
        if self._early.startswith(_TLS_HANDSHAKE):
            self._port.on_odd("tls", "a client tried TLS: use a base URL that begins with http://")
        else:
            self._port.on_odd("garbage", repr(bytes(self._early[:32])))
        self._say(b"This is the Clarifai emulator: it speaks gRPC (HTTP/2) and HTTP/1.1, in clear text.\n")

    def _say(self, text: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(text)
            self._transport.close()

    def _give_up(self) -> None:
        if not self._decided:
            self._port.on_odd("silence", f"nothing to act on within {_SILENCE_SECONDS:g} s")
            self.abort()

    def _leave(self) -> None:
        self._port.newcomers.discard(self)
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


class Http(Protocol):
    """Answers HTTP at a port (``http_sites.HttpSites``)."""

    @property
    def connections(self) -> Collection[Guest]:
        """Return the open connections."""
        ...

    def connection(self, buffers: Buffers) -> asyncio.Protocol:
        """Make what takes over a connection that speaks HTTP/1.1."""
        ...

    def take_request(
        self, wire: Connection, stream_id: int, headers: Mapping[str, str], peer: Peer, buffers: ConnectionBuffers
    ) -> RequestStream:
        """Make what serves a request that came on a stream of HTTP/2."""
        ...

    async def close(self) -> None:
        """End every connection."""
        ...


class Port:
    """Listens. ``find(path)`` gives what serves a gRPC method, with messages of up to ``max_bytes``; ``http``
    answers other requests; ``on_odd(kind, what)`` hears of clients that speak neither. ``buffers`` count what
    waits."""

    def __init__(
        self, find: Find, *, max_bytes: int, on_odd: OnOdd, buffers: Buffers, http: Http | None = None
    ) -> None:
        self.http = http
        self._buffers = buffers
        self._find = find
        self._max_bytes = max_bytes
        self.on_odd = on_odd
        self._server: asyncio.Server | None = None
        self.newcomers: set[Newcomer] = set()
        self._connections: set[Connection] = set()
        self._most = most_connections()
        self._told_at = -math.inf

    def makes_room(self) -> bool:
        """Tell whether one more connection may stay; where all places are taken, the one that has been idle for the
        longest time is closed for it."""
        http: Collection[Guest] = self.http.connections if self.http is not None else ()
        if len(self.newcomers) + len(self._connections) + len(http) < self._most:
            return True
        now = asyncio.get_running_loop().time()
        if now - self._told_at > _TOLD_EVERY_SECONDS:
            self._told_at = now
            all_of_them = f"{self._most} connections are open, all that the limit of open files (ulimit -n) allows"
            self.on_odd("crowd", f"{all_of_them}; those that ask for nothing make room for others")
        longest = longest_idle((*self.newcomers, *self._connections, *http))
        if longest is None:
            return False
        longest.abort()
        return True

    async def listen(self, host: str, port: int, *, early: bool = False, tls: ssl.SSLContext | None = None) -> int:
        """Accept connections; return the port that was taken. ``early``: this machine may get that address only
        later. ``tls``: what connections are secured by. Raises ``OSError`` when the port is in use."""
        loop, serve = asyncio.get_running_loop(), lambda: Newcomer(self)
        # asyncio takes as many in one turn as the backlog is long, before it is known whether there is room.
        if early:
            self._server = await loop.create_server(serve, sock=_bound_early(host, port), backlog=_IN_A_TURN)
        else:
            self._server = await loop.create_server(serve, host, port, backlog=_IN_A_TURN, ssl=tls)
        for listening in self._server.sockets:
            with listening.dup() as same:
                same.listen(_BACKLOG)
        return self._server.sockets[0].getsockname()[1]

    def http2_connection(self) -> Connection:
        """Make what takes over a connection that speaks HTTP/2."""
        return Connection(
            self._find,
            max_bytes=self._max_bytes,
            connections=self._connections,
            on_odd=self.on_odd,
            buffers=self._buffers,
            take_request=None if self.http is None else self.http.take_request,
        )

    def http_connection(self) -> asyncio.Protocol:
        """Make what takes over a connection that speaks HTTP/1.1, at a port that has it."""
        assert self.http is not None
        return self.http.connection(self._buffers)

    async def close(self) -> None:
        """Stop listening, cancel every call, end every connection."""
        if self._server is not None:
            self._server.close()
        for newcomer in tuple(self.newcomers):
            newcomer.abort()
        if self.http is not None:
            await self.http.close()
        await asyncio.gather(*(connection.close() for connection in tuple(self._connections)))
        await asyncio.sleep(0)  # a transport closes in the next turn of the loop, if its client has read everything
        for connection in tuple(self._connections):
            connection.abort()
        await asyncio.sleep(0)


def _bound_early(host: str, port: int) -> socket.socket:
    """Make a socket bound to an address that need not be there yet (Linux)."""
    # asyncio sends small messages at once (TCP_NODELAY) only where the protocol is named.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


def _might_become_http(early: bytes) -> bool:
    return early.isalpha() and early.isupper()
