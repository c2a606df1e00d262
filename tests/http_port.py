"""Serves an HTTP site over pairs of sockets, as a port does over the network, to a client without manners."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from clarifai_emulator.api.access.auth import Authenticator
from clarifai_emulator.api.call import Handler, Interceptor
from clarifai_emulator.api.chain import RequestChain
from clarifai_emulator.api.sites import PlatformSites
from clarifai_emulator.api.transport.http_sites import HttpSites
from clarifai_emulator.api.transport.port import Newcomer, Port
from clarifai_emulator.api.transport.request_buffers import Buffers
from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.events import EventBus
from resource_api import StillClock


@dataclass(frozen=True)
class Answer:
    """Holds the answer to one request."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class HttpClient:
    """Makes each request on a connection of its own."""

    port: Port
    events: EventBus
    site: HttpSites

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to the port, without the network."""
        ours, theirs = socket.socketpair()
        await asyncio.get_running_loop().connect_accepted_socket(lambda: Newcomer(self.port), theirs)
        return await asyncio.open_connection(sock=ours)

    async def ask(
        self,
        method: str,
        path: str,
        content: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        key: str = "Key abc",
    ) -> Answer:
        reader, writer = await self.connect()
        body = content if isinstance(content, bytes) else b"" if content is None else json.dumps(content).encode()
        fields = {"host": "127.0.0.1:7878", "connection": "close", "content-length": str(len(body))}
        fields |= {"authorization": key} if key else {}
        fields |= headers or {}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        writer.write(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body)
        said = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        await writer.wait_closed()
        return _parse(said)


def _parse(said: bytes) -> Answer:
    head, _, body = said.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    if headers.get("transfer-encoding") == "chunked":
        whole = b""
        while body:
            size, _, body = body.partition(b"\r\n")
            whole += body[: int(size, 16)]
            body = body[int(size, 16) + 2 :]
        body = whole
    return Answer(int(first.split()[1]), headers, body)


@asynccontextmanager
async def http_client(
    handlers: Mapping[str, Handler],
    *,
    chain: RequestChain | None = None,
    interceptors: Sequence[Interceptor] = (),
    is_ready: Callable[[], bool] = lambda: True,
    **config: Any,
) -> AsyncIterator[HttpClient]:
    """Yield a client of a site with these handlers."""
    clock = StillClock()
    events = EventBus(clock)
    chain = chain or RequestChain(
        authenticator=Authenticator(user_id="ada", callers={}),
        events=events,
        clock=clock,
        interceptors=interceptors,
    )

    def odd(kind: str, what: str) -> None:
        events.emit(f"connection.{kind}", what=what)

    settings = EmulatorConfig(port=0, **config)
    platform = PlatformSites(
        handlers,
        chain,
        config=settings,
        organisations_of=lambda *_: [],
        is_ready=is_ready,
    )
    site = HttpSites(platform.mounts(), config=settings, on_odd=odd)
    buffers = Buffers(settings.max_buffer_bytes, settings.max_connection_buffer_bytes)
    port = Port(lambda path: None, max_bytes=1024, on_odd=odd, buffers=buffers, http=site)
    try:
        yield HttpClient(port, events, site)
    finally:
        await port.close()
