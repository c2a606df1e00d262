"""Serves the platform's REST API: every HTTP binding of the RPC table, each request through the request chain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.call import ApiCall, Handler, only
from clarifai_emulator.api.chain import RequestChain
from clarifai_emulator.api.rest.paths import Bound, Match, Paths
from clarifai_emulator.api.rest.statuses import GRPC_TO_HTTP, http_status
from clarifai_emulator.api.rest.transcoding import (
    as_json,
    read_aside,
    read_message,
    read_request,
    size_in_memory,
)
from clarifai_emulator.api.rpc import Auth, Rpc, rpc_table
from clarifai_emulator.api.transport.http_exchange import Exchange, HttpProblem
from clarifai_emulator.errors import CallerError, TransportError

JSON = "application/json"
LINES = "application/x-ndjson"
EVENTS = "text/event-stream"
_RUNNERS_RPC = "ProcessRunnerItems"
OPENAPI_PATH = "/v2/openapi.json"
# How many messages of a stream are read before other requests have their turn.
_LINES_AT_ONCE = 64


class RestApi:
    """Answers REST requests with the handlers of the RPCs. ``max_bytes``: the largest request message."""

    def __init__(self, handlers: Mapping[str, Handler], chain: RequestChain, *, max_bytes: int) -> None:
        self._handlers: Mapping[str, Any] = handlers
        self._chain = chain
        self._max_bytes = max_bytes
        self._paths = Paths(rpc_table().values())
        self._document: bytes | None = None

    async def serve(self, exchange: Exchange) -> None:
        """Answer one request."""
        if exchange.path == OPENAPI_PATH:
            await self._serve_document(exchange)
            return
        method = "GET" if exchange.method == "HEAD" else exchange.method
        match = self._paths.match(method, exchange.path)
        if match is None:
            await self._nowhere(exchange)
            return
        bound = self._choose(exchange, match)
        if bound.rpc.server_streaming:
            await self._serve_stream(exchange, bound, match.values)
        else:
            await self._serve_unary(exchange, bound, match.values)

    def _choose(self, exchange: Exchange, match: Match) -> Bound:
        """Some forms belong to several RPCs: one that is there goes first, and who asks for a stream gets one."""
        wants_stream = wanted_stream(exchange) != ""
        return min(
            match.candidates,
            key=lambda bound: (
                bound.rpc.name not in self._handlers,
                len(match.candidates) > 1 and bound.rpc.server_streaming != wants_stream,
            ),
        )

    async def _serve_unary(self, exchange: Exchange, bound: Bound, values: tuple[str, ...]) -> None:
        handler = self._handlers.get(bound.rpc.name) or _not_implemented
        request: Any = None
        try:
            if self._chain.knows(bound.rpc, exchange.headers, exchange.peer):
                request = await self._read(exchange, bound, values)
        except CallerError as error:
            handler = _raiser(error)
        call = self._begin(exchange, bound.rpc, is_heard=request is not None)
        try:
            response = await self._chain.unary(call, handler, request)
        except TransportError as error:
            raise as_problem(error) from None
        await self._answer(exchange, call, response)

    async def _serve_stream(self, exchange: Exchange, bound: Bound, values: tuple[str, ...]) -> None:
        rpc = bound.rpc
        handler = self._handlers.get(rpc.name) or _not_implemented_stream
        requests: AsyncIterator[Any]
        if rpc.client_streaming:
            requests = self._messages(exchange, rpc)
        else:
            try:
                is_known = self._chain.knows(rpc, exchange.headers, exchange.peer)
                requests = only(await self._read(exchange, bound, values) if is_known else None)
            except CallerError as error:
                requests = _failing(error)
        call = self._begin(exchange, rpc)
        kind = wanted_stream(exchange) or LINES
        begun = False
        try:
            async with aclosing(self._chain.stream(call, handler, requests)) as responses:
                async for response in responses:
                    if not begun:
                        status = status_of(call, response)
                        if status != 200:
                            await self._answer(exchange, call, response)
                            return
                        begun = True
                        await exchange.begin(200, kind, call.trailers)
                    await exchange.write(as_chunk(kind, as_json(response)))
        except TransportError as error:
            raise as_problem(error) from None
        if not begun:
            await exchange.begin(200, kind, call.trailers)

    def _begin(self, exchange: Exchange, rpc: Rpc, *, is_heard: bool = True) -> ApiCall:
        return self._chain.begin(rpc, exchange.headers, peer=exchange.peer, is_heard=is_heard)

    async def _read(self, exchange: Exchange, bound: Bound, values: tuple[str, ...]) -> Any:
        body = await exchange.body()
        exchange.hold(await size_in_memory(body))
        request = await read_aside(len(body), read_request, bound, values, exchange.query, body)
        if len(body) > self._max_bytes and request.ByteSize() > self._max_bytes:
            raise CallerError(
                StatusCode.RPC_MAX_MESSAGE_SIZE_EXCEEDED,
                f"The request has {request.ByteSize()} bytes; a message may have {self._max_bytes} at most.",
            )
        return request

    async def _messages(self, exchange: Exchange, rpc: Rpc) -> AsyncIterator[Any]:
        """Yield the message of each line, as soon as it is there."""
        rest = bytearray()
        try:
            async for chunk in exchange.chunks():
                rest += chunk
                exchange.hold(len(rest))
                if b"\n" in chunk:
                    *lines, last = rest.split(b"\n")
                    rest = bytearray(last)
                    for number, line in enumerate(lines):
                        if line.strip():
                            yield await _read_line(rpc, bytes(line))
                        if number % _LINES_AT_ONCE == _LINES_AT_ONCE - 1:
                            await asyncio.sleep(0)
                if len(rest) > self._max_bytes:
                    raise CallerError(
                        StatusCode.RPC_MAX_MESSAGE_SIZE_EXCEEDED,
                        f"A line of the request has more than {self._max_bytes} bytes.",
                        hint=f"{rpc.name} takes one JSON object in each line.",
                    )
        except HttpProblem as problem:
            raise CallerError(problem.code, problem.details) from None
        if rest.strip():
            yield await _read_line(rpc, bytes(rest))

    async def _answer(self, exchange: Exchange, call: ApiCall, response: Any) -> None:
        await exchange.answer(status_of(call, response), as_json(response), JSON, call.trailers)

    async def _nowhere(self, exchange: Exchange) -> None:
        methods = self._paths.methods(exchange.path)
        if methods:
            raise _wrong_method(exchange, ", ".join(methods))
        near = self._paths.nearest(exchange.path)
        meant = f" Did you mean {near}?" if near else ""
        raise HttpProblem(
            404,
            StatusCode.CONN_DOES_NOT_EXIST,
            f"There is no path {exchange.path[:300]} in the platform's REST API.{meant} "
            f"GET {OPENAPI_PATH} lists all that there are.",
        )

    async def _serve_document(self, exchange: Exchange) -> None:
        if exchange.method not in ("GET", "HEAD"):
            raise _wrong_method(exchange, "GET")
        await exchange.answer(200, await self._openapi(), JSON)

    async def _openapi(self) -> bytes:
        if self._document is None:
            from clarifai_emulator.api.rest.openapi_document import openapi_document

            served = frozenset(self._handlers)
            self._document = await asyncio.to_thread(openapi_document, list(self._paths.forms()), served)
        return self._document


async def _read_line(rpc: Rpc, line: bytes) -> Any:
    return await read_aside(len(line), read_message, rpc.name, rpc.request_type, line)


def wanted_stream(exchange: Exchange) -> str:
    """The kind of stream a client asks for with ``accept``; empty when it asks for none."""
    accepted = exchange.headers.get("accept", "")
    return next((kind for kind in (EVENTS, LINES) if kind in accepted), "")


def as_chunk(kind: str, data: bytes) -> bytes:
    """Write one message of a stream, as a server-sent event or as a line."""
    return b"data: " + data + b"\n\n" if kind == EVENTS else data + b"\n"


def status_of(call: ApiCall, response: Any) -> int:
    """The HTTP status of an answer."""
    authenticated = call.rpc.auth is Auth.NONE or call.caller.user_id != ""
    return http_status(response.status.code, authenticated=authenticated)


def as_problem(error: TransportError) -> HttpProblem:
    """Return what ends a call without an answer as a problem of HTTP."""
    status = GRPC_TO_HTTP.get(error.name, 500)
    return HttpProblem(status, StatusCode.INTERNAL_UNCATEGORIZED, f"{error.name}: {error.message}")


def _wrong_method(exchange: Exchange, allowed: str) -> HttpProblem:
    exchange.answer_headers["allow"] = allowed
    text = f"There is no {exchange.method} {exchange.path}; this path knows {allowed}."
    return HttpProblem(405, StatusCode.CONN_METHOD_NOT_ALLOWED, text)


async def _failing(error: CallerError) -> AsyncIterator[Any]:
    raise error
    yield


def _raiser(error: CallerError) -> Handler:
    # Not held by what raises it, whose frame it holds: the body that it is about would stay for a while.
    held = [error]

    def refuse(call: ApiCall, request: Any) -> Any:
        raise held.pop()

    return refuse


def _not_implemented(call: ApiCall, request: Any) -> Any:
    if call.rpc.name == _RUNNERS_RPC:
        raise CallerError(
            StatusCode.NOT_IMPLEMENTED,
            f"{_RUNNERS_RPC} is a conversation between a runner and the platform, which is there over gRPC alone.",
        )
    raise CallerError(
        StatusCode.NOT_IMPLEMENTED,
        f"{call.rpc.name} is an RPC of the platform that the emulator does not have yet.",
        hint="`clarifai-emulator doctor --rpcs` lists those it has.",
    )


async def _not_implemented_stream(call: ApiCall, requests: AsyncIterator[Any]) -> AsyncGenerator[Any]:
    yield _not_implemented(call, requests)
