"""Provides a future whose waiter can go on at once, and not in the next turn of the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import Any


class PromptFuture(asyncio.Future[None]):
    """A future that one task awaits. ``wake_now`` runs that task until it waits again: a turn of the event loop
    costs as much as routing a request."""

    _waiter: Callable[[Any], object] | None = None
    _context: Context | None = None

    def add_done_callback(self, fn: Callable[[Any], object], /, *, context: Context | None = None) -> None:
        if self.done():
            super().add_done_callback(fn, context=context)
        else:
            self._waiter, self._context = fn, context

    def cancel(self, msg: Any | None = None) -> bool:
        is_cancelled = super().cancel(msg)
        self._wake_later()
        return is_cancelled

    def wake_soon(self) -> None:
        """Let the waiter go on in the next turn of the event loop; nothing if it does already."""
        if not self.done():
            self.set_result(None)
            self._wake_later()

    def wake_now(self) -> None:
        """Let the waiter go on, and return when it waits again. Within another task it has to wait for its turn."""
        waiter, context = self._waiter, self._context
        if waiter is None or context is None or asyncio.current_task(self.get_loop()) is not None:
            self.wake_soon()
        elif not self.done():
            self._waiter = None
            self.set_result(None)
            context.run(waiter, self)

    def _wake_later(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            self.get_loop().call_soon(waiter, self, context=self._context)
