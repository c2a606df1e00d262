"""Speaks HTTP/2 by hand, well or badly: frames out, frames in, and nothing that keeps to a rule by itself."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hpack import Decoder, Encoder

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED = 0x1, 0x1, 0x4, 0x8
GET_USER = "/clarifai.api.V2/GetUser"
EMPTY_MESSAGE = b"\0\0\0\0\0"
TOKEN = "local-emulator-token"

Fields = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame that came."""

    kind: int
    flags: int
    stream_id: int
    payload: bytes


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream_id) + payload


def message(data: bytes, *, packed: bool = False) -> bytes:
    """Frame a message as gRPC does."""
    return struct.pack(">BI", packed, len(data)) + data


def fields(path: str = GET_USER, token: str | None = TOKEN, *more: tuple[str, str]) -> list[tuple[str, str]]:
    """Return the fields of a call; without a token, of somebody who has none."""
    said = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "localhost")]
    said += [("content-type", "application/grpc"), ("te", "trailers")]
    return [*said, *([("authorization", f"Key {token}")] if token else []), *more]


def literal(name: str, value: str) -> bytes:
    """Write a field that no table remembers, without compression."""
    return b"\x10" + _text(name.encode()) + _text(value.encode("utf-8", "surrogateescape"))


def _text(data: bytes) -> bytes:
    left, written = len(data) - 0x7F, bytearray()
    if left < 0:
        return bytes([len(data)]) + data
    while left >= 0x80:
        written.append(left & 0x7F | 0x80)
        left >>= 7
    return b"\x7f" + bytes([*written, left]) + data


class RawConnection:
    """A connection that has said hello."""

    def __init__(self, port: int, *, settings: bytes = b"", seconds: float = 30.0) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=seconds)
        self._encoder = Encoder()
        self._next = 1
        self.closed = False
        self.send(PREFACE + frame(SETTINGS, 0, 0, settings))

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def headers(self, said: Fields, *, end: bool = False) -> tuple[int, bytes]:
        """Return the id of a new stream, and the frame that begins it."""
        stream_id, self._next = self._next, self._next + 2
        flags = END_HEADERS | (END_STREAM if end else 0)
        return stream_id, frame(HEADERS, flags, stream_id, self._encoder.encode(list(said)))

    def begin(self, said: Fields, *, end: bool = False) -> int:
        stream_id, data = self.headers(said, end=end)
        self.send(data)
        return stream_id

    def read_past(self) -> None:
        """Read and forget what comes, from now on."""
        threading.Thread(target=self._read_all, daemon=True).start()

    def _read_all(self) -> None:
        with contextlib.suppress(OSError):
            while self._socket.recv(1 << 16):
                pass

    def frames(self, seconds: float) -> Iterator[Frame]:
        """Yield what comes, until the server closes or says nothing for so long."""
        self._socket.settimeout(seconds)
        rest = b""
        with contextlib.suppress(TimeoutError):
            while data := self._received():
                rest += data
                while len(rest) >= 9 and len(rest) >= 9 + int.from_bytes(rest[:3], "big"):
                    size = 9 + int.from_bytes(rest[:3], "big")
                    stream_id = int.from_bytes(rest[5:9], "big") & 0x7FFFFFFF
                    yield Frame(rest[3], rest[4], stream_id, rest[9:size])
                    rest = rest[size:]

    def _received(self) -> bytes:
        try:
            data = self._socket.recv(1 << 16)
        except ConnectionError:
            data = b""
        self.closed = self.closed or not data
        return data

    def close(self) -> None:
        self._socket.close()


class PatientConnection(RawConnection):
    """Keeps to the windows: sends data as far as the server lets it."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self._changed = threading.Condition()
        self._first_window, self._room = 65_535, {0: 65_535}
        self._ended = set[int]()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for each in self.frames(3600):
            with self._changed:
                if each.kind == WINDOW:
                    more = int.from_bytes(each.payload, "big")
                    self._room[each.stream_id] = self._room.get(each.stream_id, self._first_window) + more
                elif each.kind == SETTINGS:
                    found = dict(struct.iter_unpack(">HI", each.payload))
                    self._first_window = found.get(4, self._first_window)
                elif each.kind == RST or (each.kind in (HEADERS, DATA) and each.flags & END_STREAM):
                    self._ended.add(each.stream_id)
                self._changed.notify_all()
        with self._changed:
            self._ended.add(0)
            self._changed.notify_all()

    def send_data(self, stream_id: int, size: int, *, patience: float = 2.0) -> int:
        """Send so many bytes of zeros; return how many the server took before it said no, or nothing for long."""
        sent = 0
        while sent < size:
            with self._changed:
                if not self._changed.wait_for(lambda: self._may(stream_id), patience):
                    break
                if self._ended & {0, stream_id}:
                    break
                some = min(size - sent, self._room_of(stream_id), self._room[0], 16_384)
                self._room[stream_id] = self._room_of(stream_id) - some
                self._room[0] -= some
            self.send(frame(DATA, 0, stream_id, bytes(some)))
            sent += some
        return sent

    def _may(self, stream_id: int) -> bool:
        return bool(self._ended & {0, stream_id}) or min(self._room_of(stream_id), self._room[0]) > 0

    def _room_of(self, stream_id: int) -> int:
        return self._room.get(stream_id, self._first_window)


def outcome(connection: RawConnection, stream_id: int, *, seconds: float) -> str:
    """Return how a stream ends: ``grpc N``, ``http N``, ``reset N``, ``goodbye N``, ``closed``, or ``silent`` when
    nothing more comes within the time."""
    decoder, block, ends = Decoder(), b"", False
    for each in connection.frames(seconds):
        if each.kind == RST and each.stream_id == stream_id:
            return f"reset {int.from_bytes(each.payload, 'big')}"
        if each.kind == GOAWAY:
            return f"goodbye {int.from_bytes(each.payload[4:8], 'big')}"
        if each.kind == HEADERS:
            block, ends = b"", bool(each.flags & END_STREAM)
        if each.kind in (HEADERS, CONTINUATION) and each.stream_id == stream_id:
            block += each.payload
            if each.flags & END_HEADERS and ends:
                found = {str(name): str(value) for name, value in decoder.decode(block)}
                return f"grpc {found['grpc-status']}" if "grpc-status" in found else f"http {found.get(':status')}"
    return "closed" if connection.closed else "silent"
