"""Looks at intervals for what comes often, so that its coming takes no request time; else waits to be called."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

_EVERY_SECONDS = 0.01
_IN_VAIN = 5


class Rounds:
    """After ``begin``: calls ``look`` every so many seconds until it has found nothing five times in a row, then
    ``rest``."""

    def __init__(self, look: Callable[[], bool], rest: Callable[[], None], *, every: float = 0.0) -> None:
        self._every = every or _EVERY_SECONDS
        self._look = look
        self._rest = rest
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._in_vain = 0

    def begin(self) -> None:
        """Something has come, and more may."""
        self._in_vain = 0
        if self._timer is None:
            self._timer = self._loop.call_later(self._every, self._go)

    def again_in(self, seconds: float) -> None:
        """Look again after so many seconds already; for ``look``, which has left something."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = self._loop.call_later(seconds, self._go)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _go(self) -> None:
        self._timer = self._loop.call_later(self._every, self._go)
        self._in_vain = 0 if self._look() else self._in_vain + 1
        if self._in_vain == _IN_VAIN and not self._is_stopped():
            self.stop()
            self._rest()

    def _is_stopped(self) -> bool:
        """Tell whether what it saw was the end."""
        return self._timer is None
