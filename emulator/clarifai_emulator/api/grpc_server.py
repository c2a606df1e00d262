"""Serves handlers over gRPC: one generic handler over the RPC table, each request through the request chain."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from typing import Any, NoReturn

import grpc
import grpc.aio
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode
from google.protobuf.message import DecodeError

from clarifai_emulator.api.chain import Call, Handler, RequestChain
from clarifai_emulator.api.rpc import SERVICE, Rpc, rpc_table
from clarifai_emulator.errors import CallerError, TransportError

# Windows large enough that a payload of many MiB is not metered out 64 KiB at a time.
_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.so_reuseport", 0),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5000),
    ("grpc.max_metadata_size", 64 * 1024),
)


def server_options(max_message_bytes: int) -> list[tuple[str, int]]:
    """Channel arguments of the emulator's listeners. The client gets 1 MiB on top of the runner's own limit,
    so that an item that is just too large is refused by name and not by the transport."""
    size = max_message_bytes + 1024 * 1024
    return [
        *_OPTIONS,
        ("grpc.max_receive_message_length", size),
        ("grpc.max_send_message_length", size),
    ]


class ApiHandlers(grpc.GenericRpcHandler):
    """All RPCs of the platform: those with a handler answer, the others say UNIMPLEMENTED and their name."""

    def __init__(self, handlers: Mapping[str, Handler], chain: RequestChain) -> None:
        table = rpc_table()
        unknown = sorted(set(handlers) - set(table))
        if unknown:
            raise ValueError(f"handlers for RPCs that the platform does not have: {', '.join(unknown)}")
        self._chain = chain
        self._methods = {table[name].path: self._method(table[name], handlers[name]) for name in handlers}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        """The handler of a method path (called by gRPC for every request)."""
        path: str = handler_call_details.method
        method = self._methods.get(path)
        if method is None and path.startswith(f"/{SERVICE}/"):
            return _unimplemented(path.rpartition("/")[2])
        return method

    def _method(self, rpc: Rpc, handler: Handler) -> grpc.RpcMethodHandler[Any, Any]:
        make = _SHAPES[rpc.client_streaming, rpc.server_streaming]
        serve = self._serve_unary if not rpc.server_streaming else self._serve_stream
        return make(
            serve(rpc, handler),
            request_deserializer=_reader(rpc),
            response_serializer=rpc.response_type.SerializeToString,
        )

    def _serve_unary(self, rpc: Rpc, handler: Any) -> Any:
        async def serve(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            call = self._begin(rpc, context)
            checked = _refuse if isinstance(request, Unreadable) else handler
            try:
                response = await self._chain.unary(call, checked, request)
            except TransportError as error:
                await _abort(context, call, error)
            context.set_trailing_metadata(tuple(call.trailers.items()))
            return response

        return serve

    def _serve_stream(self, rpc: Rpc, handler: Any) -> Any:
        async def serve(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[Any]:
            call = self._begin(rpc, context)
            requests = _readable(request if rpc.client_streaming else _one(request))
            try:
                async with aclosing(self._chain.stream(call, handler, requests)) as responses:
                    async for response in responses:
                        yield response
            except TransportError as error:
                await _abort(context, call, error)
            context.set_trailing_metadata(tuple(call.trailers.items()))

        return serve

    def _begin(self, rpc: Rpc, context: grpc.aio.ServicerContext[Any, Any]) -> Call:
        return self._chain.begin(
            rpc, metadata_of(context), peer=context.peer(), seconds_left=context.time_remaining() or None
        )


async def _abort(context: grpc.aio.ServicerContext[Any, Any], call: Call, error: TransportError) -> NoReturn:
    """End a call with a gRPC status instead of an answer."""
    await context.abort(_STATUSES[error.code], error.message, tuple(call.trailers.items()))


def metadata_of(context: grpc.aio.ServicerContext[Any, Any]) -> dict[str, str]:
    """A request's metadata by lower-case name; bytes that are no text are replaced, not refused."""
    return {
        str(key): value if isinstance(value, str) else value.decode("utf-8", "replace")
        for key, value in context.invocation_metadata() or ()
    }


_STATUSES: dict[int, grpc.StatusCode] = {status.value[0]: status for status in grpc.StatusCode}
_SHAPES: dict[tuple[bool, bool], Any] = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}


class Unreadable:
    """Bytes that are no message of the RPC's request type."""

    def __init__(self, rpc: Rpc, error: DecodeError) -> None:
        self.error = CallerError(
            StatusCode.CONN_BAD_REQUEST_FORMAT,
            f"The request of {rpc.name} cannot be read as {rpc.request_type.DESCRIPTOR.full_name}: {error}.",
            hint="Send it with the stubs of clarifai-grpc, of a version that this platform knows.",
        )


def _reader(rpc: Rpc) -> Callable[[bytes], Any]:
    """Parses requests; what cannot be parsed goes through the chain as such, so that the client is told."""
    parse = rpc.request_type.FromString

    def read(data: bytes) -> Any:
        try:
            return parse(data)
        except DecodeError as error:
            return Unreadable(rpc, error)

    return read


def _refuse(_call: Call, request: Unreadable) -> Any:
    raise request.error


async def _readable(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for request in requests:
        if isinstance(request, Unreadable):
            raise request.error
        yield request


async def _one(request: Any) -> AsyncIterator[Any]:
    yield request


def _unimplemented(name: str) -> grpc.RpcMethodHandler[Any, Any]:
    known = name in rpc_table()
    text = (
        f"{name} is an RPC of the platform that the emulator does not have yet; "
        "`clarifai-emulator doctor --rpcs` lists those it has."
        if known
        else f"{name} is not an RPC of {SERVICE}."
    )

    async def refuse(_request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, text)

    return grpc.stream_stream_rpc_method_handler(refuse)
