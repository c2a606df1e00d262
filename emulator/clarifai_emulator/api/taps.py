"""Listens to calls: what each was sent and answered, as bytes, for tests and for recordings.

    client ─► TappedStream.read ─► handler ─► TappedStream.write ─► client
                     └────────► Exchange ◄────────┘

Installed with ``Emulator.interceptors``; without one, no request passes through here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clarifai_emulator.api.transport.grpc_stream import GrpcStream
from clarifai_emulator.api.transport.http2 import Find, Serve
from clarifai_emulator.errors import TransportError

Interceptor = Callable[[str, Serve | None], Serve | None]
"""Takes a method's path and what serves it (None: nothing does), and gives what serves it instead."""


def intercepted(find: Find, interceptors: Sequence[Interceptor]) -> Find:
    """What ``find`` finds, behind the interceptors that are there when it is asked."""

    def found(path: str) -> Serve | None:
        serve = find(path)
        for intercept in interceptors:
            serve = intercept(path, serve)
        return serve

    return found


@dataclass(slots=True, eq=False)
class Exchange:
    """One call: its requests and answers, serialised, and what it ended with.

    ``order`` tells in which turn messages came: ``>`` for a request, ``<`` for an answer. Times are
    ``time.monotonic()``.
    """

    path: str
    metadata: Mapping[str, str]
    started: float = field(default_factory=time.monotonic)
    requests: list[bytes] = field(default_factory=list[bytes])
    answers: list[bytes] = field(default_factory=list[bytes])
    order: str = ""
    trailers: Mapping[str, str] = field(default_factory=dict[str, str])
    ended: float | None = None
    error: TransportError | None = None
    cancelled: bool = False

    @property
    def rpc(self) -> str:
        """The method's name without its service."""
        return self.path.rpartition("/")[2]

    @property
    def request_id(self) -> str:
        """The id that the platform gave the request."""
        return self.trailers.get("x-clarifai-request-id", "")


class TappedStream:
    """A ``GrpcStream`` that notes what passes."""

    def __init__(self, stream: GrpcStream, exchange: Exchange) -> None:
        self._stream = stream
        self._exchange = exchange
        self._unread: list[bytes] = []

    def unread(self, message: bytes) -> None:
        """Let a message that somebody has read already be the next one."""
        self._unread.append(message)

    @property
    def trailers(self) -> dict[str, str]:
        return self._stream.trailers

    @trailers.setter
    def trailers(self, trailers: dict[str, str]) -> None:
        self._stream.trailers = trailers
        self._exchange.trailers = trailers

    async def read(self) -> bytes | None:
        """The next message of the client."""
        message = self._unread.pop(0) if self._unread else await self._stream.read()
        if message is not None:
            self._exchange.requests.append(message)
            self._exchange.order += ">"
        return message

    async def write(self, message: bytes) -> None:
        """One message for the client."""
        self._exchange.answers.append(message)
        self._exchange.order += "<"
        await self._stream.write(message)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def tap(on_begin: Callable[[Exchange], None], on_end: Callable[[Exchange], None], *prefixes: str) -> Interceptor:
    """An interceptor that tells of every call whose path begins with one of ``prefixes``, in the emulator's event
    loop: when it begins, and when it has ended."""

    def intercept(path: str, serve: Serve | None) -> Serve | None:
        if serve is None or not path.startswith(prefixes):
            return serve

        async def tapped(stream: GrpcStream) -> None:
            exchange = Exchange(path, stream.metadata)
            on_begin(exchange)
            try:
                await serve(TappedStream(stream, exchange))  # pyright: ignore[reportArgumentType]
            except TransportError as error:
                exchange.error = error
                raise
            except BaseException:
                exchange.cancelled = True
                raise
            finally:
                exchange.ended = time.monotonic()
                on_end(exchange)

        return tapped

    return intercept
