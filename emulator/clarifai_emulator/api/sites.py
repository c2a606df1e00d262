"""Mounts the platform's sites that are reached over HTTP, in the order in which they take a request.

/clarifai.api.V2/…         the RPCs as gRPC-Web, for browsers (transport/grpc_web.py)
/, /docs, /health          for people and health checks (pages/site.py)
/v2/users/U/organizations  the organisations of a user, which belong to no RPC (rest/organisations.py)
/v2/ext/openai/v1/…        the OpenAI-compatible API (ext/openai.py)
/v2/ext/mcp/v1/…           MCP servers (ext/mcp.py)
everything else            the platform's REST API (rest/gateway.py)
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clarifai_emulator.api.call import ApiCall, Handler
from clarifai_emulator.api.chain import RequestChain
from clarifai_emulator.api.rpc import SERVICE
from clarifai_emulator.api.transport.mounts import HttpMount, Site
from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.messages.address import ModelKey

if TYPE_CHECKING:
    from clarifai_emulator.api.transport.http_exchange import Exchange

_OPENAI_PATHS = ("/chat/completions", "/completions", "/responses", "/embeddings", "/images/generations", "/models")


@dataclass(frozen=True, slots=True)
class PlatformSites:
    """Makes the platform's sites. ``handlers`` are those of gRPC, and ``chain`` is what they run in.
    ``organisations_of`` gives the ids and names that a request for a user asks for. ``url``, ``is_ready`` and
    ``run`` are for the pages; ``hosted`` gives the models that Clarifai is taken to host."""

    handlers: Mapping[str, Handler]
    chain: RequestChain
    config: EmulatorConfig
    organisations_of: Callable[[ApiCall, Any], list[tuple[str, str]]]
    url: Callable[[], str] = str
    is_ready: Callable[[], bool] = lambda: True
    run: str = ""
    hosted: Callable[[], Collection[ModelKey]] = tuple

    def mounts(self) -> tuple[HttpMount, ...]:
        """Return the mounts of these sites, in the order in which they are asked."""
        return (
            HttpMount(_is_grpc_web, self._grpc_web),
            HttpMount(_is_page, self._pages),
            HttpMount(_asks_for_organisations, self._organisations),
            HttpMount(_is_openai, self._openai),
            HttpMount(lambda exchange: exchange.path.startswith("/v2/ext/mcp"), self._mcp),
            HttpMount(lambda exchange: True, self._rest),
        )

    def _grpc_web(self) -> Site:
        from clarifai_emulator.api.transport.grpc_server import ApiHandlers
        from clarifai_emulator.api.transport.grpc_web import GrpcWeb

        return GrpcWeb(ApiHandlers(self.handlers, self.chain).find, max_bytes=self.config.max_message_bytes)

    def _pages(self) -> Site:
        from clarifai_emulator.api.pages.site import Pages

        return Pages(self.config, url=self.url, is_ready=self.is_ready, run=self.run)

    def _organisations(self) -> Site:
        from clarifai_emulator.api.rest.organisations import OrganisationsApi

        return OrganisationsApi(self.organisations_of, self.chain)

    def _openai(self) -> Site:
        from clarifai_emulator.api.ext.method_calls import ModelTransport
        from clarifai_emulator.api.ext.openai import OpenAiApi

        return OpenAiApi(ModelTransport(self.handlers, self.chain), self.hosted)

    def _mcp(self) -> Site:
        from clarifai_emulator.api.ext.mcp import McpApi
        from clarifai_emulator.api.ext.method_calls import ModelTransport

        return McpApi(ModelTransport(self.handlers, self.chain))

    def _rest(self) -> Site:
        from clarifai_emulator.api.rest.gateway import RestApi

        return RestApi(self.handlers, self.chain, max_bytes=self.config.max_message_bytes)


def _is_grpc_web(exchange: Exchange) -> bool:
    """Tell by what it sends; what else is meant for a method of gRPC is told so."""
    content_type = exchange.headers.get("content-type", "")
    return content_type.startswith("application/grpc") or exchange.path.startswith(f"/{SERVICE}/")


def _is_page(exchange: Exchange) -> bool:
    from clarifai_emulator.api.pages.site import is_page

    return is_page(exchange.method, exchange.path, exchange.headers.get("accept", ""))


def _asks_for_organisations(exchange: Exchange) -> bool:
    path = exchange.path
    return path.startswith("/v2/users/") and path.endswith("/organizations") and path.count("/") == 4


def _is_openai(exchange: Exchange) -> bool:
    """Tell also with a wrong base URL: such a client reads only errors in its own shape."""
    path = exchange.path
    return path.startswith("/v2/ext/openai") or path.removeprefix("/v1") in _OPENAI_PATHS
