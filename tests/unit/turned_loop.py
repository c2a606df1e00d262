"""Runs unit tests in an event loop that turns its clock forward instead of waiting for time to pass."""

from __future__ import annotations

import asyncio
import selectors
from asyncio import Future
from collections.abc import Callable
from typing import Any

# How long the loop waits at once for a thread that works for it.
_TURN_SECONDS = 0.001


class _Selector(selectors.DefaultSelector):
    """Looks for events without waiting for a timer: ``turn`` gets the time that would have to pass."""

    def __init__(self) -> None:
        super().__init__()
        self.turn: Callable[[float], bool] = lambda seconds: False

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        events = super().select(0)
        if events or self.turn(timeout):
            return events
        return super().select(min(timeout, _TURN_SECONDS))


class TurnedLoop(asyncio.SelectorEventLoop):
    """Rings its timers at once, in their order, when there is nothing else to do."""

    def __init__(self) -> None:
        selector = _Selector()
        selector.turn = self._turn
        self._now = 0.0
        self._at_work = 0
        super().__init__(selector)

    def time(self) -> float:
        """Return a time that no load of the machine moves."""
        return self._now

    def pass_time(self, seconds: float) -> None:
        """Let this time pass before anything else runs, as on a machine that does not keep up."""
        self._now += seconds

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Future[Any]:
        """Run it in another thread; the clock goes by itself until that is done."""
        self._at_work += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._done)
        return future

    def _done(self, _future: Future[Any]) -> None:
        self._at_work -= 1

    def _turn(self, seconds: float) -> bool:
        if self._at_work:
            self._now += min(seconds, _TURN_SECONDS)
            return False
        self._now += seconds
        return True
