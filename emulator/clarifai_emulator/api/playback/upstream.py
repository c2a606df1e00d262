"""Lets somebody else answer: passes a call on to another base URL, the real platform's for instance, as it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

from clarifai_emulator.api.transport.grpc_stream import GrpcStream
from clarifai_emulator.errors import TransportError

_PASSED_ON = ("x-clarifai-request-id-prefix",)


class Upstream:
    """Another platform. ``pat`` is what calls are made with there, whatever the client sent."""

    def __init__(self, base_url: str, pat: str) -> None:
        self._parts = urlsplit(base_url)
        self._pat = pat
        self._channel: Any = None

    async def serve(self, stream: GrpcStream) -> None:
        """Pass one call on, message by message."""
        import grpc

        metadata = [("authorization", f"Key {self._pat}")]
        metadata += [(name, stream.metadata[name]) for name in _PASSED_ON if name in stream.metadata]
        call = self._open(grpc).stream_stream(stream.path)(_messages(stream), metadata=metadata)
        try:
            async for answer in call:
                await stream.write(answer)
                stream.flush()
        except grpc.aio.AioRpcError as error:
            raise TransportError(error.code().name, error.details() or "") from None

    async def close(self) -> None:
        """Hang up."""
        if self._channel is not None:
            await self._channel.close()
            self._channel = None

    def _open(self, grpc: Any) -> Any:
        if self._channel is None:
            host = self._parts.netloc
            if self._parts.scheme == "http":
                self._channel = grpc.aio.insecure_channel(host)
            else:
                target = host if self._parts.port else f"{host}:443"
                self._channel = grpc.aio.secure_channel(target, grpc.ssl_channel_credentials())
        return self._channel


async def _messages(stream: GrpcStream) -> AsyncIterator[bytes]:
    while (message := await stream.read()) is not None:
        yield message
