"""Returns memory to the system after large requests: the C library would keep it for others as large.

After 1.8 GiB of bodies that broke off, the process kept 1.3 GiB, though nothing of it was in use any more.
"""

from __future__ import annotations

import asyncio
import ctypes
from collections.abc import Callable
from functools import cache

# So much has to be freed before it is worth the time, and as long is waited for more. Seconds.
_WORTH = 256 * 1024 * 1024
_AFTER_SECONDS = 2.0


class FreedMemory:
    """Counts what is freed, and has it returned now and then. ``give_back`` returns it."""

    def __init__(self, give_back: Callable[[], None] | None = None) -> None:
        self._give_back = give_back or trim
        self._freed = 0
        self._is_waiting = False

    def add(self, size: int) -> None:
        """Take note that so many bytes are free again. In an event loop."""
        self._freed += size
        if self._freed >= _WORTH and not self._is_waiting:
            self._is_waiting = True
            asyncio.get_running_loop().call_later(_AFTER_SECONDS, self._return)

    def _return(self) -> None:
        self._freed, self._is_waiting = 0, False
        self._give_back()


def trim() -> None:
    """Return what is free to the system, where the C library can (glibc)."""
    function = _malloc_trim()
    if function is not None:
        function(0)


@cache
def _malloc_trim() -> Callable[[int], int] | None:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return None
