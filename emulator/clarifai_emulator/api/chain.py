"""Runs every request through one list of steps to its handler, and its answer back.

    request ─► interceptors ─► request id ─► who ─► scopes ─► place ─► faults ─► further steps ─► handler
    client  ◄─ interceptors ◄─ event ◄─ status, id ◄─ errors ◄─ commit ◄─ further steps ◄───┘

gRPC, REST, OpenAI's API and MCP, unary requests and streams: all of them take this list (``RequestChain.steps``).
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from clarifai_emulator.api.access.auth import NOBODY, Authenticator, Caller
from clarifai_emulator.api.call import ApiCall, Interceptor, Step, StreamHandler, UnaryHandler, only
from clarifai_emulator.api.inner_calls import InnerCalls
from clarifai_emulator.api.rpc import Auth, Rpc
from clarifai_emulator.api.steps import (
    ArrivalFaults,
    Arrivals,
    Commit,
    Errors,
    Interceptors,
    ReportToEvents,
    RequestIds,
    Scopes,
    Who,
)
from clarifai_emulator.api.transport.peer import Peer
from clarifai_emulator.clock import Clock
from clarifai_emulator.errors import CallerError, TransportError
from clarifai_emulator.events import EventBus

if TYPE_CHECKING:
    from clarifai_emulator.dispatch.call_tree import CallTree


class RequestChain:
    """Runs requests through ``steps``. One per emulator; holds no state of a request.

    ``interceptors`` may come and go. ``steps``: further ones, which know who asks and come last before the
    handler. ``tree``: makes what knows requests inside others."""

    def __init__(
        self,
        *,
        authenticator: Authenticator,
        events: EventBus,
        clock: Clock,
        injector: Arrivals | None = None,
        commit: Callable[[], None] | None = None,
        interceptors: Sequence[Interceptor] = (),
        steps: Sequence[Step] = (),
        tree: Callable[[], CallTree] | None = None,
    ) -> None:
        self._clock = clock
        self._authenticator = authenticator
        self._interceptors = Interceptors(interceptors, self._refuse)
        self._report = ReportToEvents(events, clock)
        self._has_further = bool(steps)
        self.steps: tuple[Step, ...] = (
            self._interceptors,  # first: they have what the client sends and gets, refusals and faults too
            self._report,
            RequestIds(),
            Errors(),
            *([Commit(commit)] if commit is not None else []),
            Who(authenticator),
            Scopes(),
            *([InnerCalls(tree)] if tree is not None else []),
            *([ArrivalFaults(injector)] if injector is not None else []),
            *steps,
        )
        self._inside_out = _layers(self.steps)[::-1]

    @property
    def passes_bytes(self) -> bool:
        """Tell whether nothing but the status of an answer is changed on its way to the client."""
        return self._interceptors.is_idle and not self._has_further

    def stop(self) -> None:
        """Take note that the emulator stops, and not its clients."""
        self._report.stop()

    def begin(
        self,
        rpc: Rpc,
        metadata: Mapping[str, str],
        *,
        peer: Peer,
        seconds_left: float | None = None,
        is_heard: bool = True,
        caller: Caller = NOBODY,
    ) -> ApiCall:
        """Begin a call, which has not taken any step yet. ``caller``: who asks, where that is known."""
        started = self._clock.monotonic()
        call = ApiCall(rpc, metadata, started, peer=peer, seconds_left=seconds_left, is_heard=is_heard)
        call.caller = caller
        return call

    def caller(self, rpc: Rpc, metadata: Mapping[str, str], peer: Peer) -> Caller | None:
        """Return who asks; None where the credential of a request is no good. Its body need not be read then, as
        ``unary`` refuses it before its handler sees it."""
        try:
            return NOBODY if rpc.auth is Auth.NONE else self._authenticator.authenticate(metadata, peer)
        except CallerError:
            return None

    def knows(self, rpc: Rpc, metadata: Mapping[str, str], peer: Peer) -> bool:
        """Tell whether the credential of a request is good."""
        return self.caller(rpc, metadata, peer) is not None

    @property
    def has_interceptors(self) -> bool:
        """Tell whether somebody has messages whatever their credential: what is played back needs no account."""
        return not self._interceptors.is_idle

    def unary(self, call: ApiCall, handler: UnaryHandler, request: Any) -> Awaitable[Any]:
        """Answer one request with one response. Raises nothing but cancellation and, where a fault or a cassette
        asks for it, ``TransportError``."""
        for layer in self._inside_out:
            handler = layer.unary(call, handler)
        return handler(call, request)

    def stream(self, call: ApiCall, handler: StreamHandler, requests: AsyncIterator[Any]) -> AsyncGenerator[Any]:
        """Answer any number of requests with any number of responses; an error becomes the last response (a
        ``TransportError`` is raised). Closing this closes the handler."""
        for layer in self._inside_out:
            handler = layer.stream(call, handler)
        return handler(call, requests)

    def unserved(self, call: ApiCall, requests: AsyncIterator[Any], error: TransportError) -> AsyncGenerator[Any]:
        """Let interceptors answer an RPC that has no handler; without one that does, raise ``error``."""
        return self._interceptors.intercept(call, partial(_raise, error))(call, requests)

    def _refuse(self, call: ApiCall, error: CallerError) -> AsyncGenerator[Any]:
        call.is_heard = False
        return self.stream(call, partial(_raise, error), only(None))


class _Interception:
    """Lets one step have the messages of requests."""

    def __init__(self, step: Step) -> None:
        self._step = step

    def unary(self, call: ApiCall, handler: UnaryHandler) -> UnaryHandler:
        """Return what serves a unary request: ``handler`` itself, unless the step wants its messages."""
        if self._step.is_idle or not call.is_heard:
            return handler
        following = partial(_one_by_one, handler)
        served = self._step.intercept(call, following)
        return handler if served is following else partial(_first, served)

    def stream(self, call: ApiCall, handler: StreamHandler) -> StreamHandler:
        """Return what serves a stream."""
        return handler if self._step.is_idle or not call.is_heard else self._step.intercept(call, handler)


class _Hooks:
    """Lets steps look at requests on their way in, at answers and errors on their way out."""

    def __init__(self, steps: Sequence[Step]) -> None:
        outwards = steps[::-1]
        self._enter = [step.enter for step in steps if _overrides(step, "enter")]
        self._answer = [step.answer for step in outwards if _overrides(step, "answer")]
        self._leave = [step.leave for step in outwards if _overrides(step, "leave")]
        # With each, who looks at the answer that it makes of an error: the steps before it.
        self._fail = [
            (step.fail, [each.answer for each in outwards[number + 1 :] if _overrides(each, "answer")])
            for number, step in enumerate(outwards)
            if _overrides(step, "fail")
        ]

    def unary(self, call: ApiCall, handler: UnaryHandler) -> UnaryHandler:
        """Return what serves a unary request."""
        return partial(self._serve_unary, handler)

    def stream(self, call: ApiCall, handler: StreamHandler) -> StreamHandler:
        """Return what serves a stream."""
        return partial(self._serve_stream, handler)

    async def _serve_unary(self, handler: UnaryHandler, call: ApiCall, request: Any) -> Any:
        try:
            for enter in self._enter:
                entering = enter(call)
                if entering is not None:
                    await entering
            response = handler(call, request)
            if type(response) is CoroutineType or inspect.isawaitable(response):
                response = await response
            for answer in self._answer:
                answer(call, response)
        except BaseException as error:
            response = self._failed(call, error)
            if response is None:
                raise
        finally:
            for leave in self._leave:
                leave(call)
        return response

    async def _serve_stream(
        self, handler: StreamHandler, call: ApiCall, requests: AsyncIterator[Any]
    ) -> AsyncGenerator[Any]:
        try:
            for enter in self._enter:
                entering = enter(call)
                if entering is not None:
                    await entering
            async with aclosing(handler(call, requests)) as responses:
                async for response in responses:
                    for answer in self._answer:
                        answer(call, response)
                    yield response
        except BaseException as error:
            response = self._failed(call, error)
            if response is None:
                raise
            yield response
        finally:
            for leave in self._leave:
                leave(call)

    def _failed(self, call: ApiCall, error: BaseException) -> Any:
        """Return the answer that a step makes of an error; None when no step does."""
        for fail, answers in self._fail:
            response = fail(call, error)
            if response is not None:
                for answer in answers:
                    answer(call, response)
                return response
        return None


def _layers(steps: Sequence[Step]) -> list[_Hooks | _Interception]:
    """Put steps that only look together; one that intercepts has all that follow it behind it."""
    layers: list[_Hooks | _Interception] = []
    looking: list[Step] = []
    for step in steps:
        if any(_overrides(step, name) for name in ("enter", "answer", "fail", "leave")):
            looking.append(step)
        if _overrides(step, "intercept"):
            layers += [_Hooks(looking), _Interception(step)] if looking else [_Interception(step)]
            looking = []
    return [*layers, _Hooks(looking)] if looking else layers


def _overrides(step: Step, name: str) -> bool:
    return getattr(type(step), name) is not getattr(Step, name)


async def _one_by_one(handler: UnaryHandler, call: ApiCall, requests: AsyncIterator[Any]) -> AsyncGenerator[Any]:
    async for request in requests:
        response = handler(call, request)
        yield await response if inspect.isawaitable(response) else response


async def _first(served: StreamHandler, call: ApiCall, request: Any) -> Any:
    """Return the only answer to a unary request; an empty one where an interceptor gave none."""
    responses = [response async for response in served(call, only(request))]
    return responses[0] if responses else call.rpc.response_type()


async def _raise(error: Exception, call: ApiCall, requests: AsyncIterator[Any]) -> AsyncGenerator[Any]:
    raise error
    yield
