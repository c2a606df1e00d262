"""Unpacks a message of gRPC that came compressed, whole and no more, a part in each turn of the event loop."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable

from clarifai_emulator.api.transport.packed_body import inflated, sliced
from clarifai_emulator.errors import TransportError

_WINDOW_BITS = {"gzip": 31, "deflate": 15}
# What is unpacked before other requests have their turn.
_AT_ONCE = 2 * 1024 * 1024


async def unpacked(encoding: str, data: bytes, max_bytes: int, hold: Callable[[int], None]) -> bytes:
    """Return what a message unpacks to. ``hold`` is told how many bytes there are so far. Raises ``TransportError``
    for one that is not packed so, and for one that unpacks to more than ``max_bytes``."""
    if encoding in ("", "identity"):
        raise TransportError(
            "INTERNAL", "A message is marked as compressed, and grpc-encoding does not say how: gzip or deflate."
        )
    if encoding not in _WINDOW_BITS:
        raise TransportError(
            "UNIMPLEMENTED",
            f"The request is compressed with '{encoding[:50]}'; the emulator takes identity, deflate and gzip.",
        )
    inflater = zlib.decompressobj(_WINDOW_BITS[encoding])
    pieces: list[bytes] = []
    size, turn = 0, 0
    for part in sliced(data):
        if inflater.eof:
            raise _wrong(encoding, "something follows its end")
        try:
            for piece in inflated(inflater, part):
                pieces.append(piece)
                size += len(piece)
                if size > max_bytes:
                    text = f"The request unpacks to more than {max_bytes} bytes."
                    raise TransportError("RESOURCE_EXHAUSTED", text)
                if size - turn >= _AT_ONCE:
                    turn = size
                    hold(size)
                    await asyncio.sleep(0)
        except zlib.error as error:
            raise _wrong(encoding, str(error)) from None
    if not inflater.eof:
        raise _wrong(encoding, "it breaks off")
    if inflater.unused_data:
        raise _wrong(encoding, "something follows its end")
    return b"".join(pieces)


def _wrong(encoding: str, what: str) -> TransportError:
    return TransportError("INTERNAL", f"The request is said to be {encoding} and is not: {what}.")
