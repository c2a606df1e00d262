"""Unpacks bodies of HTTP requests that come in gzip or deflate, in pieces, so that whoever reads them can stop."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Protocol

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.errors import CallerError

_PIECE = 256 * 1024
# So much is given to zlib at once: it copies what it has not read yet, each time that a piece is full.
_SLICE = 64 * 1024
_GZIP, _ZLIB, _RAW = 31, 15, -15
_PLAIN = ("", "identity")
_PACKED = ("gzip", "x-gzip", "deflate")


class Inflater(Protocol):
    """Unpacks what zlib has packed (``zlib.decompressobj``)."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    @property
    def unconsumed_tail(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes: ...


def sliced(data: bytes) -> Iterator[bytes]:
    """Yield data in parts that zlib can be given at once."""
    for at in range(0, len(data), _SLICE):
        yield data[at : at + _SLICE]


def inflated(inflater: Inflater, data: bytes) -> Iterator[bytes]:
    """Yield what data unpacks to, in pieces; nothing of what follows the end. Raises ``zlib.error``."""
    piece = b""
    # After a full piece zlib may hold more, even when it has read everything; after the end it reads nothing.
    while not inflater.eof and (data or len(piece) == _PIECE):
        piece = inflater.decompress(data, _PIECE)
        if piece:
            yield piece
        data = inflater.unconsumed_tail


def is_packed(encoding: str) -> bool:
    """Tell whether a body of this ``Content-Encoding`` has to be unpacked. Raises ``CallerError`` for one that
    nothing here unpacks."""
    name = encoding.strip().lower()
    if name not in (*_PLAIN, *_PACKED):
        raise CallerError(
            StatusCode.CONN_BAD_REQUEST_FORMAT,
            f"The body is encoded with '{encoding[:50]}'; gzip, deflate and plain bodies are read.",
            hint="Send it with one of these, or without Content-Encoding.",
        )
    return name in _PACKED


class Unpacking:
    """Unpacks one body, in pieces. A body of gzip may be of several members, as the format has it; deflate is the
    zlib format, or without its frame, as some clients send it."""

    def __init__(self, encoding: str) -> None:
        self._name = encoding.strip().lower()
        self._inflater: Inflater | None = None
        self._early = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what the next bytes unpack to. Raises ``CallerError`` 11100 for bytes that are not packed so."""
        for part in sliced(data):
            yield from self._feed(part)

    def _feed(self, data: bytes) -> Iterator[bytes]:
        data = self._early + data
        self._early = b""
        while data:
            if self._inflater is None:
                if len(data) < 2:  # too few to tell
                    self._early = data
                    return
                self._inflater = zlib.decompressobj(self._window_bits(data))
            yield from self._unpack(self._inflater, data)
            data = self._inflater.unused_data
            if self._inflater.eof:
                self._begin_next(data)

    def end(self) -> None:
        """Take note that the body has ended. Raises ``CallerError`` 11100 where it breaks off."""
        if self._inflater is not None or self._early:
            raise self._wrong("it breaks off")

    def _unpack(self, inflater: Inflater, data: bytes) -> Iterator[bytes]:
        try:
            yield from inflated(inflater, data)
        except zlib.error as error:
            raise self._wrong(str(error)) from None

    def _begin_next(self, following: bytes) -> None:
        self._inflater = None
        if following and self._name == "deflate":
            raise self._wrong("something follows its end")

    def _window_bits(self, data: bytes) -> int:
        if self._name != "deflate":
            return _GZIP
        has_frame = data[0] & 0x0F == zlib.DEFLATED and int.from_bytes(data[:2]) % 31 == 0
        return _ZLIB if has_frame else _RAW

    def _wrong(self, what: str) -> CallerError:
        return CallerError(
            StatusCode.CONN_BAD_REQUEST_FORMAT, f"The body is said to be {self._name} and is not: {what}."
        )
