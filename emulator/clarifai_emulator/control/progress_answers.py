"""Makes the stream of answers of what takes long: what it says while it goes on, then its result."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any, TypeVar

from clarifai_emulator.background_work import beside

Answers = AsyncGenerator[dict[str, Any]]
_T = TypeVar("_T")


async def with_progress(
    begin: Callable[[Callable[[str], None]], Coroutine[Any, Any, _T]], written: Callable[[_T], Any]
) -> Answers:
    """Give what something long says while it goes on, then its result."""
    lines: asyncio.Queue[str] = asyncio.Queue()
    task = beside(begin(lines.put_nowait))
    getter: asyncio.Task[str] | None = None
    try:
        while not task.done() or not lines.empty():
            getter = beside(lines.get())
            await asyncio.wait([task, getter], return_when=asyncio.FIRST_COMPLETED)
            if getter.done():
                yield {"progress": getter.result()}
            else:
                getter.cancel()
        yield {"result": written(await task)}
    finally:
        mine: list[asyncio.Task[Any]] = [each for each in (task, getter) if each is not None]
        for each in mine:
            each.cancel()
        # What is broken off ends before whoever asked for it is told so.
        await asyncio.gather(*mine, return_exceptions=True)
