"""A clock that stands still while it is held, and timers that go by it."""

from __future__ import annotations

import asyncio

from clarifai_emulator.clock import ClockTimer, Deadlines, PausableClock


class HandClock:
    """Goes as far as it is told."""

    def __init__(self) -> None:
        self.time = 100.0

    def monotonic(self) -> float:
        return self.time

    def now(self) -> float:
        return self.time


def test_time_while_it_is_held_does_not_count() -> None:
    hand = HandClock()
    clock = PausableClock(hand)
    hand.time += 1
    with clock.held():
        assert clock.is_held
        hand.time += 50
        assert clock.monotonic() == 101
        with clock.held():
            hand.time += 50
        assert clock.is_held
        assert clock.monotonic() == 101
    hand.time += 2
    assert clock.monotonic() == 103
    assert clock.now() == hand.time


async def test_a_timer_waits_until_the_clock_has_come_so_far() -> None:
    hand, rang = HandClock(), asyncio.Event()
    clock = PausableClock(hand)
    timer = ClockTimer(clock, 0.05, rang.set)
    clock.hold()
    await asyncio.sleep(0.2)
    assert not rang.is_set()
    clock.release()
    hand.time += 1
    await asyncio.wait_for(rang.wait(), 10)
    timer.cancel()


async def test_a_timer_that_is_cancelled_does_not_ring() -> None:
    rang = asyncio.Event()
    hand = HandClock()
    ClockTimer(hand, 0.01, rang.set).cancel()
    hand.time += 1
    await asyncio.sleep(0.05)
    assert not rang.is_set()


async def test_deadlines_pass_in_their_order_and_those_that_were_removed_do_not() -> None:
    hand, rang = HandClock(), list[str]()
    deadlines = Deadlines(hand, 5)
    deadlines.add(lambda: rang.append("first"))
    removed = deadlines.add(lambda: rang.append("removed"))
    hand.time += 3
    deadlines.add(lambda: rang.append("second"))
    deadlines.remove(removed)
    await asyncio.sleep(4)
    assert rang == []
    hand.time += 3
    await asyncio.sleep(6)
    assert rang == ["first"]
    hand.time += 3
    await asyncio.sleep(6)
    assert rang == ["first", "second"]
    deadlines.remove(removed)  # once more: nothing happens


async def test_deadlines_do_not_pass_while_the_clock_stands_still() -> None:
    hand, rang = HandClock(), list[str]()
    clock = PausableClock(hand)
    deadlines = Deadlines(clock, 0.05)
    deadlines.add(lambda: rang.append("rang"))
    with clock.held():
        hand.time += 50
        await asyncio.sleep(0.2)
        assert rang == []
    hand.time += 1
    await asyncio.sleep(0.2)
    assert rang == ["rang"]
