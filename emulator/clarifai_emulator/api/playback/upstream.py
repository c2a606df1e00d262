"""Lets another base URL answer, the real platform's for instance: passes a call on to it as it is."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any
from urllib.parse import urlsplit

from clarifai_emulator.api.call import ApiCall
from clarifai_emulator.api.transport.upload_parts import whole
from clarifai_emulator.errors import TransportError

_PASSED_ON = ("x-clarifai-request-id-prefix",)


class Upstream:
    """Calls another platform. ``pat``: the token to call it with, whatever the client sent."""

    def __init__(self, base_url: str, pat: str) -> None:
        self._parts = urlsplit(base_url)
        self._pat = pat
        self._channel: Any = None

    async def serve(self, call: ApiCall, requests: AsyncIterator[Any]) -> AsyncGenerator[Any]:
        """Pass one call on, message by message."""
        import grpc

        metadata = [("authorization", f"Key {self._pat}")]
        metadata += [(name, call.metadata[name]) for name in _PASSED_ON if name in call.metadata]
        method = self._open(grpc).stream_stream(
            call.rpc.path,
            request_serializer=call.rpc.request_type.SerializeToString,
            response_deserializer=call.rpc.response_type.FromString,
        )
        try:
            async for answer in method(_whole(requests), metadata=metadata):
                yield answer
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


async def _whole(requests: AsyncIterator[Any]) -> AsyncGenerator[Any]:
    async for request in requests:
        yield await whole(request)
