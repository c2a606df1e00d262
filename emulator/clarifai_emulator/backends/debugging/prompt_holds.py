"""Remembers what is held while somebody is at a debugger's prompt: clocks, and what prints to the terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from typing import Any

_Hold = Callable[[], AbstractContextManager[Any]]
_holds: list[_Hold] = []


@contextlib.contextmanager
def while_held(hold: _Hold) -> Generator[None]:
    """In this block, enter what ``hold`` gives whenever somebody is at the prompt."""
    _holds.append(hold)
    try:
        yield
    finally:
        _holds.remove(hold)


@contextlib.contextmanager
def held() -> Generator[None]:
    """Hold all of it until the end of the block."""
    with contextlib.ExitStack() as stack:
        for hold in tuple(_holds):
            stack.enter_context(hold())
        yield
