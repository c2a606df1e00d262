"""Bounds a run: how many requests it may make, and how many minutes it may take."""

from __future__ import annotations

from clarifai_emulator.clock import Clock, SystemClock
from clarifai_emulator.errors import EmulatorError


class OverBudget(EmulatorError):
    """Says which bound a run has reached."""


class Budget:
    """Counts requests and time."""

    def __init__(self, clock: Clock, *, requests: int, minutes: float) -> None:
        self._clock = clock
        self._ends = clock.monotonic() + 60 * minutes
        self._minutes = minutes
        self._requests = requests
        self.spent = 0

    def spend(self) -> None:
        """Count one request. Raises ``OverBudget``."""
        if self.spent >= self._requests:
            raise OverBudget(f"The budget of {self._requests} requests is spent (--requests allows more).")
        if self._clock.monotonic() > self._ends:
            raise OverBudget(f"The budget of {self._minutes:g} minutes is spent (--minutes allows more).")
        self.spent += 1


class NoBudget(Budget):
    """Bounds nothing."""

    def __init__(self) -> None:
        super().__init__(SystemClock(), requests=0, minutes=0)

    def spend(self) -> None:
        """Count one request."""
        self.spent += 1
