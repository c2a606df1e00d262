"""Freed memory is returned to the system once there is enough of it, and not for each request."""

from __future__ import annotations

import asyncio

from clarifai_emulator.api.transport.freed_memory import FreedMemory, trim

MIB = 1024 * 1024


async def test_it_is_returned_together_a_while_after_enough_was_freed() -> None:
    returned: list[str] = []
    freed = FreedMemory(lambda: returned.append("returned"))
    freed.add(100 * MIB)
    await asyncio.sleep(10)
    assert returned == []
    for _ in range(10):
        freed.add(100 * MIB)
    assert returned == []
    await asyncio.sleep(10)
    assert returned == ["returned"]
    freed.add(100 * MIB)
    await asyncio.sleep(10)
    assert returned == ["returned"]


def test_the_library_of_this_system_may_be_asked() -> None:
    trim()
