"""Serves handlers over gRPC: every method of the RPC table, each request through the request chain."""

from __future__ import annotations

import asyncio
import mmap
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing
from itertools import chain
from typing import Any

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode
from google.protobuf.message import DecodeError

from clarifai_emulator.api.access.auth import NOBODY, Caller
from clarifai_emulator.api.call import ApiCall, Handler
from clarifai_emulator.api.chain import RequestChain
from clarifai_emulator.api.rpc import SERVICE, Rpc, rpc_table
from clarifai_emulator.api.transport.grpc_stream import GrpcStream
from clarifai_emulator.api.transport.http2 import Serve
from clarifai_emulator.api.transport.upload_parts import upload_messages
from clarifai_emulator.errors import CallerError, TransportError
from clarifai_emulator.messages.outline import Bytes, outline

# A request of this size is read in outline only, and handed to its replica as it came.
_LARGE = 256 * 1024

# How many messages of a stream are read before other requests have their turn.
_MESSAGES_AT_ONCE = 64
_PREFIX = f"/{SERVICE}/"


# Of a large answer, so much is sent before more is asked for.
_PART = 1024 * 1024


class ApiHandlers:
    """Serves all RPCs of the platform: those with a handler answer, the others say UNIMPLEMENTED and their name."""

    def __init__(self, handlers: Mapping[str, Handler], chain: RequestChain) -> None:
        table = rpc_table()
        unknown = sorted(name for name in handlers if name not in table)
        if unknown:
            raise ValueError(f"handlers for RPCs that the platform does not have: {', '.join(unknown)}")
        self._chain = chain
        self._handlers = handlers
        self._methods: dict[str, Serve] = {}  # those that were asked for, by their paths

    def find(self, path: str) -> Serve | None:
        """Find what serves a method's path; None for another service's."""
        method = self._methods.get(path)
        if method is None and path.startswith(_PREFIX):
            name = path.removeprefix(_PREFIX)
            if name not in self._handlers:
                return self._unimplemented(name)
            method = self._methods[path] = self._method(rpc_table()[name], self._handlers[name])
        return method

    def _method(self, rpc: Rpc, handler: Any) -> Serve:
        return self._serve_stream(rpc, handler) if rpc.server_streaming else self._serve_unary(rpc, handler)

    def _serve_unary(self, rpc: Rpc, handler: Any) -> Serve:
        parse = _reader(rpc)

        async def serve(stream: GrpcStream) -> None:
            caller = self._chain.caller(rpc, stream.metadata, stream.peer)
            if caller is None and not self._chain.has_interceptors:
                call = self._begin(rpc, stream, is_heard=False)
                response = await self._chain.unary(call, _never, None)
                await stream.write_last(response.SerializeToString())
                return
            data = await stream.read_only()
            if data is None:
                raise _none_came(rpc)
            takes_bytes = rpc.name == "PostModelOutputs" and self._chain.passes_bytes
            read = outline(rpc.request_type, data) if takes_bytes and len(data) >= _LARGE else None
            request = parse(data) if read is None else read
            is_readable = not isinstance(request, Unreadable)
            call = self._begin(rpc, stream, is_heard=is_readable, caller=caller or NOBODY)
            call.came = request, data
            call.is_outline, call.takes_bytes = read is not None, takes_bytes
            response = await self._chain.unary(call, handler if is_readable else _refuse, request)
            if call.came_back[0] is response:
                await _send_as_it_came(stream, call)
            else:
                await stream.write_last(response.SerializeToString())

        return serve

    def _serve_stream(self, rpc: Rpc, handler: Any) -> Serve:
        parse = _reader(rpc)
        read = upload_messages if rpc.name == "PostModelVersionsUpload" else _messages

        async def serve(stream: GrpcStream) -> None:
            call = self._begin(rpc, stream)
            call.takes_bytes = self._chain.passes_bytes
            requests = _readable(read(stream, parse))
            if not rpc.client_streaming:
                requests = _one(rpc, requests)
            async with aclosing(self._chain.stream(call, handler, requests)) as responses:
                first = True
                async for response in responses:
                    if call.came_back[0] is response:
                        await _send_as_it_came(stream, call)
                    else:
                        await stream.write(response.SerializeToString())
                    if first:
                        first = False
                        stream.flush()  # whoever waits for the first chunk does not wait for those that follow

        return serve

    def _begin(self, rpc: Rpc, stream: GrpcStream, *, is_heard: bool = True, caller: Caller = NOBODY) -> ApiCall:
        call = self._chain.begin(
            rpc,
            stream.metadata,
            peer=stream.peer,
            seconds_left=stream.seconds_left,
            is_heard=is_heard,
            caller=caller,
        )
        stream.trailers = call.trailers
        return call

    def _unimplemented(self, name: str) -> Serve:
        """Return what refuses an RPC that has no handler, unless an interceptor answers it."""
        rpc = rpc_table().get(name)
        if rpc is None:
            return _raiser("UNIMPLEMENTED", f"{name} is not an RPC of {SERVICE}.")
        error = TransportError(
            "UNIMPLEMENTED",
            f"{name} is an RPC of the platform that the emulator does not have yet; "
            "`clarifai-emulator doctor --rpcs` lists those it has.",
        )
        parse = _reader(rpc)

        async def serve(stream: GrpcStream) -> None:
            requests = _readable(_messages(stream, parse))
            async with aclosing(self._chain.unserved(self._begin(rpc, stream), requests, error)) as responses:
                async for response in responses:
                    await stream.write(response.SerializeToString())

        return serve


async def _send_as_it_came(stream: GrpcStream, call: ApiCall) -> None:
    """Send an answer of a model in the bytes in which it came, then what its status has become: parts of a message
    may follow each other in protobuf."""
    response, data = call.came_back
    said = response.status
    status = type(said)(code=said.code, description=said.description, details=said.details, req_id=said.req_id)
    more = type(response)(status=status).SerializeToString()
    await stream.write_parts(len(data) + len(more), chain(_parts(data), (more,)))
    call.came_back = None, b""


def _parts(data: Bytes) -> Iterator[memoryview]:
    """Yield bytes in parts, and give back the memory of those that have left: at the end it would take so long that
    others had to wait. A transport that is full may hold on to the last part, and to the end of the one before."""
    view = memoryview(data)
    for start in range(0, len(data), _PART):
        left = start - 3 * _PART
        if left >= 0 and isinstance(data, mmap.mmap):
            data.madvise(mmap.MADV_DONTNEED, left, _PART)
        yield view[start : start + _PART]


async def _messages(stream: GrpcStream, parse: Callable[[bytes], Any]) -> AsyncIterator[Any]:
    number = 0
    while (data := await stream.read()) is not None:
        yield parse(data)
        number += 1
        if number % _MESSAGES_AT_ONCE == 0:
            await asyncio.sleep(0)


async def _one(rpc: Rpc, requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    """Give the one request of a stream of answers. Raises ``TransportError`` where none comes."""
    async for request in requests:
        yield request
        return
    raise _none_came(rpc)


def _none_came(rpc: Rpc) -> TransportError:
    return TransportError("UNIMPLEMENTED", f"{rpc.name} takes one request; none came.")


async def _readable(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for request in requests:
        if isinstance(request, Unreadable):
            raise request.error
        yield request


class Unreadable:
    """Stands for bytes that are no message of the RPC's request type."""

    def __init__(self, rpc: Rpc, error: DecodeError) -> None:
        self.error = CallerError(
            StatusCode.CONN_BAD_REQUEST_FORMAT,
            f"The request of {rpc.name} cannot be read as {rpc.request_type.DESCRIPTOR.full_name}: {error}.",
            hint="Send it with the stubs of clarifai-grpc, of a version that this platform knows.",
        )


def _reader(rpc: Rpc) -> Callable[[bytes], Any]:
    """Make a parser of requests. What it cannot parse goes through the chain as such, so that the client is
    told."""
    parse = rpc.request_type.FromString

    def read(data: bytes) -> Any:
        try:
            return parse(data)
        except DecodeError as error:
            return Unreadable(rpc, error)

    return read


def _never(_call: ApiCall, _request: Any) -> Any:
    raise AssertionError("a request whose credential is no good has come to its handler")


def _refuse(_call: ApiCall, request: Unreadable) -> Any:
    raise request.error


def _raiser(name: str, message: str) -> Serve:
    async def refuse(_stream: GrpcStream) -> None:
        raise TransportError(name, message)

    return refuse
