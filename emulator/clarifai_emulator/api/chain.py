"""The request chain: what happens to every request, in order, in one list.

    request id → auth (who, and which scopes) → (faults) → handler → commit → (error → status) → event

``grpc_server`` calls it with each request; handlers are plain functions ``(call, request) → response`` that
raise ``CallerError`` for what the platform would refuse. Streaming handlers take and give async iterators.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import re
import secrets
import traceback
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Protocol

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.access.auth import Authenticator, Caller
from clarifai_emulator.api.failed import failure_reason
from clarifai_emulator.api.rpc import Auth, Rpc
from clarifai_emulator.clock import Clock
from clarifai_emulator.errors import CallerError, TransportError, describe
from clarifai_emulator.events import EventBus
from clarifai_emulator.faults import Faults

log = logging.getLogger(__name__)

UnaryHandler = Callable[["Call", Any], Any | Awaitable[Any]]
StreamHandler = Callable[["Call", AsyncIterator[Any]], AsyncGenerator[Any]]
Handler = UnaryHandler | StreamHandler
Step = Callable[["Call"], None]

_PREFIX_CHARACTERS = re.compile(r"[^A-Za-z0-9._-]")


@dataclass(slots=True)
class Call:
    """One request on its way: who, what, and what has been learnt so far."""

    rpc: Rpc
    metadata: Mapping[str, str]
    started: float
    peer: str = ""
    request_id: str = ""
    caller: Caller = field(default_factory=lambda: Caller(""))
    seconds_left: float | None = None
    trailers: dict[str, str] = field(default_factory=dict[str, str])
    notes: dict[str, Any] = field(default_factory=dict[str, Any])

    def resolve_user(self, user_app_id: Any) -> str:
        """The user a request is about: ``user_app_id.user_id`` with ``me`` and empty replaced by the caller.
        Raises ``CallerError`` when the credential is an app key and the request is about another app."""
        user_id = self.caller.resolve(user_app_id.user_id)
        self.caller.require_app(user_id, user_app_id.app_id)
        return user_id


class Arrivals(Protocol):
    """What faults do to requests that have arrived (``injection.Injector``)."""

    faults: Faults

    async def arrive(self, call: Call) -> None:
        """Called while there is a fault for such requests. Delays the request, or raises what it ends with."""
        ...


class RequestChain:
    """Runs handlers inside the chain. One per emulator; holds no state of a request. ``commit`` makes lasting what
    a handler changed, before its answer leaves."""

    def __init__(
        self,
        *,
        authenticator: Authenticator,
        events: EventBus,
        clock: Clock,
        injector: Arrivals | None = None,
        commit: Callable[[], None] = lambda: None,
    ) -> None:
        self._authenticator = authenticator
        self._events = events
        self._clock = clock
        self._injector = injector
        self._commit = commit
        self._is_stopping = False
        self._before: tuple[Step, ...] = (_assign_request_id, self._authenticate)
        self._after: tuple[Step, ...] = (self._report,)

    def stop(self) -> None:
        """Count what is cancelled from now on as cancelled by the emulator, and by no client."""
        self._is_stopping = True

    def begin(self, rpc: Rpc, metadata: Mapping[str, str], *, peer: str, seconds_left: float | None) -> Call:
        """A new call, not yet authenticated."""
        return Call(rpc, metadata, self._clock.monotonic(), peer=peer, seconds_left=seconds_left)

    async def unary(self, call: Call, handler: UnaryHandler, request: Any) -> Any:
        """One request, one response. Raises nothing but cancellation and, where a fault asks for it,
        ``TransportError``."""
        response: Any = None
        try:
            for step in self._before:
                step(call)
            if self._injector is not None and self._injector.faults.arriving:
                await self._injector.arrive(call)
            response = handler(call, request)
            if inspect.isawaitable(response):
                response = await response
            self._commit()
            _stamp(call, response)
        except asyncio.CancelledError:
            self._note_cancellation(call)
            raise
        except TransportError as error:
            _note_abort(call, error)
            raise
        except Exception as error:
            response = _error_response(call, error)
        finally:
            for step in self._after:
                step(call)
        return response

    async def stream(self, call: Call, handler: StreamHandler, requests: AsyncIterator[Any]) -> AsyncGenerator[Any]:
        """Any number of requests and responses; an error becomes the last response (a ``TransportError`` is
        raised). Closing this closes it."""
        try:
            for step in self._before:
                step(call)
            if self._injector is not None and self._injector.faults.arriving:
                await self._injector.arrive(call)
            async with aclosing(handler(call, requests)) as responses:
                async for response in responses:
                    self._commit()
                    _stamp(call, response)
                    yield response
        except (asyncio.CancelledError, GeneratorExit):
            self._note_cancellation(call)
            raise
        except TransportError as error:
            _note_abort(call, error)
            raise
        except Exception as error:
            yield _error_response(call, error)
        finally:
            for step in self._after:
                step(call)

    def _authenticate(self, call: Call) -> None:
        if call.rpc.auth is not Auth.NONE:
            call.caller = self._authenticator.authenticate(call.metadata)
            call.caller.require(call.rpc)

    def _note_cancellation(self, call: Call) -> None:
        call.notes["cancelled"] = True
        if self._is_stopping:
            call.notes["emulator_stopped"] = True

    def _report(self, call: Call) -> None:
        self._events.emit(
            "request.finished",
            rpc=call.rpc.name,
            request_id=call.request_id,
            user_id=call.caller.user_id,
            milliseconds=round((self._clock.monotonic() - call.started) * 1000, 3),
            **call.notes,
        )


def _assign_request_id(call: Call) -> None:
    """``<prefix>-<32 hex>``, as the platform makes them; the client chooses the prefix."""
    prefix = _PREFIX_CHARACTERS.sub("", call.metadata.get("x-clarifai-request-id-prefix", ""))[:64]
    request_id = secrets.token_hex(16)
    call.request_id = f"{prefix}-{request_id}" if prefix else request_id
    call.trailers["x-clarifai-request-id"] = call.request_id


def _stamp(call: Call, response: Any) -> None:
    """Every answer carries its request id; a handler that set no status means success."""
    status = response.status
    if status.code == StatusCode.ZERO:
        status.code = StatusCode.SUCCESS
        status.description = describe(StatusCode.SUCCESS)
    status.req_id = call.request_id
    call.notes["status"] = status.code
    if status.code != StatusCode.SUCCESS and hasattr(response, "outputs"):  # of a model
        call.notes["error"] = failure_reason(_failed_status(response))


def _failed_status(response: Any) -> Any:
    """The status that says what failed: of an output, where the answer itself only says that one did."""
    outputs = () if response.status.details or response.status.stack_trace else response.outputs
    failed = (each.status for each in outputs if each.status.code not in (StatusCode.ZERO, StatusCode.SUCCESS))
    return next(failed, response.status)


def _note_abort(call: Call, error: TransportError) -> None:
    call.notes["grpc_status"] = error.name
    call.notes["error"] = error.message


def _error_response(call: Call, error: Exception) -> Any:
    response = call.rpc.response_type()
    status = response.status
    if isinstance(error, CallerError):
        status.code = error.code  # pyright: ignore[reportAttributeAccessIssue]
        status.description = error.description
        status.details = error.message
        status.stack_trace.extend(error.stack_trace)
    else:
        log.error("%s failed inside the emulator (request %s)", call.rpc.name, call.request_id, exc_info=error)
        status.code = StatusCode.INTERNAL_UNCATEGORIZED
        status.description = "Internal error"
        status.details = (
            f"The emulator failed while it answered {call.rpc.name}: {_last_line(error)}. "
            f"This is a bug of the emulator; its log has the trace under request {call.request_id}."
        )
    _stamp(call, response)
    call.notes["error"] = status.details
    return response


def _last_line(error: Exception) -> str:
    return traceback.format_exception_only(error)[-1].strip()
