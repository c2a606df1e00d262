"""A prompt future lets its one waiter go on at once, and is cancelled as any other."""

from __future__ import annotations

import asyncio
import contextvars

import pytest

from clarifai_emulator.dispatch.prompt_future import PromptFuture

_WHO = contextvars.ContextVar("_WHO", default="nobody")


class Waiter:
    """A task that waits for two futures, one after the other."""

    def __init__(self) -> None:
        self.futures = [PromptFuture(), PromptFuture()]
        self.said: list[str] = []
        _WHO.set("the waiter")
        self.task = asyncio.create_task(self._wait())
        _WHO.set("somebody else")

    async def _wait(self) -> None:
        for number, future in enumerate(self.futures):
            await future
            self.said.append(f"{number} {_WHO.get()}")


def in_the_loop(function: object) -> None:
    """Call a function as the event loop does, outside of any task."""
    asyncio.get_running_loop().call_soon(function)  # pyright: ignore[reportArgumentType]


async def test_the_waiter_goes_on_before_whoever_wakes_it_does() -> None:
    waiter = Waiter()
    await asyncio.sleep(0)
    seen: list[list[str]] = []

    def wake_both() -> None:
        for future in waiter.futures:
            future.wake_now()
            seen.append(list(waiter.said))

    in_the_loop(wake_both)
    await waiter.task
    assert seen == [["0 the waiter"], ["0 the waiter", "1 the waiter"]]


async def test_within_another_task_the_waiter_waits_for_its_turn() -> None:
    waiter = Waiter()
    await asyncio.sleep(0)
    waiter.futures[0].wake_now()
    assert waiter.said == []
    await asyncio.sleep(0)
    assert waiter.said == ["0 the waiter"]
    waiter.futures[1].wake_soon()
    await waiter.task
    assert len(waiter.said) == 2


async def test_woken_before_it_waits_it_does_not_wait() -> None:
    waiter = Waiter()
    for future in waiter.futures:
        future.wake_now()
        future.wake_now()
    await waiter.task
    assert len(waiter.said) == 2


async def test_a_waiter_that_is_cancelled_is_woken_no_more() -> None:
    waiter = Waiter()
    await asyncio.sleep(0)
    waiter.task.cancel()
    in_the_loop(waiter.futures[0].wake_now)
    with pytest.raises(asyncio.CancelledError):
        await waiter.task
    assert waiter.said == []
    assert waiter.futures[0].cancelled()


async def test_woken_soon_and_cancelled_in_the_same_moment_the_waiter_ends() -> None:
    waiter = Waiter()
    await asyncio.sleep(0)
    waiter.futures[0].wake_soon()
    waiter.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter.task
