"""Gives tests of what is served buffers that are never full."""

from __future__ import annotations

from clarifai_emulator.api.transport.request_buffers import Buffers, ConnectionBuffers


def all_unbounded() -> Buffers:
    """Return the buffers of a port."""
    return Buffers(1 << 40, 1 << 40)


def unbounded() -> ConnectionBuffers:
    """Return the buffers of a connection."""
    return all_unbounded().connection()
