"""Provides the time, so that a test can turn it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Generator
from typing import Protocol

# Two clocks may differ by so much about the same wait.
_TICK_SECONDS = 0.02


class Clock(Protocol):
    """Two readings of time: one to measure with, one to show."""

    def monotonic(self) -> float:
        """Return seconds since an arbitrary start; never goes back."""
        ...

    def now(self) -> float:
        """Return seconds since the epoch, for timestamps that people and clients read."""
        ...


class SystemClock:
    """The machine's own clock."""

    monotonic = staticmethod(time.monotonic)
    now = staticmethod(time.time)


class TurnableClock:
    """The machine's clock, which can be turned forward."""

    def __init__(self) -> None:
        self.ahead = 0.0  # seconds

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead

    def now(self) -> float:
        return time.time() + self.ahead


class PausableClock:
    """Another clock, whose ``monotonic`` stands still while somebody holds it: deadlines do not pass while a
    developer looks at a model that stands at a breakpoint. May be held from any thread, by several at once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._holders = 0
        # Since when it stands still, if it does, and by how much it is behind: replaced as one, so that who reads
        # the time needs no lock.
        self._state: tuple[float | None, float] = (None, 0.0)
        self.now = clock.now

    @property
    def is_held(self) -> bool:
        """Tell whether the clock stands still."""
        return self._state[0] is not None

    def monotonic(self) -> float:
        held_since, behind = self._state
        return (self._clock.monotonic() if held_since is None else held_since) - behind

    def hold(self) -> None:
        """Stand still until ``release``."""
        with self._lock:
            if not self._holders:
                self._state = self._clock.monotonic(), self._state[1]
            self._holders += 1

    def release(self) -> None:
        """Go on, once every holder has released it."""
        with self._lock:
            self._holders -= 1
            held_since, behind = self._state
            if not self._holders and held_since is not None:
                self._state = None, behind + self._clock.monotonic() - held_since

    @contextlib.contextmanager
    def held(self) -> Generator[None]:
        """Hold the clock for a block."""
        self.hold()
        try:
            yield
        finally:
            self.release()


class ClockTimer:
    """Calls a function in the event loop once these seconds have passed by the clock, until ``cancel``."""

    def __init__(self, clock: Clock, seconds: float, function: Callable[[], None]) -> None:
        self._clock = clock
        self._due = clock.monotonic() + seconds
        self._function = function
        self._handle = asyncio.get_running_loop().call_later(seconds, self._look)

    def cancel(self) -> None:
        self._handle.cancel()

    def _look(self) -> None:
        left = self._due - self._clock.monotonic()
        if left > _TICK_SECONDS:  # it stood still meanwhile
            self._handle = asyncio.get_running_loop().call_later(left, self._look)
        else:
            self._function()


class Deadlines:
    """Calls functions once ``seconds`` have passed by the clock since each was added, with one timer for all: a
    timer for each request costs more than all else that a deadline needs."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self.seconds = seconds
        self._clock = clock
        self._due: OrderedDict[int, tuple[float, Callable[[], None]]] = OrderedDict()
        self._numbers = itertools.count(1)
        self._timer: ClockTimer | None = None

    def add(self, function: Callable[[], None]) -> int:
        """Call ``function`` in time, unless what this returns is removed before."""
        number = next(self._numbers)
        self._due[number] = self._clock.monotonic() + self.seconds, function
        if self._timer is None:
            self._timer = ClockTimer(self._clock, self.seconds, self._look)
        return number

    def remove(self, number: int) -> None:
        """Forget a deadline; nothing if it has passed."""
        self._due.pop(number, None)

    def _look(self) -> None:
        self._timer = None
        now = self._clock.monotonic() + _TICK_SECONDS
        while self._due:
            number, (due, function) = next(iter(self._due.items()))
            if due > now:
                self._timer = ClockTimer(self._clock, due - now, self._look)
                return
            del self._due[number]
            function()
