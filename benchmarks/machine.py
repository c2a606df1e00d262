"""Measures what this machine is worth, so that figures of two machines can be compared: how fast Python runs, and
what it costs to go from one process, or one thread, to another and back.

A floor is built of it: the time of the SDK's own client and server, plus the hops that a way of serving needs.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from benchmarks.figures import milliseconds, quantile_of

PAYLOAD = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Says what this machine is worth; all are milliseconds, medians. ``python``: a fixed loop. ``round_trip``: one
    byte to another process and back, over a socket. ``hand_over``: to another thread and back. ``copy``: 10 MiB to
    another process and back."""

    python: float
    round_trip: float
    hand_over: float
    copy: float
    cores: int

    def way(self, processes: int, threads: int, *, copies: bool = False) -> float:
        """Return the milliseconds of a way there and back over this many other processes and threads; with
        ``copies``, of 10 MiB."""
        return processes * (self.copy if copies else self.round_trip) + threads * self.hand_over

    def as_dict(self) -> dict[str, float]:
        return {name: round(value, 4) for name, value in asdict(self).items()}


def measure(*, repeats: int = 500) -> Machine:
    """Return what this machine is worth at the moment, in about a second."""
    with _Echo() as echo:
        return Machine(
            python=_median(_loop, repeats // 25),
            round_trip=_median(lambda: echo.ask(1), repeats),
            hand_over=_hand_over(repeats),
            copy=_median(lambda: echo.ask(PAYLOAD), repeats // 25),
            cores=len(os.sched_getaffinity(0)),
        )


def _median(call: Callable[[], object], repeats: int) -> float:
    return quantile_of([milliseconds(call) for _ in range(max(repeats, 3))], 0.5)


def _loop() -> int:
    total = 0
    for number in range(100_000):
        total += number & 7
    return total


def _hand_over(repeats: int) -> float:
    asked, answered = threading.Semaphore(0), threading.Semaphore(0)

    def answer() -> None:
        for _ in range(repeats):
            asked.acquire()
            answered.release()

    other = threading.Thread(target=answer)
    other.start()
    times: list[float] = []
    for _ in range(repeats):
        began = time.perf_counter()
        asked.release()
        answered.acquire()
        times.append((time.perf_counter() - began) * 1000)
    other.join()
    return quantile_of(times, 0.5)


class _Echo:
    """Is a process at the other end of a socket that sends back what it gets."""

    def __enter__(self) -> _Echo:
        self._near, far = socket.socketpair()
        self._pid = os.fork()
        if not self._pid:
            self._near.close()
            _echo(far)
        far.close()
        return self

    def __exit__(self, *failure: object) -> None:
        self._near.close()
        os.waitpid(self._pid, 0)

    def ask(self, size: int) -> None:
        """Send this many bytes and read as many back, when all have come there."""
        self._near.sendall(size.to_bytes(8, "big") + b"x" * size)
        _read(self._near, size)


def _echo(far: socket.socket) -> None:
    try:
        while head := far.recv(8):
            far.sendall(_read(far, int.from_bytes(head, "big")))
    finally:
        os._exit(0)


def _read(sock: socket.socket, size: int) -> bytearray:
    """Return exactly this many bytes."""
    data = bytearray(size)
    view, got = memoryview(data), 0
    while got < size:
        got += sock.recv_into(view[got:])
    return data
