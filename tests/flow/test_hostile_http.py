"""Hostile and broken HTTP requests are told what is wrong, on a connection that goes on, and hold nobody up."""

from __future__ import annotations

import gzip
import http.client
import json
import resource
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from clarifai_emulator.config import MEBIBYTE
from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import figure, running

KEY = {"authorization": "Key any", "content-type": "application/json"}
OUTPUTS = "/v2/users/me/apps/a/models/m/outputs"
GET_USER = "/clarifai.api.V2/GetUser"
WEB, WEB_TEXT = {"content-type": "application/grpc-web+proto"}, {"content-type": "application/grpc-web-text"}
GZIP, DEFLATE = {"content-encoding": "gzip"}, {"content-encoding": "deflate"}

MEMBER = gzip.compress(bytes(64 * MEBIBYTE))
# What is sent, and the status: every one of them leaves its connection as it was.
BROKEN: list[tuple[str, str, bytes, dict[str, str], int]] = [
    ("POST", OUTPUTS, b"{", {}, 400),
    ("POST", OUTPUTS, b"{}", {"content-encoding": "br"}, 400),
    ("POST", OUTPUTS, b"{}", GZIP, 400),
    ("POST", OUTPUTS, gzip.compress(b"{}")[:-3], GZIP, 400),
    ("POST", OUTPUTS, gzip.compress(b"{}")[:-4] + b"\xff\xff\xff\x7f", GZIP, 400),  # its length lies
    ("POST", OUTPUTS, zlib.compress(b"{}") + b"and more", DEFLATE, 400),
    ("POST", OUTPUTS, 4 * MEMBER, GZIP, 413),
    ("POST", "/v2/models/outputs/stream", gzip.compress(b"{")[:-3], GZIP, 400),
    ("GET", "/v2/nothing", b"", {}, 404),
    ("PUT", OUTPUTS, b"{}", {}, 405),
    ("GET", "/v2/users/me", b"", {"origin": "http://evil.example"}, 403),
    ("GET", "/v2/users/me", b"", {"host": "evil.example"}, 403),
    ("POST", "/v2/ext/openai/v1/completions", b"{}", {}, 404),
    ("POST", "/v2/ext/mcp/v1/nothing", b"{}", {}, 404),
    ("POST", GET_USER, b"\0\0\0\0\5abc", WEB, 200),
    ("POST", GET_USER, struct.pack(">BI", 0, 0xFFFFFFFF), WEB, 200),
    ("POST", GET_USER, b"AA*A", WEB_TEXT, 200),
    ("POST", GET_USER, b"{}", {"content-type": "application/json"}, 415),
]


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorThread]:
    with running() as emulator:
        yield emulator


def connected(emulator: EmulatorThread) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(emulator.url).netloc, timeout=30)


def asked(connection: http.client.HTTPConnection, method: str, path: str, body: bytes = b"", **headers: str) -> int:
    return answered(connection, method, path, body, **headers)[0]


def answered(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes = b"", **headers: str
) -> tuple[int, bool]:
    """Return the status, and whether the answer says that the connection ends with it."""
    connection.request(method, path, body, {**KEY, **headers})
    answer = connection.getresponse()
    answer.read()
    return answer.status, answer.headers.get("connection") == "close"


def test_a_connection_goes_on_after_each_refusal_that_does_not_say_otherwise(emulator: EmulatorThread) -> None:
    connection = connected(emulator)
    connection.connect()
    for method, path, body, headers, status in BROKEN:
        port = connection.sock.getsockname()[1]
        got, ends = answered(connection, method, path, body, **headers)
        assert got == status, (method, path, headers)
        assert asked(connection, "GET", "/health") == 200
        # One that is answered before its body has come may end: then it says so, and the next has a new one.
        assert ends or connection.sock.getsockname()[1] == port, (method, path, headers)
    connection.close()


def test_a_bomb_costs_what_its_limit_allows_and_holds_nobody_up(emulator: EmulatorThread) -> None:
    bomb = 32 * MEMBER
    slowest = 0.0
    ended = threading.Event()

    def look() -> None:
        nonlocal slowest
        connection = connected(emulator)
        while not ended.is_set():
            began = time.monotonic()
            assert asked(connection, "GET", "/health") == 200
            slowest = max(slowest, time.monotonic() - began)
        connection.close()

    before = resource.getrusage(resource.RUSAGE_SELF)
    looking = threading.Thread(target=look)
    looking.start()
    connection = connected(emulator)
    assert asked(connection, "POST", OUTPUTS, bomb, **GZIP) == 413
    connection.close()
    ended.set()
    looking.join()
    after = resource.getrusage(resource.RUSAGE_SELF)
    grown = (after.ru_maxrss - before.ru_maxrss) // 1024
    figure(
        f"a bomb of {len(bomb):,} bytes for 2 GiB: {grown} MiB more at most, others waited {slowest:.3f} s at most"
    )
    assert grown < 800
    assert slowest < 2.0


def test_compression_and_http2_do_not_change_who_may_ask() -> None:
    with running(pats={"ada-token-1": "ada"}) as emulator:
        body = gzip.compress(json.dumps({"inputs": []}).encode())
        seen: list[Any] = []
        for token in ("ada-token-1", "another-token"):
            connection = connected(emulator)
            seen.append(asked(connection, "POST", OUTPUTS, body, authorization=f"Key {token}", **GZIP))
            connection.close()
        assert seen == [404, 401]
