"""Defines the steps that every request takes; ``chain.py`` has their order."""

from __future__ import annotations

import asyncio
import logging
import re
import traceback
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, Protocol

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.access.auth import NOBODY, Authenticator
from clarifai_emulator.api.call import ApiCall, Interceptor, Step, StreamHandler
from clarifai_emulator.api.failed import failure_reason
from clarifai_emulator.api.rpc import Auth
from clarifai_emulator.clock import Clock
from clarifai_emulator.errors import CallerError, TransportError, describe
from clarifai_emulator.events import EventBus
from clarifai_emulator.faults import Faults
from clarifai_emulator.replica_tokens import hidden
from clarifai_emulator.state.asking import asking
from clarifai_emulator.unique_ids import unique_id

log = logging.getLogger(__name__)

# Looked up once: of the enumeration, each look-up is a search by name.
_ZERO, _SUCCESS = StatusCode.ZERO, StatusCode.SUCCESS
_OK = describe(_SUCCESS)
_PREFIX_CHARACTERS = re.compile(r"[^A-Za-z0-9._-]")


class Interceptors(Step):
    """Lets listeners, recorders and cassettes have a request, as messages, and what its client gets. They may come
    and go while requests run. ``refuse`` answers a request whose messages they found unreadable."""

    def __init__(
        self, interceptors: Sequence[Interceptor], refuse: Callable[[ApiCall, CallerError], AsyncGenerator[Any]]
    ) -> None:
        self._interceptors = interceptors
        self._refuse = refuse

    @property
    def is_idle(self) -> bool:
        return not self._interceptors

    def intercept(self, call: ApiCall, following: StreamHandler) -> StreamHandler:
        served = following
        for intercept in self._interceptors:
            served = intercept(call, served)
        return following if served is following else partial(self._serve, served)

    async def _serve(
        self, served: StreamHandler, call: ApiCall, requests: AsyncIterator[Any]
    ) -> AsyncGenerator[Any]:
        try:
            async with aclosing(served(call, requests)) as responses:
                async for response in responses:
                    yield response
        except CallerError as error:
            async with aclosing(self._refuse(call, error)) as responses:
                async for response in responses:
                    yield response


class RequestIds(Step):
    """Gives each request its id: ``<prefix>-<32 hex>``, as the platform makes them; the client chooses the
    prefix."""

    def enter(self, call: ApiCall) -> None:
        asked = call.metadata.get("x-clarifai-request-id-prefix")
        prefix = _PREFIX_CHARACTERS.sub("", asked)[:64] if asked else ""
        request_id = unique_id()
        call.request_id = f"{prefix}-{request_id}" if prefix else request_id
        call.trailers["x-clarifai-request-id"] = call.request_id

    def answer(self, call: ApiCall, response: Any) -> None:
        """Put the id, and success where the handler set no status, into an answer."""
        status = response.status
        code = status.code
        if code == _ZERO:
            code = status.code = _SUCCESS
            status.description = _OK
        status.req_id = call.request_id
        call.notes["status"] = code
        if code != _SUCCESS and hasattr(response, "outputs"):  # of a model
            call.notes["error"] = hidden(failure_reason(_failed_status(response)))


def _failed_status(response: Any) -> Any:
    """Return the status that says what failed: of an output, where the answer itself only says that one did."""
    outputs = () if response.status.details or response.status.stack_trace else response.outputs
    failed = (each.status for each in outputs if each.status.code not in (StatusCode.ZERO, StatusCode.SUCCESS))
    return next(failed, response.status)


class ReportToEvents(Step):
    """Emits one event for each request that has ended, with what was learnt on its way."""

    def __init__(self, events: EventBus, clock: Clock) -> None:
        self._events = events
        self._clock = clock
        self._is_stopping = False

    def stop(self) -> None:
        """Take note that the emulator stops: what is cancelled from now on, no client has cancelled."""
        self._is_stopping = True

    def fail(self, call: ApiCall, error: BaseException) -> None:
        if isinstance(error, TransportError):
            call.notes["grpc_status"] = error.name
            call.notes["error"] = error.message
        elif isinstance(error, asyncio.CancelledError | GeneratorExit):
            call.notes["cancelled"] = True
            if self._is_stopping:
                call.notes["emulator_stopped"] = True

    def leave(self, call: ApiCall) -> None:
        if call.failure is not None:
            call.notes["error"] = call.failure
        self._events.emit(
            "request.finished",
            rpc=call.rpc.name,
            request_id=call.request_id,
            user_id=call.caller.user_id,
            milliseconds=round((self._clock.monotonic() - call.started) * 1000, 3),
            **call.notes,
        )


# Names the row of the fidelity table that says why a request was refused as it was.
ROW_TRAILER = "x-clarifai-emulator-row"


class Errors(Step):
    """Answers errors with a status, except a ``TransportError``, which ends the call."""

    def fail(self, call: ApiCall, error: BaseException) -> Any:
        if isinstance(error, TransportError) or not isinstance(error, Exception):
            return None
        response = call.rpc.response_type()
        status = response.status
        if isinstance(error, CallerError):
            status.code = error.code  # pyright: ignore[reportAttributeAccessIssue]
            status.description = error.description
            status.details = error.message
            status.stack_trace.extend(error.stack_trace)
            if error.row:
                call.notes["row"] = call.trailers[ROW_TRAILER] = error.row
        else:
            _describe_bug(call, error, status)
        call.failure = status.details
        return response


def _describe_bug(call: ApiCall, error: Exception, status: Any) -> None:
    log.error("%s failed inside the emulator (request %s)", call.rpc.name, call.request_id, exc_info=error)
    status.code = StatusCode.INTERNAL_UNCATEGORIZED
    status.description = "Internal error"
    status.details = (
        f"The emulator failed while it answered {call.rpc.name}: "
        f"{traceback.format_exception_only(error)[-1].strip()}. "
        f"This is a bug of the emulator; its log has the trace under request {call.request_id}."
    )


class Commit(Step):
    """Makes lasting what a handler changed, before its answer leaves."""

    def __init__(self, commit: Callable[[], None]) -> None:
        self._commit = commit

    def enter(self, call: ApiCall) -> None:
        """Let it be known whose changes come: a request that waits meanwhile is refused, too."""
        asking.set(call)

    def answer(self, call: ApiCall, response: Any) -> None:
        self._commit()


class Who(Step):
    """Finds out who asks, by the credential of the request."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    def enter(self, call: ApiCall) -> None:
        if call.caller is NOBODY and call.rpc.auth is not Auth.NONE:
            call.caller = self._authenticator.authenticate(call.metadata, call.peer)


class Scopes(Step):
    """Refuses requests whose credential lacks a scope that the RPC requires."""

    def enter(self, call: ApiCall) -> None:
        if call.rpc.auth is not Auth.NONE:
            call.caller.require(call.rpc)


class Arrivals(Protocol):
    """Does what faults ask for to requests that have arrived (``injection.Injector``)."""

    faults: Faults

    async def arrive(self, call: ApiCall) -> None:
        """Delay the request, or raise what it ends with. Called while there is a fault for such requests."""
        ...


class ArrivalFaults(Step):
    """Injects the faults for requests that have arrived."""

    def __init__(self, injector: Arrivals) -> None:
        self._injector = injector

    def enter(self, call: ApiCall) -> Awaitable[None] | None:
        return self._injector.arrive(call) if self._injector.faults.arriving else None
