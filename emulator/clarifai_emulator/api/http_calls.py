"""Takes calls that came over HTTP past the interceptors, as calls over gRPC pass them: who listens, records or
plays back need not know how a call came.

    request ─┬─ interceptors (api/taps.py), as bytes ─┬─ request chain ─► response
             └─ none are there ──────────────────────┘
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from clarifai_emulator.api.chain import Call, RequestChain, StreamHandler, UnaryHandler
from clarifai_emulator.api.rpc import Rpc
from clarifai_emulator.api.taps import Interceptor, intercepted
from clarifai_emulator.api.transport.http2 import Serve
from clarifai_emulator.errors import CallerError


class HttpCalls:
    """The request chain for what comes over HTTP. ``interceptors`` may come and go; ``chain``: past them."""

    def __init__(self, chain: RequestChain, interceptors: Sequence[Interceptor]) -> None:
        self.chain = chain
        self._interceptors = interceptors

    def begin(self, rpc: Rpc, metadata: Mapping[str, str], *, peer: str) -> Call:
        """See ``RequestChain``."""
        return self.chain.begin(rpc, metadata, peer=peer, seconds_left=None)

    async def unary(self, call: Call, handler: UnaryHandler, request: Any) -> Any:
        """See ``RequestChain``. A request that could not be read (None) is for the handler to refuse."""
        if not self._interceptors or request is None:
            return await self.chain.unary(call, handler, request)

        async def serve(stream: Any) -> None:
            stream.trailers = call.trailers
            asked = call.rpc.request_type.FromString(await stream.read())
            response = await self.chain.unary(call, handler, asked)
            await stream.write(response.SerializeToString())

        responses = [each async for each in self._pass(call, serve, only(request))]
        return responses[0] if responses else call.rpc.response_type()

    async def stream(self, call: Call, handler: StreamHandler, requests: AsyncIterator[Any]) -> AsyncGenerator[Any]:
        """See ``RequestChain``."""

        async def serve(stream: Any) -> None:
            stream.trailers = call.trailers
            async with aclosing(self.chain.stream(call, handler, _messages(call.rpc, stream))) as responses:
                async for response in responses:
                    await stream.write(response.SerializeToString())

        is_watched = bool(self._interceptors)
        passed = self._pass(call, serve, requests) if is_watched else self.chain.stream(call, handler, requests)
        async with aclosing(passed) as responses:
            async for response in responses:
                yield response

    async def _pass(self, call: Call, serve: Serve, requests: AsyncIterator[Any]) -> AsyncGenerator[Any]:
        """What the interceptors, or ``serve`` behind them, answer."""
        stream = _MessageStream(call, requests)
        served = intercepted(lambda path: serve, self._interceptors)(stream.path)
        if served is None:
            return
        as_grpc: Any = stream
        serving = asyncio.ensure_future(served(as_grpc))
        serving.add_done_callback(lambda _: stream.end())
        try:
            while (message := await stream.written()) is not None:
                yield call.rpc.response_type.FromString(message)
            await serving
        except CallerError as error:  # of a request that cannot be read, and that was not read by the chain
            async for response in self.chain.stream(call, _refusing(error), requests):
                yield response
        finally:
            call.trailers.update(stream.trailers)
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)


class _MessageStream:
    """What of a ``GrpcStream`` handlers and interceptors use. Each answer waits until the one before was taken."""

    def __init__(self, call: Call, requests: AsyncIterator[Any]) -> None:
        self.path = call.rpc.path
        self.metadata = call.metadata
        self.peer = call.peer
        self.seconds_left = call.seconds_left
        self.trailers: dict[str, str] = {}
        self._requests = requests
        self._written: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(1)

    async def read(self) -> bytes | None:
        """The next request, if there is one."""
        request = await anext(self._requests, None)
        return None if request is None else request.SerializeToString()

    async def write(self, message: bytes) -> None:
        """An answer."""
        await self._room.acquire()
        self._written.put_nowait(message)

    def flush(self) -> None:
        """Nothing waits here."""

    def end(self) -> None:
        """There are no more answers."""
        self._written.put_nowait(None)

    async def written(self) -> bytes | None:
        """The next answer; None after the last."""
        message = await self._written.get()
        self._room.release()
        return message


def _refusing(error: CallerError) -> StreamHandler:
    async def refuse(_call: Call, _requests: AsyncIterator[Any]) -> AsyncGenerator[Any]:
        raise error
        yield

    return refuse


async def only(request: Any) -> AsyncIterator[Any]:
    """One request, as a stream of requests."""
    yield request


async def _messages(rpc: Rpc, stream: _MessageStream) -> AsyncIterator[Any]:
    while (data := await stream.read()) is not None:
        yield rpc.request_type.FromString(data)
