"""Serves what is reached by HTTP/1.1: finds the site that is mounted for a request, and refuses pages of others.

    connection ─► which host, which page asks? ─► the first mount (mounts.py) that takes the request ─► its site

Sites are made when the first of their requests comes: an emulator that only speaks gRPC imports none.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.transport.mounts import HttpMount, Site
from clarifai_emulator.config import EmulatorConfig

if TYPE_CHECKING:
    from clarifai_emulator.api.transport.http_exchange import Exchange
    from clarifai_emulator.api.transport.http_server import HttpConnection

_PREFLIGHT_SECONDS = "600"
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
        self._made: dict[HttpMount, Site] = {}
        self._connections: set[HttpConnection] = set()

    def connection(self) -> asyncio.Protocol:
        """Make what takes over a connection that speaks HTTP/1.1."""
        from clarifai_emulator.api.transport.http_server import HttpConnection

        # Base64 makes four bytes of three, and there is JSON around it.
        max_bytes = self._config.max_message_bytes * 4 // 3 + 1024 * 1024
        return HttpConnection(self._serve, max_bytes=max_bytes, connections=self._connections, on_odd=self._on_odd)

    async def close(self) -> None:
        """End every connection."""
        await asyncio.gather(*(connection.close() for connection in tuple(self._connections)))
        for connection in tuple(self._connections):
            connection.abort()

    async def _serve(self, exchange: Exchange) -> None:
        self._check_host(exchange)
        origin = exchange.headers.get("origin")
        if origin is not None:
            self._check_origin(exchange, origin)
            if exchange.method == "OPTIONS" and "access-control-request-method" in exchange.headers:
                await _answer_preflight(exchange)
                return
        from clarifai_emulator.api.transport.http_exchange import HttpProblem

        try:
            await self._site(exchange).serve(exchange)
        except HttpProblem as problem:
            if problem.status in (404, 405):  # said where a developer looks, too: the path may be a typing error
                self._on_odd("http", f"{exchange.method} {exchange.path[:300]}: {problem.status}")
            raise

    def _site(self, exchange: Exchange) -> Site:
        """Find what answers a request; make it, if it is the first."""
        mount = next(mount for mount in self._mounts if mount.takes(exchange))
        if mount not in self._made:
            self._made[mount] = mount.make()
        return self._made[mount]

    def _check_host(self, exchange: Exchange) -> None:
        """Refuse pages whose own name was made to point at a loopback address (DNS rebinding)."""
        host = exchange.headers.get("host", "")
        if self._is_for_containers:
            if not _is_number(host) and _name(host) not in (_FROM_DESKTOP, self._config.docker.listen):
                raise _refused(
                    f"The host {host[:100]!r} is not the address that containers are told.",
                    "Use the one in CLARIFAI_API_BASE.",
                )
        elif self._config.is_loopback and not _names_this_machine(host):
            raise _refused(
                f"The host {exchange.headers['host'][:100]!r} is not this machine's loopback address.",
                "Use http://127.0.0.1 or http://localhost, or start the emulator with --host.",
            )

    def _check_origin(self, exchange: Exchange, origin: str) -> None:
        allowed = self._config.cors
        if "*" not in allowed and origin not in allowed:
            raise _refused(
                f"Pages of {origin[:100]!r} may not use this emulator.",
                f"Start it with --cors {origin[:100]} to let them.",
            )
        exchange.answer_headers.update(
            {
                "access-control-allow-origin": origin,
                "access-control-expose-headers": "*",
                "vary": "origin",
            }
        )


async def _answer_preflight(exchange: Exchange) -> None:
    asked = {
        "access-control-allow-methods": exchange.headers["access-control-request-method"],
        "access-control-allow-headers": exchange.headers.get("access-control-request-headers", ""),
        "access-control-max-age": _PREFLIGHT_SECONDS,
    }
    await exchange.answer(200, b"", "text/plain", asked)


def _name(host: str) -> str:
    return host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host


def _is_number(host: str) -> bool:
    """Tell if it is an address for which no name had to be looked up."""
    try:
        ipaddress.ip_address(_name(host).strip("[]"))
    except ValueError:
        return not host
    return True


def _names_this_machine(host: str) -> bool:
    name = _name(host)
    if name in ("", "localhost") or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def _refused(what: str, remedy: str) -> Any:
    from clarifai_emulator.api.transport.http_exchange import HttpProblem

    return HttpProblem(403, StatusCode.CONN_INSUFFICIENT_SCOPES, f"{what} {remedy}")
