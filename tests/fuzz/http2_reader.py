"""Reads HTTP/2 as a server does: what comes means the same in any pieces, or ends the connection with a code."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Any

from hpack import Encoder

from clarifai_emulator.api.transport.http2_frames import PREFACE, ConnectionFault
from clarifai_emulator.api.transport.http2_session import Session

# Of what is sent, at most so much more than came (acknowledgements, resets), besides the answers.
_AMPLIFIED, _AT_FIRST = 4, 200
_ANSWER = b"x" * 100

_FIELDS = [(":method", "POST"), (":scheme", "http"), (":path", "/a.B/C"), (":authority", "x"), ("te", "trailers")]


class _Answering:
    """Hears a session, answers every request that has ended, and notes what it heard."""

    def __init__(self) -> None:
        self.said: list[tuple[Any, ...]] = []
        self.answers = 0
        self.session = Session(self)

    def request_came(self, stream_id: int, fields: Mapping[str, str]) -> None:
        self.said.append(("request", stream_id, tuple(fields.items())))

    def data_came(self, stream_id: int, data: bytes, size: int) -> None:
        if self.said and self.said[-1][:2] == ("data", stream_id):
            data = self.said.pop()[2] + bytes(data)
        self.said.append(("data", stream_id, bytes(data)))
        self.session.acknowledge(stream_id, size)

    def request_ended(self, stream_id: int) -> None:
        self.said.append(("end", stream_id))
        if not self.session.is_open(stream_id):
            return
        self.answers += 1
        self.session.send_headers(stream_id, [(":status", "200")])
        if self.session.window(stream_id) >= len(_ANSWER):
            self.session.send_data(stream_id, _ANSWER)
        self.session.send_headers(stream_id, [("grpc-status", "0")], end=True)

    def stream_was_reset(self, stream_id: int) -> None:
        self.said.append(("reset", stream_id))

    def window_grew(self, stream_id: int) -> None:
        pass


def read(data: bytes) -> None:
    """Read bytes in one piece and in several. The first byte says how long these are."""
    size, said = 1 + (data[0] if data else 0), data[1:]
    whole = _heard(said, len(said) or 1)
    pieces = _heard(said, size)
    assert whole == pieces, f"in pieces of {size} it means something else: {whole} and {pieces}"


def _heard(said: bytes, size: int) -> tuple[list[tuple[Any, ...]], int | None]:
    """Return what was heard, and the code of the fault that ended it."""
    listener, sent = _Answering(), 0
    session, code = listener.session, None
    try:
        for at in range(0, len(said), size):
            session.receive(said[at : at + size])
            while session.has_more:
                session.receive(b"")
            sent += sum(map(len, session.take()))
    except ConnectionFault as fault:
        code = fault.code
        session.goodbye(code)
        sent += sum(map(len, session.take()))
    allowed = _AT_FIRST + _AMPLIFIED * len(said) + listener.answers * 2 * len(_ANSWER)
    assert sent <= allowed, f"{sent} bytes were sent for {len(said)}, and {listener.answers} answers"
    return listener.said, code


def _frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream_id) + payload


def seeds() -> Iterator[bytes]:
    """Yield connections that use every kind of frame, each with its first byte."""
    fields, begin = Encoder().encode(_FIELDS), PREFACE + _frame(4, 0, 0)
    more = Encoder().encode([*_FIELDS, ("content-length", "4"), ("x", "y" * 300)])
    for frames in (
        _frame(1, 5, 1, fields) + _frame(1, 5, 3, fields),
        _frame(1, 4, 1, more) + _frame(0, 0, 1, b"da") + _frame(0, 1, 1, b"ta"),
        _frame(1, 0, 1, fields[:4]) + _frame(9, 0, 1, fields[4:9]) + _frame(9, 4, 1, fields[9:]),
        _frame(1, 0x2C, 1, b"\x02" + struct.pack(">IB", 0, 9) + fields + b"\0\0") + _frame(0, 9, 1, b"\x01d\0"),
        _frame(4, 0, 0, struct.pack(">HIHIHI", 1, 0, 4, 10, 5, 16_384)) + _frame(1, 5, 1, fields),
        _frame(6, 0, 0, b"12345678") + _frame(4, 1, 0) + _frame(2, 0, 3, struct.pack(">IB", 1, 5)),
        _frame(1, 4, 1, fields) + _frame(8, 0, 1, struct.pack(">I", 5)) + _frame(3, 0, 1, bytes(4)),
        _frame(8, 0, 0, struct.pack(">I", 70_000)) + _frame(7, 0, 0, bytes(8)) + _frame(0x16, 0xFF, 5, b"else"),
        _frame(1, 4, 1, fields) + _frame(1, 5, 1, Encoder().encode([("trailer", "1")])),
        _frame(1, 5, 1, fields + b"\x40\x01a\x01b\x3f\xe1\x1f") + _frame(1, 5, 3, fields + b"\xbe\x20"),
    ):
        yield b"\x06" + begin + frames


def words() -> list[str]:
    """Return beginnings of frames: each kind, without payload."""
    return [_frame(kind, flags, 1).decode("latin-1") for kind in range(10) for flags in (0, 1, 4, 5, 0x2C)]
