"""Reads what a container prints, as its engine sends it: frames on a connection, in large pieces."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docker import DockerClient

_HEADER = 8
_CHUNK = 64 * 1024
_LONGEST_LINE = 16 * 1024
# Seconds of silence until it is asked, between questions, and how many of them.
_KEEPALIVE = {"TCP_KEEPIDLE": 5, "TCP_KEEPINTVL": 2, "TCP_KEEPCNT": 3}


class Frames:
    """Takes apart what comes: ``feed`` bytes as they were read, get whole lines, in the order in which they ended.

    A container has two streams, of which the engine sends pieces as it has them. The beginning of a line waits for
    its end in its own stream, whatever the other prints meanwhile.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._begun: dict[int, bytes] = {}

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that are complete with this."""
        data = self._rest + data
        lines: list[bytes] = []
        start = 0
        while len(data) - start >= _HEADER:
            end = start + _HEADER + int.from_bytes(data[start + 4 : start + _HEADER], "big")
            if end > len(data):
                break
            lines += self._split(data[start], data[start + _HEADER : end])
            start = end
        self._rest = data[start:]
        return lines

    def end(self) -> list[bytes]:
        """Return the lines that never ended."""
        begun, self._begun = self._begun, {}
        return [line for line in begun.values() if line]

    def _split(self, stream: int, printed: bytes) -> list[bytes]:
        *lines, rest = (self._begun.get(stream, b"") + printed).split(b"\n")
        if len(rest) > _LONGEST_LINE:
            lines, rest = [*lines, rest], b""
        self._begun[stream] = rest
        return lines


class Attachment:
    """A connection to what a container prints from now on: made before it starts, nothing is missed."""

    def __init__(self, client: DockerClient, container_id: str) -> None:
        asked = {"stdout": 1, "stderr": 1, "stream": 1, "logs": 0}
        self._socket: Any = client.api.attach_socket(container_id, asked)
        inner: Any = getattr(self._socket, "_sock", None)
        for each in (self._socket, inner):
            if hasattr(each, "settimeout"):
                each.settimeout(None)  # a model may say nothing for as long as it likes
            if hasattr(each, "setsockopt"):
                _notice_if_its_machine_vanishes(each)

    def read(self) -> Iterator[list[bytes]]:
        """Yield the lines that are printed, until the container ends or its engine goes away."""
        frames = Frames()
        receive = getattr(self._socket, "recv", None) or self._socket.read
        with contextlib.suppress(OSError, ValueError):
            while data := receive(_CHUNK):
                yield frames.feed(data)
        yield frames.end()

    def close(self) -> None:
        """Let go of the connection."""
        inner = getattr(self._socket, "_sock", None)
        response = getattr(self._socket, "_response", None)
        for each in (response, self._socket, inner):
            if each is not None:
                with contextlib.suppress(OSError, ValueError):  # one of them may have closed another
                    each.close()


def _notice_if_its_machine_vanishes(sock: socket.socket) -> None:
    """Let the kernel ask now and then whether a machine elsewhere is there; otherwise reading waits for ever."""
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if hasattr(socket, name):  # macOS has other names for some
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
