"""Notes what a unit test must not do: start a process, open a socket, sleep."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

# Longest sleep of a unit test. In its event loop it may wait for any time: `turned_loop` passes over it.
SECONDS = 0.001
WAY_OUT = (
    "Unit tests start no process, open no socket and sleep no longer than a millisecond: put a double in its place "
    "(a pair of sockets, a clock that is turned, an event that is awaited), or move the test to the folder of "
    "tests/flow that mirrors this one."
)
_SLEEP = time.sleep
_PROCESSES = {"subprocess.Popen", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system"}
_SOCKETS = {"socket.bind", "socket.connect", "socket.sendto"}


class Acts:
    """Notes acts from ``begin`` to ``take``, of this thread and of those that are started meanwhile."""

    def __init__(self) -> None:
        self._noted: list[str] | None = None
        self._others: set[int] = set()

    def begin(self) -> None:
        """Begin to note acts. Threads that run already belong to other tests."""
        self._others = {each.ident or 0 for each in threading.enumerate() if each is not threading.current_thread()}
        self._noted = []

    def take(self) -> list[str]:
        """Stop, and return what was noted."""
        noted, self._noted = self._noted or [], None
        return noted

    def hear(self, event: str, details: tuple[Any, ...]) -> None:
        """Note an audit event of Python if it is such an act."""
        if self._noted is None or threading.get_ident() in self._others:
            return
        if event in _PROCESSES:
            self._noted.append(f"starts a process: {event}{details[:2]}")
        elif event in _SOCKETS:
            self._noted.append(f"opens a socket: {event}{details[1:]}")
        elif event == "time.sleep" and details[0] > SECONDS:
            self._noted.append(f"sleeps {details[0]:g} s")

    def sleep(self, seconds: float) -> None:
        """Stand in for ``time.sleep``, of which Python tells no audit hook before 3.13."""
        if sys.version_info < (3, 13):
            self.hear("time.sleep", (seconds,))
        _SLEEP(seconds)


ACTS = Acts()
sys.addaudithook(ACTS.hear)
