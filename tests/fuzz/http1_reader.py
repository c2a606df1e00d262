"""Reads HTTP/1.1 as the port does: what comes is the same requests in any pieces, and no answer tells of a bug."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from clarifai_emulator.api.transport.http_sites import HttpSites
from clarifai_emulator.api.transport.request_buffers import Buffers
from clarifai_emulator.config import MEBIBYTE
from http_port import http_client
from unit.api.rest.test_gateway import Handlers

_STATUS = re.compile(rb"^HTTP/1\.1 (\d{3}) ", re.M)
_BUGS = {500, 502, 504}
# How often the event loop turns until every request has been answered.
_TURNS = 200


class _Wire(asyncio.Transport):
    """Holds what a connection writes, and tells it when it is closed."""

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: Any) -> None:
        super().__init__()
        self.written = bytearray()
        self.reads = True
        self._loop, self._protocol = loop, protocol
        self._closing = False

    def write(self, data: Any) -> None:
        assert not self._closing, "it writes to a connection that is closed"
        self.written += data

    def write_eof(self) -> None:
        pass

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._loop.call_soon(self._protocol.connection_lost, None)

    abort = close

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True


class _Strict(logging.Handler):
    """Turns what is logged as a bug into a failure."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(self.format(record))


class _Served:
    """Serves the platform's sites to wires, in an event loop of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.failures: list[str] = []
        self.loop.set_exception_handler(lambda _loop, context: self.failures.append(str(context)))
        self.bugs = _Strict()
        logging.getLogger().addHandler(self.bugs)
        self.handlers = Handlers()
        client = self.loop.run_until_complete(http_client(self.handlers.table()).__aenter__())
        self._sites: HttpSites = client.site
        self._buffers = Buffers(64 * MEBIBYTE, 64 * MEBIBYTE)

    def heard(self, pieces: list[bytes]) -> tuple[list[Any], list[Any]]:
        """Return the statuses that were answered, and the requests that reached a handler."""
        self.handlers.requests.clear()
        statuses = self.loop.run_until_complete(self._serve(pieces))
        found, self.failures = [*self.failures, *self.bugs.records], []
        self.bugs.records.clear()
        assert not found, f"it failed: {found}"
        return statuses, [repr(each) for each in self.handlers.requests]

    async def _serve(self, pieces: list[bytes]) -> list[int]:
        connection: Any = self._sites.connection(self._buffers)
        wire = _Wire(self.loop, connection)
        connection.connection_made(wire)
        for piece in pieces:
            await self._turn_until(lambda: wire.reads or wire.is_closing())
            if not wire.is_closing():
                connection.data_received(piece)
                await self._turn_until(lambda: True)
        if not wire.is_closing():
            connection.eof_received()
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        wire.close()
        await self._turn_until(lambda: not self._sites.connections)
        statuses = [int(each) for each in _STATUS.findall(bytes(wire.written))]
        assert not wire.written or wire.written.startswith(b"HTTP/1.1 "), bytes(wire.written[:100])
        assert not _BUGS.intersection(statuses), bytes(wire.written[:2000])
        return statuses

    async def _turn_until(self, holds: Callable[[], bool]) -> None:
        for _ in range(_TURNS):
            await asyncio.sleep(0)
            if holds():
                return


@cache
def _served() -> _Served:
    return _Served()


def read(data: bytes) -> None:
    """Read bytes in one piece and in several. The first byte says how long these are."""
    size, said = 1 + (data[0] if data else 0), data[1:]
    served = _served()
    whole = served.heard([said])
    pieces = served.heard([said[at : at + size] for at in range(0, len(said), size)])
    # A request that is answered before all of it has come ends its connection: then the rest is not read.
    for one, other in zip(whole, pieces, strict=True):
        shared = min(len(one), len(other))
        assert one[:shared] == other[:shared], f"in pieces of {size} it means something else: {whole} and {pieces}"


_HEAD = "host: localhost\r\nauthorization: Key any\r\n"
_OUTPUTS = "/v2/users/me/apps/a/models/m/outputs"


def _request(line: str, body: bytes = b"", more: str = "") -> bytes:
    length = f"content-length: {len(body)}\r\n" if body else ""
    return f"{line} HTTP/1.1\r\n{_HEAD}{length}{more}\r\n".encode() + body


def seeds() -> Iterator[bytes]:
    """Yield requests of every site, alone and one after the other, each with its first byte."""
    body = json.dumps({"inputs": [{"id": "i", "data": {"text": {"raw": "x"}}}]}).encode()
    chunks = b"%x\r\n%s\r\n0\r\ntrailer: 1\r\n\r\n" % (len(body), body)
    for said in (
        _request(f"POST {_OUTPUTS}", body),
        _request("GET /health") + _request("GET /v2/users/me/apps/a/models/m?x=1"),
        _request(f"POST {_OUTPUTS}", more="transfer-encoding: chunked\r\n") + chunks,
        _request("HEAD /") + _request("OPTIONS /v2/models", more="origin: http://a\r\n"),
        _request("GET http://localhost/health") + b"GET / HTTP/1.0\r\n\r\n",
        _request("POST /clarifai.api.V2/GetModel", b"\0\0\0\0\0", "content-type: application/grpc-web\r\n"),
        _request("POST /v2/ext/openai/v1/chat/completions", b"{}") + _request("GET /v2/ext/mcp/v1"),
        _request(f"POST {_OUTPUTS}", body, "expect: 100-continue\r\nconnection: close\r\n"),
        _request(f"POST {_OUTPUTS}", b"\x1f\x8b\x08\0\0\0\0\0", "content-encoding: gzip\r\n"),
        b"GET / HTTP/1.1\r\nhost: a\r\n folded: b\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
    ):
        yield b"\x28" + said


def words() -> list[str]:
    """Return what heads of requests are made of."""
    heads = (
        "transfer-encoding: chunked", "content-length: 0", "connection: close", "upgrade: h2c",
        "host: localhost", "authorization: Key any", "content-encoding: gzip", "origin: http://localhost",
        "content-type: application/grpc-web-text",
    )  # fmt: skip
    paths = ("/v2/models", "/v2/ext/openai/v1/models", "/clarifai.api.V2/GetModel")
    methods = ("GET ", "POST ", "HEAD ", "OPTIONS ")
    return [*(f"{head}\r\n" for head in heads), *paths, *methods, " HTTP/1.1\r\n", "\r\n\r\n", "0\r\n\r\n"]
