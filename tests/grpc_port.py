"""Serves gRPC methods at a free port, as the emulator does, for tests of what is served."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from clarifai_emulator.api.transport.http2 import Find
from clarifai_emulator.api.transport.port import Port
from clarifai_emulator.api.transport.request_buffers import Buffers
from unbounded_buffers import all_unbounded


@asynccontextmanager
async def grpc_port(
    find: Find, *, max_bytes: int = 8 * 1024 * 1024, buffers: Buffers | None = None
) -> AsyncIterator[str]:
    """Yield the address, ``127.0.0.1:port``, for as long as the block runs."""
    port = Port(find, max_bytes=max_bytes, on_odd=lambda kind, what: None, buffers=buffers or all_unbounded())
    number = await port.listen("127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{number}"
    finally:
        await port.close()
