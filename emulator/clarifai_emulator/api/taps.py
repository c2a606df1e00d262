"""Listens to calls: what each was sent and answered, as messages, for tests and for recordings.

    client ─► requests ─► the rest of the chain ─► answers ─► client
                 └──────► HeardCall ◄─────────────────┘

Installed with ``Emulator.interceptors``; without one, no request passes through here.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from clarifai_emulator.api.call import ApiCall, Interceptor, StreamHandler
from clarifai_emulator.errors import TransportError


@dataclass(slots=True, eq=False)
class HeardCall:
    """Notes one call: its requests and answers, and what it ended with.

    ``order`` tells in which turn messages came: ``>`` for a request, ``<`` for an answer. Times are
    ``time.monotonic()``.
    """

    call: ApiCall
    started: float = field(default_factory=time.monotonic)
    requests: list[Any] = field(default_factory=list[Any])
    answers: list[Any] = field(default_factory=list[Any])
    order: str = ""
    ended: float | None = None
    error: TransportError | None = None
    cancelled: bool = False

    @property
    def rpc(self) -> str:
        """The name of the RPC."""
        return self.call.rpc.name

    @property
    def metadata(self) -> Mapping[str, str]:
        """The metadata or headers that the client sent."""
        return self.call.metadata

    @property
    def request_id(self) -> str:
        """The id that the platform gave the request."""
        return self.call.request_id

    @property
    def parent_id(self) -> str:
        """The id of the request around it, of a call that a model or a workflow makes; empty for any other."""
        return str(self.call.notes.get("parent_id", ""))

    @property
    def made_by(self) -> str:
        """Name what made the call inside another: a model (``USER/APP/ID``), or a node of a workflow; empty where
        that is not known."""
        place, node = self.call.place, self.call.notes.get("workflow_node")
        if place is not None and place.model is not None:
            return "/".join(place.model)
        return f"node {node} of a workflow" if node else ""

    async def listen(self, requests: AsyncIterator[Any], following: StreamHandler) -> AsyncGenerator[Any]:
        """Let ``following`` serve the call, and note what passes."""
        try:
            async with aclosing(following(self.call, self._hear(requests))) as answers:
                async for answer in answers:
                    self.answers.append(answer)
                    self.order += "<"
                    yield answer
        except TransportError as error:
            self.error = error
            raise
        except BaseException:
            self.cancelled = True
            raise
        finally:
            self.ended = time.monotonic()

    async def _hear(self, requests: AsyncIterator[Any]) -> AsyncGenerator[Any]:
        async for request in requests:
            self.requests.append(request)
            self.order += ">"
            yield request


def tap(on_begin: Callable[[HeardCall], None], on_end: Callable[[HeardCall], None], *rpcs: str) -> Interceptor:
    """Return an interceptor that tells of every call of ``rpcs`` (none named: of all), in the emulator's event
    loop: when it begins, and when it has ended."""

    def intercept(call: ApiCall, following: StreamHandler) -> StreamHandler:
        if rpcs and call.rpc.name not in rpcs:
            return following

        async def tapped(call: ApiCall, requests: AsyncIterator[Any]) -> AsyncGenerator[Any]:
            heard = HeardCall(call)
            on_begin(heard)
            try:
                async with aclosing(heard.listen(requests, following)) as answers:
                    async for answer in answers:
                        yield answer
            finally:
                on_end(heard)

        return tapped

    return intercept
