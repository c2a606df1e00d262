"""Describes what answers at a port: each mount names the requests of a site, over HTTP or over gRPC.

HttpMount.below("/hello", HelloPages)                     every path from /hello on
GrpcMount("example.Hello", {"Greet": greet}.get)          every method of the service

The first mount that takes a request serves it. ``api/sites.py`` is the table of the platform's own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from clarifai_emulator.api.transport.http2 import Serve

if TYPE_CHECKING:
    from clarifai_emulator.api.transport.http_exchange import Exchange


class Site(Protocol):
    """Answers the HTTP requests that are its own."""

    async def serve(self, exchange: Exchange) -> None:
        """Answer one request. Raises ``HttpProblem`` for one that it refuses."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class HttpMount:
    """Serves the HTTP requests that ``takes`` accepts. ``make`` gives the site, when the first of them comes: what
    it needs is imported no sooner. ``is_for_own_pages``: it refuses pages of other origins itself, whatever
    ``--cors`` says, and takes the requests of its own, in which browsers name the origin, too."""

    takes: Callable[[Exchange], bool]
    make: Callable[[], Site]
    is_for_own_pages: bool = False

    @classmethod
    def below(cls, prefix: str, make: Callable[[], Site]) -> HttpMount:
        """Mount a site at a path and at every path below it."""
        return cls(lambda exchange: exchange.path == prefix or exchange.path.startswith(f"{prefix}/"), make)


@dataclass(frozen=True, slots=True, eq=False)
class GrpcMount:
    """Serves a gRPC service of this full name. ``method`` gives what serves a method by its name; None for one that
    the service does not have."""

    service: str
    method: Callable[[str], Serve | None]

    def find(self, path: str) -> Serve | None:
        """Give what serves a method's path; None for another service's, and for a method that there is not."""
        service, _, name = path.removeprefix("/").rpartition("/")
        return self.method(name) if service == self.service else None


Mount = HttpMount | GrpcMount
