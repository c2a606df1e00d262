"""Everything that is reached by HTTP/1.1: which part answers a path, and which pages in a browser may ask.

    /, /docs, /health          for people and health checks (pages/site.py)
    /v2/ext/openai/v1/…        the OpenAI-compatible API (ext/openai.py)
    /v2/ext/mcp/v1/…           MCP servers (ext/mcp.py)
    /v2/users/U/organizations  which belongs to no RPC (rest/organisations.py)
    /v2/…                      the platform's REST API (rest/gateway.py)

What it needs is imported with the first such connection: an emulator that only speaks gRPC does without.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.chain import Call, Handler, RequestChain
from clarifai_emulator.config import EmulatorConfig

if TYPE_CHECKING:
    from clarifai_emulator.api.transport.http_exchange import Exchange
    from clarifai_emulator.api.transport.http_server import HttpConnection

_PREFLIGHT_SECONDS = "600"
_FROM_DESKTOP = "host.docker.internal"  # this machine, as containers of Docker Desktop call it
_OPENAI_PATHS = ("/chat/completions", "/responses", "/embeddings", "/images/generations", "/models")


class _Part(Protocol):
    """What answers a family of paths."""

    async def serve(self, exchange: Exchange) -> None: ...


class HttpSite:
    """The HTTP side of a port. ``handlers`` are those of gRPC. ``organisations_of``: ids and names of those that a
    request for a user asks about. ``url``, ``is_ready`` and ``run``: for the pages. ``is_for_containers``: they see
    this machine under another address."""

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        chain: RequestChain,
        *,
        config: EmulatorConfig,
        organisations_of: Callable[[Call, Any], list[tuple[str, str]]],
        on_odd: Callable[[str, str], None],
        url: Callable[[], str] = str,
        is_ready: Callable[[], bool] = lambda: True,
        run: str = "",
        is_for_containers: bool = False,
    ) -> None:
        self._is_for_containers = is_for_containers
        self._handlers = handlers
        self._chain = chain
        self._config = config
        self._organisations_of = organisations_of
        self._on_odd = on_odd
        self._url = url
        self._is_ready = is_ready
        self._run = run
        self._parts: dict[str, _Part] = {}
        self._connections: set[HttpConnection] = set()

    def connection(self) -> asyncio.Protocol:
        """What takes over a connection that speaks HTTP/1.1."""
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
            await self._part(exchange).serve(exchange)
        except HttpProblem as problem:
            if problem.status in (404, 405):  # said where a developer looks, too: the path may be a typing error
                self._on_odd("http", f"{exchange.method} {exchange.path[:300]}: {problem.status}")
            raise

    def _part(self, exchange: Exchange) -> _Part:
        """What answers a request."""
        from clarifai_emulator.api.pages.site import is_page

        path = exchange.path
        # Also with a wrong base URL: such a client reads only errors in its own shape.
        name = "mcp" if path.startswith("/v2/ext/mcp") else "rest"
        if path.startswith("/v2/ext/openai") or path.removeprefix("/v1") in _OPENAI_PATHS:
            name = "openai"
        if path.startswith("/v2/users/") and path.endswith("/organizations") and path.count("/") == 4:
            name = "organisations"
        if is_page(exchange.method, path, exchange.headers.get("accept", "")):
            name = "pages"
        if name not in self._parts:
            self._parts[name] = self._make(name)
        return self._parts[name]

    def _make(self, name: str) -> _Part:
        if name == "rest":
            from clarifai_emulator.api.rest.gateway import RestApi

            return RestApi(self._handlers, self._chain, max_bytes=self._config.max_message_bytes)
        if name == "pages":
            from clarifai_emulator.api.pages.site import Pages

            return Pages(self._config, url=self._url, is_ready=self._is_ready, run=self._run)
        if name == "organisations":
            from clarifai_emulator.api.rest.organisations import OrganisationsApi

            return OrganisationsApi(self._organisations_of, self._chain)
        from clarifai_emulator.api.ext.method_calls import ModelTransport

        transport = ModelTransport(self._handlers, self._chain)
        if name == "mcp":
            from clarifai_emulator.api.ext.mcp import McpApi

            return McpApi(transport)
        from clarifai_emulator.api.ext.openai import OpenAiApi

        return OpenAiApi(transport)

    def _check_host(self, exchange: Exchange) -> None:
        """At a loopback address, no page whose own name was made to point here gets an answer (DNS rebinding)."""
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
    """Whether it is an address that no name had to be looked up for."""
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
