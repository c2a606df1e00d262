"""Describes one request on its way through the emulator, and a step on that way.

Handlers are plain functions ``(call, request) → response`` that raise ``CallerError`` for what the platform would
refuse. Handlers of streams take and give async iterators.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clarifai_emulator.api.access.auth import NOBODY, Caller
from clarifai_emulator.api.rpc import Rpc
from clarifai_emulator.api.transport.peer import NO_PEER, Peer
from clarifai_emulator.messages.outline import Bytes
from clarifai_emulator.routing import Decision

if TYPE_CHECKING:
    from clarifai_emulator.api.kept_calls import KeptCall
    from clarifai_emulator.dispatch.call_tree import PlaceInTree

UnaryHandler = Callable[["ApiCall", Any], Any | Awaitable[Any]]
StreamHandler = Callable[["ApiCall", AsyncIterator[Any]], AsyncGenerator[Any]]
Handler = UnaryHandler | StreamHandler
Interceptor = Callable[["ApiCall", StreamHandler], StreamHandler]
"""Takes a call and what serves it, and gives what serves it instead: ``Step.intercept`` without a step."""


@dataclass(slots=True)
class ApiCall:
    """Holds one request on its way: who, what, and what has been learnt so far.

    ``came``: the message of a unary request, and the bytes that it was read from, of which it may be an outline
    (``is_outline``, see ``messages/outline.py``). ``came_back``: the same of a model's answer, which goes to the
    client in those bytes; only where it ``takes_bytes``. ``failure``: the text of the error that it was answered
    with. ``decision``: where a request for a model was routed to. ``is_heard``: interceptors have it; they have not
    what is no RPC of the platform, or cannot be read as one. ``place``: of a request that a model, or a node of a
    workflow, makes while another one is answered. ``kept``: what is kept of its messages, for
    whoever looks at them later."""

    rpc: Rpc
    metadata: Mapping[str, str]
    started: float
    peer: Peer = NO_PEER
    request_id: str = ""
    caller: Caller = NOBODY
    seconds_left: float | None = None
    trailers: dict[str, str] = field(default_factory=dict[str, str])
    notes: dict[str, Any] = field(default_factory=dict[str, Any])
    failure: str | None = None
    is_heard: bool = True
    came: tuple[Any, bytes] = (None, b"")
    came_back: tuple[Any, Bytes] = (None, b"")
    is_outline: bool = False
    takes_bytes: bool = False
    decision: Decision | None = None
    place: PlaceInTree | None = None
    kept: KeptCall | None = None

    def whole(self, request: Any) -> Any:
        """Return a unary request with everything in it."""
        message, data = self.came
        return type(request).FromString(data) if self.is_outline and message is request else request


class Step:
    """Does one thing to every request, over gRPC as over REST, OpenAI's API and MCP, unary or stream.

    A step overrides the methods that it needs; a method that it leaves alone costs no request anything. Requests
    meet the steps in the order of the chain's list, answers and ends meet them in the reverse order.
    """

    @property
    def is_idle(self) -> bool:
        """Tell whether the step would intercept no request now: it is not asked then."""
        return False

    def enter(self, call: ApiCall) -> Awaitable[None] | None:
        """Look at a request before it is served. Raise ``CallerError`` to refuse it."""

    def intercept(self, call: ApiCall, following: StreamHandler) -> StreamHandler:
        """Return what serves the messages of a request: ``following``, which is the rest of the chain and the
        handler, or something in front or instead of it. A unary request is a stream of one message here."""
        return following

    def answer(self, call: ApiCall, response: Any) -> None:
        """Look at a message of the answer before it leaves."""

    def fail(self, call: ApiCall, error: BaseException) -> Any:
        """Return the message that an error becomes; None leaves the error to the steps before this one."""

    def leave(self, call: ApiCall) -> None:
        """Take note that a request has ended, however it did."""


async def only(request: Any) -> AsyncGenerator[Any]:
    """Give one request as a stream of requests."""
    yield request
