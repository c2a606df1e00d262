"""Gives others their turns in the event loop while something large is made for a browser."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

_T = TypeVar("_T")
_MOST_SECONDS = 0.004


class LoopTurns:
    """Makes items one after another, some milliseconds at a time."""

    def __init__(self) -> None:
        self._began = time.perf_counter()

    async def through(self, items: Iterable[_T]) -> AsyncIterator[_T]:
        """Yield the items; between two of them others may have their turns."""
        for item in items:
            yield item
            if time.perf_counter() - self._began > _MOST_SECONDS:
                await asyncio.sleep(0)
                self._began = time.perf_counter()
