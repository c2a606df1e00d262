"""Ends a process that was told to stop and does not come to its end, with everything that it started."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import suppress

from clarifai_emulator.background_work import begin_thread, nobody_waits
from clarifai_emulator.machine.processes import descendants, has_ended

_LOOKS = 100
_LOOK_SECONDS = 0.01


class StopLimit:
    """Allows a stop so many ``seconds`` from ``begin`` on. Files that say that this process runs are nobody's then,
    and removed by whoever finds them."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._is_over = threading.Event()
        self._has_begun = False

    def begin(self) -> None:
        """Note that the process was told to stop. From any thread, and from a handler of signals."""
        if not self._has_begun:
            self._has_begun = True
            begin_thread(self._run, "stop limit", nobody_waits)

    def end(self) -> None:
        """Note that it has stopped."""
        self._is_over.set()

    def _run(self) -> None:
        if self._is_over.wait(self._seconds):
            return
        text = (
            f"The emulator was told to stop {self._seconds:g} s ago and has not: something that it waits for does "
            "not come to an end. It is ended now, with everything that it started."
        )
        with suppress(OSError, ValueError):
            os.write(sys.stderr.fileno(), f"{text}\n".encode())
        end_everything_below(os.getpid())
        os._exit(1)


def end_everything_below(pid: int) -> None:
    """End every process below this one, and wait a moment for what the system does not let go of."""
    for _ in range(_LOOKS):
        below = [each for each in descendants(pid) if not has_ended(each)]
        if not below:
            return
        for each in below:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(each, signal.SIGKILL)
        time.sleep(_LOOK_SECONDS)
