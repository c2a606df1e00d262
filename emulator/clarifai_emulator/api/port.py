"""One port for everything: looks at the first bytes of a connection and hands it on.

    ┌─ "PRI " (HTTP/2) ─► the gRPC server, over a socket of its own
    ├─ an HTTP/1 request line ─► an answer that says what speaks here
    └─ anything else ─► one line that says the same, and the end

The platform serves gRPC and REST at one address, and the SDK derives both from its one base URL.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.errors import describe

log = logging.getLogger(__name__)

_HTTP2 = b"PRI "
_HTTP1 = re.compile(rb"^[A-Z]{3,8} (\S{0,2048})")
_TLS_HANDSHAKE = b"\x16\x03"
_FIRST_BYTES = 4096
# A client that connects and says nothing is let go after this long.
_SILENCE_SECONDS = 30.0

OnOdd = Callable[[str, str], None]


class Front(asyncio.Protocol):
    """One client connection. Once it is known to be gRPC, every byte goes straight to its ``Back``."""

    def __init__(self, backend: str, on_odd: OnOdd, connections: set[Front]) -> None:
        self._backend = backend
        self._on_odd = on_odd
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._back: asyncio.Transport | None = None
        self._early = bytearray()
        self._decided = False
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast, not a check: transports of other event loops (uvloop) do not inherit from asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._connections.add(self)
        loop = asyncio.get_running_loop()
        self._patience = loop.call_later(_SILENCE_SECONDS, self._give_up)

    def data_received(self, data: bytes) -> None:
        if self._back is not None:
            self._back.write(data)
            return
        self._early += data
        if not self._decided:
            self._decide()

    def eof_received(self) -> bool:
        if self._back is not None and self._back.can_write_eof():
            self._back.write_eof()
            return True
        if not self._decided and self._early:
            self._refuse_garbage()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._calm()
        self._connections.discard(self)
        if self._back is not None:
            self._back.close()

    def pause_writing(self) -> None:
        if self._back is not None:
            self._back.pause_reading()

    def resume_writing(self) -> None:
        if self._back is not None:
            self._back.resume_reading()

    def abort(self) -> None:
        """End the connection now."""
        if self._transport is not None:
            self._transport.abort()

    def _decide(self) -> None:
        early = bytes(self._early)
        if early.startswith(_HTTP2):
            self._decided = True
            self._calm()
            asyncio.get_running_loop().create_task(self._connect())
        elif _HTTP2.startswith(early[:4]) and len(early) < len(_HTTP2):
            return
        elif match := _HTTP1.match(early):
            if b"\r\n\r\n" in early or b"\n\n" in early or len(early) >= _FIRST_BYTES:
                self._decided = True
                self._answer_http(match[1].decode("latin-1"))
        elif b"\n" in early or len(early) >= 16 or not _might_become_http(early):
            self._decided = True
            self._refuse_garbage()

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        assert self._transport is not None
        try:
            back, _ = await loop.create_unix_connection(lambda: Back(self._transport), self._backend)
        except OSError as error:
            log.debug("the gRPC server is not there: %s", error)
            self.abort()
            return
        if self._transport.is_closing():
            back.close()
            return
        back.write(bytes(self._early))
        self._early.clear()
        self._back = back

    def _answer_http(self, path: str) -> None:
        self._on_odd("http", path)
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
            self._on_odd("tls", "a client tried TLS: use a base URL that begins with http://")
        else:
            self._on_odd("garbage", repr(bytes(self._early[:32])))
        self._say(b"This is the Clarifai emulator: it speaks gRPC (HTTP/2) and HTTP/1.1, in clear text.\n")

    def _say(self, text: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(text)
            self._transport.close()

    def _give_up(self) -> None:
        if not self._decided:
            self._on_odd("silence", f"nothing to act on within {_SILENCE_SECONDS:g} s")
            self.abort()

    def _calm(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


class Back(asyncio.Protocol):
    """The other half: what the gRPC server says goes to the client."""

    def __init__(self, front: asyncio.Transport | None) -> None:
        assert front is not None
        self._front = front
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast, not a check: transports of other event loops (uvloop) do not inherit from asyncio's.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._front.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._front.close()

    def pause_writing(self) -> None:
        self._front.pause_reading()

    def resume_writing(self) -> None:
        self._front.resume_reading()


@dataclass(frozen=True, slots=True)
class PrivateAddress:
    """Where the gRPC server listens behind the port: ``grpc`` as gRPC writes it, ``path`` as asyncio does.

    On Linux an abstract socket: nothing on disk, so nothing is left behind even by a SIGKILL. It is as open to
    other local users as the loopback port in front of it.
    """

    grpc: str
    path: str

    @classmethod
    def make(cls) -> PrivateAddress:
        """A fresh address."""
        if sys.platform.startswith("linux"):
            name = f"clarifai-emulator-{secrets.token_hex(16)}"
            return cls(f"unix-abstract:{name}", f"\0{name}")
        path = os.path.join(tempfile.mkdtemp(prefix="clarifai-emulator-"), "grpc.sock")
        return cls(f"unix:{path}", path)

    def remove(self) -> None:
        """Remove what it left on disk."""
        if not self.path.startswith("\0"):
            shutil.rmtree(os.path.dirname(self.path), ignore_errors=True)


class Port:
    """The listener. ``backend``: the gRPC server's ``PrivateAddress.path``. ``on_odd(kind, what)`` hears of clients
    that do not speak gRPC."""

    def __init__(self, *, backend: str, on_odd: OnOdd) -> None:
        self._backend = backend
        self._on_odd = on_odd
        self._server: asyncio.Server | None = None
        self._connections: set[Front] = set()

    async def listen(self, host: str, port: int) -> int:
        """Accept connections; the port that was taken. Raises ``OSError`` when it is in use."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Front(self._backend, self._on_odd, self._connections), host, port, backlog=1024
        )
        return self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and end every connection."""
        if self._server is not None:
            self._server.close()
        for connection in tuple(self._connections):
            connection.abort()


def _might_become_http(early: bytes) -> bool:
    return early.isalpha() and early.isupper()
