"""Tells which request a change is made for, so that the one that cannot be kept is refused, and no other."""

from __future__ import annotations

from contextvars import ContextVar

# The call that is served; what a background task changes later for a call that has ended is nobody's.
asking: ContextVar[object | None] = ContextVar("asking", default=None)
