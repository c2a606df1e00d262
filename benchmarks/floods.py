"""Measures what a good client waits while somebody without a credential floods the port, here and at grpcio.

The attacker is a process of its own that sends as fast as it can, and connects again at once when it is shut out.
The good client calls GetUser. Both servers have the same attacks, in alternating rounds.
"""

from __future__ import annotations

import multiprocessing
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Generator
from concurrent import futures
from contextlib import contextmanager, suppress
from typing import Any

import grpc

from benchmarks.figures import Figure, compared
from benchmarks.peers import PAT, emulator, environ, free_port, process, wait_until_listening

_GET_USER = "/clarifai.api.V2/GetUser"
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _PRIORITY, _RESET, _SETTINGS, _PING, _WINDOW = 0, 1, 2, 3, 4, 6, 8
_HEAD = struct.Struct(">HBBBI")
# At most so much slower than without the flood, and than grpcio's server under it.
_SLOWER, _THAN_GRPCIO = 3.0, 2.0
_PATIENCE_SECONDS = 10.0


def measure(*, quick: bool = False) -> list[Figure]:
    """Return the figures; times are milliseconds."""
    rounds, seconds = (1, 1.0) if quick else (4, 2.0)
    ours, theirs = free_port(), free_port()
    peer = [sys.executable, "-m", "benchmarks.floods", str(theirs)]
    figures: list[Figure] = []
    with emulator(ours), process(peer, environ(theirs)):
        wait_until_listening(theirs)
        for name in FLOODS:
            quiet: list[float] = []
            flooded: list[float] = []
            at_grpcio: list[float] = []
            for _ in range(rounds):
                quiet += _good_calls(ours, seconds / 2)
                with _attacker(name, ours):
                    flooded += _good_calls(ours, seconds)
                with _attacker(name, theirs):
                    at_grpcio += _good_calls(theirs, seconds)
            figures += [
                compared(f"{name}: GetUser p50, against quiet", flooded, quiet, unit="ms", target=_SLOWER),
                compared(
                    f"{name}: GetUser p50, against grpcio", flooded, at_grpcio, unit="ms", target=_THAN_GRPCIO
                ),
            ]
    return figures


def _good_calls(port: int, seconds: float) -> list[float]:
    """Return the milliseconds of each call of a client that asks, and rests as long as a millisecond."""
    times: list[float] = []
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        call, deadline = channel.unary_unary(_GET_USER), time.monotonic() + seconds
        asked: dict[str, Any] = {"metadata": [("authorization", f"Key {PAT}")], "wait_for_ready": True}
        while time.monotonic() < deadline or not times:
            began = time.perf_counter()
            with suppress(grpc.RpcError):  # it waited as long as that
                call(b"", timeout=_PATIENCE_SECONDS, **asked)
            times.append((time.perf_counter() - began) * 1000)
            time.sleep(0.001)
    return times


@contextmanager
def _attacker(name: str, port: int) -> Generator[None]:
    """Let an attacker flood the port while the block runs."""
    context = multiprocessing.get_context("fork")
    attacking = context.Process(target=attack, args=(name, port), daemon=True)
    attacking.start()
    try:
        time.sleep(0.2)
        yield
    finally:
        attacking.kill()
        attacking.join()
        time.sleep(0.3)  # what it has left is dealt with


def attack(name: str, port: int) -> None:
    """Flood a port for ever, and connect again at once when it is shut out."""
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)) as connection:
            threading.Thread(target=_read_all, args=(connection,), daemon=True).start()
            connection.sendall(_PREFACE + _frame(_SETTINGS))
            stream_id = 1
            while True:
                data, stream_id = FLOODS[name](stream_id)
                connection.sendall(data)


def _read_all(connection: socket.socket) -> None:
    with suppress(OSError):
        while connection.recv(1 << 16):
            pass
        connection.close()


def _frame(kind: int, payload: bytes = b"", *, flags: int = 0, stream_id: int = 0) -> bytes:
    return _HEAD.pack(len(payload) >> 8, len(payload) & 0xFF, kind, flags, stream_id) + payload


def _field(name: str, value: str) -> bytes:
    return b"\x00" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


_REQUEST = b"".join(
    _field(name, value)
    for name, value in (
        (":method", "POST"),
        (":scheme", "http"),
        (":path", _GET_USER),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("authorization", "Key nobody"),
    )
)
_AT_ONCE = 100
_EMPTY_MESSAGE = b"\x00\x00\x00\x00\x00"


def _repeated(data: bytes) -> Callable[[int], tuple[bytes, int]]:
    many = data * _AT_ONCE
    return lambda stream_id: (many, stream_id)


def _on_streams(make: Callable[[int], bytes]) -> Callable[[int], tuple[bytes, int]]:
    def more(stream_id: int) -> tuple[bytes, int]:
        after = stream_id + 2 * _AT_ONCE
        return b"".join(make(each) for each in range(stream_id, after, 2)), after

    return more


def _open(stream_id: int) -> bytes:
    return _frame(_HEADERS, _REQUEST, flags=0x4, stream_id=stream_id)


def _cancelled(stream_id: int) -> bytes:
    return _open(stream_id) + _frame(_RESET, struct.pack(">I", 8), stream_id=stream_id)


def _asked_and_cancelled(stream_id: int) -> bytes:
    message = _frame(_DATA, _EMPTY_MESSAGE, flags=0x1, stream_id=stream_id)
    return _open(stream_id) + message + _frame(_RESET, struct.pack(">I", 8), stream_id=stream_id)


def _empty_data(stream_id: int) -> tuple[bytes, int]:
    begin = _open(1) if stream_id == 1 else b""
    return begin + _frame(_DATA, stream_id=1) * _AT_ONCE, 3


FLOODS: dict[str, Callable[[int], tuple[bytes, int]]] = {
    "PING": _repeated(_frame(_PING, bytes(8))),
    "SETTINGS": _repeated(_frame(_SETTINGS)),
    "PRIORITY": _repeated(_frame(_PRIORITY, struct.pack(">IB", 0, 1), stream_id=1)),
    "WINDOW_UPDATE": _repeated(_frame(_WINDOW, struct.pack(">I", 1))),
    "empty DATA": _empty_data,
    "open streams": _on_streams(_open),
    "rapid reset": _on_streams(_cancelled),
    "rapid reset of whole requests": _on_streams(_asked_and_cancelled),
    "connections": lambda stream_id: (_frame(_PING, bytes(8)) + bytes(64), stream_id),
}


def _serve(port: int) -> None:
    """Serve GetUser with grpcio, as the smallest service does."""

    def get_user(request: bytes, context: object) -> bytes:
        return b""

    handlers = {"GetUser": grpc.unary_unary_rpc_method_handler(get_user)}
    server = grpc.server(futures.ThreadPoolExecutor(16))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("clarifai.api.V2", handlers)])
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        _serve(int(sys.argv[1]))
