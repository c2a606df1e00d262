"""Lets the SDK's waits between its retries pass at once while a test uses the emulator; all other waits are real.

    SDK: time.sleep(2.3) ─► SdkClock.sleep ─► idle: no other answer would come, the time has passed
                                            └ running (a replica starts, a queue gets shorter): wait for news of it

The SDK's modules have ``import time`` and ``import asyncio``: these names lead to stand-ins here, which differ in
the SDK's own sleeps, and in the time it measures between them. ``time.sleep`` itself stays what it is. Imports
nothing of the emulator, and asyncio only once the SDK has: it takes longer than the rest of the plugin.
"""

from __future__ import annotations

import contextvars
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Protocol

import pytest

# Modules that sleep between retries. The command line (clarifai.runners, clarifai.cli) waits for real events.
SDK_MODULES = ("clarifai.client.", "clarifai.utils.evaluation.helpers")
_LOOK_SECONDS = 0.02
_REAL_SLEEP = time.sleep

IDLE, RUNNING, NEWS = "idle", "running", "news"
Outlook = tuple[str, int]  # one of these, and the number of the emulator's newest event


class Platform(Protocol):
    """The emulator, for whose answers the SDK waits."""

    def outlook(self, since: int) -> Outlook:
        """Return IDLE: nothing that runs could end the wait; RUNNING: something could; NEWS: something has, after
        the event ``since`` (-1: nothing was known before)."""
        ...

    def pass_time(self, seconds: float) -> None:
        """Let this much time pass at once."""
        ...


@dataclass(frozen=True, slots=True)
class Retries:
    """The number of the SDK's retries, and the time that it waited for them, in seconds of its clock."""

    count: int
    seconds: float

    def __str__(self) -> str:
        times = "once" if self.count == 1 else f"{self.count} times"
        return f"{times}, after waits of {self.seconds:.1f} s in all"


class SdkClock:
    """The time of the SDK in this process. ``is_active``: a test uses the emulator. ``platform``: once it runs."""

    def __init__(self, is_active: Callable[[], bool]) -> None:
        self._is_active = is_active
        self._patches = pytest.MonkeyPatch()
        self._ahead = contextvars.ContextVar("clarifai_sdk_clock", default=0.0)  # each thread and task has its own
        self._lock = threading.Lock()
        self._waits: list[float] = []
        self.platform: Platform | None = None
        self.mode = "virtual"  # or real

    def watch(self, module: ModuleType) -> None:
        """Give a module of the SDK this clock."""
        for name, stand_in in (("time", _Time), ("asyncio", _Asyncio)):
            real = sys.modules.get(name)
            if real is not None and module.__dict__.get(name) is real:
                self._patches.setattr(module, name, stand_in(real, self))

    def remove(self) -> None:
        """Give all modules the real clock."""
        self._patches.undo()

    def begin(self, mode: str) -> None:
        """Begin a test, whose retries are waited for in this mode."""
        self.mode = mode
        with self._lock:
            self._waits.clear()

    @property
    def retries(self) -> Retries:
        """Return the retries of the test so far."""
        with self._lock:
            return Retries(len(self._waits), sum(self._waits))

    @property
    def ahead(self) -> float:
        """Return the seconds that passed at once, in this thread or task."""
        return self._ahead.get()

    def sleep(self, seconds: float) -> None:
        """Stand in for ``time.sleep`` in the SDK."""
        if not self._takes(seconds):
            time.sleep(seconds)
            return
        for _ in self._looks(seconds):
            _REAL_SLEEP(_LOOK_SECONDS)

    async def async_sleep(self, seconds: float, result: Any = None) -> Any:
        """Stand in for ``asyncio.sleep`` in the SDK."""
        import asyncio

        if not self._takes(seconds):
            return await asyncio.sleep(seconds, result)
        for _ in self._looks(seconds):
            await asyncio.sleep(_LOOK_SECONDS)
        return await asyncio.sleep(0, result)  # other tasks run, as in any sleep

    def _looks(self, seconds: float) -> Iterator[None]:
        """Yield as often as the wait goes on for ``_LOOK_SECONDS``; let the rest of it pass if nothing runs."""
        slept, (state, seq) = 0.0, self._outlook(-1)
        while state == RUNNING and slept < seconds:
            yield
            slept, (state, seq) = slept + _LOOK_SECONDS, self._outlook(seq)
        if state == IDLE:
            self._pass(seconds - slept)

    def _takes(self, seconds: float) -> bool:
        """Tell whether the wait is one for this clock. A test that has replaced ``time.sleep`` has its own way."""
        if not self._is_active() or seconds <= 0:
            return False
        with self._lock:
            self._waits.append(seconds)
        aio: Any = sys.modules.get("asyncio")
        is_replaced = time.sleep is not _REAL_SLEEP or (aio is not None and aio.sleep is not aio.tasks.sleep)
        return self.mode == "virtual" and not is_replaced

    def _outlook(self, since: int) -> Outlook:
        return (IDLE, since) if self.platform is None else self.platform.outlook(since)

    def _pass(self, seconds: float) -> None:
        self._ahead.set(self._ahead.get() + seconds)
        if self.platform is not None:
            self.platform.pass_time(seconds)


class _StandIn:
    """A module, as the SDK sees it: everything else is looked up in the real module."""

    def __init__(self, module: ModuleType, clock: SdkClock) -> None:
        self._module = module
        self._clock = clock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


class _Time(_StandIn):
    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)

    def time(self) -> float:
        return time.time() + self._clock.ahead

    def monotonic(self) -> float:
        return time.monotonic() + self._clock.ahead


class _Asyncio(_StandIn):
    async def sleep(self, delay: float, result: Any = None) -> Any:
        return await self._clock.async_sleep(delay, result)
