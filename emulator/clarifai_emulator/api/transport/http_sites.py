"""Serves what is reached over HTTP: finds the site that is mounted for a request, and refuses pages of others.

    connection ─► which host, which page asks? ─► the first mount (mounts.py) that takes the request ─► its site

Sites are made when the first of their requests comes: an emulator that only speaks gRPC imports none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.transport.cross_origin import (
    Origins,
    address_in,
    answer_fields,
    names_a_neighbour,
    names_this_machine,
    preflight_fields,
    refusal,
    without_port,
)
from clarifai_emulator.api.transport.mounts import HttpMount, Site
from clarifai_emulator.api.transport.peer import Peer
from clarifai_emulator.config import EmulatorConfig

if TYPE_CHECKING:
    from clarifai_emulator.api.transport.http2 import Connection, RequestStream
    from clarifai_emulator.api.transport.http_exchange import Exchange, HttpProblem
    from clarifai_emulator.api.transport.http_server import HttpConnection
    from clarifai_emulator.api.transport.request_buffers import Buffers, ConnectionBuffers

_FROM_DESKTOP = "host.docker.internal"  # this machine, as containers of Docker Desktop call it


class HttpSites:
    """Serves the HTTP side of a port. The first of ``mounts`` that takes a request serves it; the last takes every
    one. ``is_for_containers``: containers see this machine under another address."""

    def __init__(
        self,
        mounts: Sequence[HttpMount],
        *,
        config: EmulatorConfig,
        on_odd: Callable[[str, str], None],
        is_for_containers: bool = False,
    ) -> None:
        self._mounts = mounts
        self._config = config
        self._on_odd = on_odd
        self._is_for_containers = is_for_containers
        self._allowed_hosts = frozenset(map(str.lower, config.allow_hosts))
        self._origins = Origins(config.cors)
        self._made: dict[HttpMount, Site] = {}
        self._connections: set[HttpConnection] = set()

    @property
    def connections(self) -> Collection[HttpConnection]:
        """Return the open connections that speak HTTP/1.1."""
        return self._connections

    def connection(self, buffers: Buffers) -> asyncio.Protocol:
        """Make what takes over a connection that speaks HTTP/1.1."""
        from clarifai_emulator.api.transport.http_server import HttpConnection

        return HttpConnection(
            self._serve,
            max_bytes=self._max_bytes,
            connections=self._connections,
            on_odd=self._on_odd,
            buffers=buffers,
        )

    def take_request(
        self, wire: Connection, stream_id: int, headers: Mapping[str, str], peer: Peer, buffers: ConnectionBuffers
    ) -> RequestStream:
        """Make what serves a request that came on a stream of HTTP/2."""
        from clarifai_emulator.api.transport.http2_exchange import HttpStream

        return HttpStream(
            wire, stream_id, headers, peer=peer, max_bytes=self._max_bytes, buffers=buffers, serve=self._serve
        )

    @property
    def _max_bytes(self) -> int:
        """Return the largest body: base64 makes four bytes of three, and there is JSON around it."""
        return self._config.max_message_bytes * 4 // 3 + 1024 * 1024

    async def close(self) -> None:
        """End every connection."""
        await asyncio.gather(*(connection.close() for connection in tuple(self._connections)))
        for connection in tuple(self._connections):
            connection.abort()

    async def _serve(self, exchange: Exchange) -> None:
        self._check_host(exchange)
        origin = exchange.headers.get("origin")
        mount = next(mount for mount in self._mounts if mount.takes(exchange))
        if origin is not None and not mount.is_for_own_pages:
            self._check_origin(exchange, origin)
            if exchange.method == "OPTIONS" and "access-control-request-method" in exchange.headers:
                await _answer_preflight(exchange)
                return
        from clarifai_emulator.api.transport.http_exchange import HttpProblem

        try:
            await self._site(mount).serve(exchange)
        except HttpProblem as problem:
            if problem.status in (404, 405):  # said where a developer looks, too: the path may be a typing error
                self._on_odd("http", f"{exchange.method} {exchange.path[:300]}: {problem.status}")
            raise

    def _site(self, mount: HttpMount) -> Site:
        """Return what answers the requests of a mount; make it, if this is the first."""
        if mount not in self._made:
            self._made[mount] = mount.make()
        return self._made[mount]

    def _check_host(self, exchange: Exchange) -> None:
        """Refuse pages whose own name was made to point at a loopback address (DNS rebinding)."""
        host = exchange.headers.get("host", "")
        if self._is_for_containers:
            name = without_port(host)
            if host and address_in(name) is None and name not in (_FROM_DESKTOP, self._config.docker.listen):
                raise _refused(
                    f"The host {host[:100]!r} is not the address that containers are told. "
                    "Use the one in CLARIFAI_API_BASE."
                )
        elif self._config.is_loopback and not names_this_machine(host):
            raise _refused(
                f"The host {exchange.headers['host'][:100]!r} is not this machine's loopback address. "
                "Use http://127.0.0.1 or http://localhost, or start the emulator with --host."
            )
        elif not names_a_neighbour(host) and without_port(host).lower() not in self._allowed_hosts:
            name = without_port(host)[:100]
            raise _refused(
                f"The emulator does not know the name '{name}' as its own, and a page of that name could be "
                f"anybody's. Use this machine's address, or start the emulator with --allow-host {name}."
            )

    def _check_origin(self, exchange: Exchange, origin: str) -> None:
        if not self._origins.allows(origin):
            what = refusal(origin)
            self._on_odd("cors", what)  # said where a developer looks, too: the page may not read the answer
            raise _refused(what)
        exchange.answer_headers.update(answer_fields(origin))


async def _answer_preflight(exchange: Exchange) -> None:
    await exchange.answer(200, b"", "text/plain", preflight_fields(exchange.headers))


def _refused(what: str) -> HttpProblem:
    from clarifai_emulator.api.transport.http_exchange import HttpProblem

    return HttpProblem(403, StatusCode.CONN_INSUFFICIENT_SCOPES, what)
