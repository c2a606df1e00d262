"""Runs an event loop that notes when its sockets were read and written, to see where time goes from outside."""

from __future__ import annotations

import asyncio
import socket
import time
from asyncio import selector_events
from collections.abc import Callable
from typing import Any, NamedTuple


class Mark(NamedTuple):
    """Notes that something happened at ``time`` (``perf_counter``): the beginning of a read, or the end of a
    write."""

    time: float
    what: str


Marks = list[Mark]
# What the socket of a connection is called in the marks; empty leaves it out.
NameOf = Callable[[socket.socket], str]


class WatchedLoop(asyncio.SelectorEventLoop):
    """Appends ``"<name> read"`` and ``"<name> write"`` to ``marks`` for every socket that ``name_of`` names."""

    def __init__(self, marks: Marks, name_of: NameOf) -> None:
        super().__init__()
        self._marks = marks
        self._name_of = name_of

    def _make_socket_transport(  # asyncio's own factory; it has no public one
        self, sock: socket.socket, protocol: Any, waiter: Any = None, *, extra: Any = None, server: Any = None
    ) -> Any:
        name = self._name_of(sock)
        if not name:
            return super()._make_socket_transport(sock, protocol, waiter, extra=extra, server=server)
        return _WatchedTransport(self._marks, name, self, sock, protocol, waiter, extra, server)


class _WatchedTransport(selector_events._SelectorSocketTransport):
    def __init__(self, marks: Marks, name: str, *args: Any) -> None:
        self._marks = marks
        self._read, self._written = f"{name} read", f"{name} write"
        super().__init__(*args)

    def _read_ready(self) -> None:
        self._marks.append(Mark(time.perf_counter(), self._read))
        super()._read_ready()

    def write(self, data: Any) -> None:
        super().write(data)
        self._marks.append(Mark(time.perf_counter(), self._written))

    def writelines(self, list_of_data: Any) -> None:
        super().writelines(list_of_data)
        self._marks.append(Mark(time.perf_counter(), self._written))
