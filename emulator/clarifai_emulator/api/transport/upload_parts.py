"""Reads the messages of an upload; the data of a long part is given as it comes, not when all of it is there.

    upload_config                            ─► the request, as of any RPC
    content_part { numbers, data: 127 MiB }  ─► ``LongPart``: the request without its data, and the data in pieces

A part is up to 127 MiB. Whole, it would lie in memory four times over before its first byte is on the disk.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import UploadContentPart
from clarifai_grpc.grpc.api.service_pb2 import PostModelVersionsUploadRequest

from clarifai_emulator.api.transport.grpc_stream import GrpcStream, LongMessage

_PART = PostModelVersionsUploadRequest.DESCRIPTOR.fields_by_name["content_part"]
_VARINT, _BYTES = 0, 2
# All that stands before the data: two numbers, and three tags with a length each.
_HEAD_BYTES = 64


@dataclass(slots=True)
class LongPart:
    """Gives a part that is still coming. ``request``: the message without the data, of which there are ``size``
    bytes."""

    request: Any
    size: int
    _message: LongMessage
    _first: list[bytes] = field(default_factory=list[bytes])

    async def read(self) -> list[bytes]:
        """Return the pieces of the data that have come since the last time, in order; none at the end."""
        first, self._first = self._first, []
        return first or await self._message.read()


async def upload_messages(stream: GrpcStream, parse: Callable[[bytes], Any]) -> AsyncIterator[Any]:
    """Yield the requests of an upload: messages as ``parse`` gives them, and ``LongPart``s."""
    while (message := await stream.read_begun()) is not None:
        yield await _opened(message, parse) if isinstance(message, LongMessage) else parse(message)


async def whole(request: Any) -> Any:
    """Return a request of an upload with all of its data, however long that is."""
    if not isinstance(request, LongPart):
        return request
    pieces: list[bytes] = []
    while more := await request.read():
        pieces += more
    message = type(request.request)()
    message.CopyFrom(request.request)
    message.content_part.data = b"".join(pieces)
    return message


async def _opened(message: LongMessage, parse: Callable[[bytes], Any]) -> Any:
    begun = await _read(message, _HEAD_BYTES)
    head = _data_of(begun, message.size)
    if head is None:  # in another order than every known client writes it: read whole
        return parse(begun + await _read(message, message.size))
    request, start = head
    return LongPart(request, message.size - start, message, [begun[start:]] if begun[start:] else [])


async def _read(message: LongMessage, least: int) -> bytes:
    pieces: list[bytes] = []
    while sum(map(len, pieces)) < least and (more := await message.read()):
        pieces += more
    return b"".join(pieces)


def _data_of(begun: bytes, size: int) -> tuple[Any, int] | None:
    """Return the request without its data, and where the data begins; None unless the data is the end of the
    message."""
    try:
        number, kind, length, at = _field(begun, 0)
        inner = at
        if (number, kind, at + length) != (_PART.number, _BYTES, size):
            return None
        data = UploadContentPart.DESCRIPTOR.fields_by_name["data"].number
        while True:
            start = at
            number, kind, length, at = _field(begun, at)
            if kind == _BYTES:
                break
    except (IndexError, ValueError):
        return None
    if number != data or at + length != size:
        return None
    request = PostModelVersionsUploadRequest()
    request.content_part.MergeFromString(begun[inner:start])
    return request, at


def _field(data: bytes, at: int) -> tuple[int, int, int, int]:
    """Read a field: its number, its wire type, its value or length, and where its contents begin, or the next
    field."""
    tag, at = _varint(data, at)
    if tag & 7 not in (_VARINT, _BYTES):
        raise ValueError("no type of field that a part has")
    value, at = _varint(data, at)
    return tag >> 3, tag & 7, value, at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("no number is that long")
