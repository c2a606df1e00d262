"""Listeners hear everything, or learn what they missed, and disturb nobody."""

from __future__ import annotations

import asyncio
import logging

import pytest

from clarifai_emulator.events import EventBus
from clarifai_emulator.listeners import Follower, Listeners, following
from clarifai_emulator.logbook import RUNNER, LogBook
from resource_api import StillClock


def test_a_subscriber_that_raises_is_logged_and_dropped_and_the_others_hear_all(
    caplog: pytest.LogCaptureFixture,
) -> None:
    listeners, told, heard = Listeners[int]("numbers"), list[int](), list[int]()

    def fail(number: int) -> None:
        told.append(number)
        raise ValueError("no more of these")

    listeners.subscribe(fail)
    listeners.subscribe(heard.append)
    with caplog.at_level(logging.ERROR):
        for number in (1, 2, 3):
            listeners.tell(number)
    assert (told, heard) == ([1], [1, 2, 3])
    assert len(caplog.records) == 1
    assert (
        caplog.records[0].getMessage().startswith("A subscriber to numbers failed and is told no more: <function")
    )
    assert "no more of these" in caplog.text


def test_whoever_emits_an_event_or_writes_a_line_hears_nothing_of_it(caplog: pytest.LogCaptureFixture) -> None:
    bus, book = EventBus(StillClock()), LogBook()

    def fail(_: object) -> None:
        raise RuntimeError

    bus.subscribe(fail)
    book.subscribe(fail)
    assert bus.emit("work.sent").seq == 1
    book.append(RUNNER, "printed", user_id="ada")
    assert [line.message for line in book.lines(RUNNER)] == ["printed"]
    assert [record.getMessage().partition(" failed")[0] for record in caplog.records] == [
        "A subscriber to events",
        "A subscriber to log lines",
    ]


def test_one_that_fails_and_ends_itself_is_dropped_once() -> None:
    listeners = Listeners[int]("numbers")

    def fail(_: int) -> None:
        end()
        raise ValueError

    end = listeners.subscribe(fail)
    listeners.tell(1)
    end()


async def test_a_follower_gets_what_it_reads_in_time() -> None:
    follower = Follower[int](3)
    reading = asyncio.ensure_future(follower.next(2))
    await asyncio.sleep(0)
    for number in (1, 2, 3):
        follower.take(number)
    assert await reading == (0, [1, 2])
    assert await follower.next(2) == (0, [3])


async def test_a_slow_follower_misses_the_oldest_and_learns_how_many_once() -> None:
    follower = Follower[int](3)
    for number in range(10):
        follower.take(number)
    assert await follower.next(2) == (7, [7, 8])
    assert await follower.next(2) == (0, [9])
    for number in range(10, 14):
        follower.take(number)
    assert await follower.next(10) == (1, [11, 12, 13])


async def test_following_ends_with_its_block_and_counts_what_is_wanted_only() -> None:
    listeners = Listeners[int]("numbers")
    with following(listeners.subscribe, lambda number: number % 2 == 0, most=2) as follower:
        for number in range(8):
            listeners.tell(number)
    listeners.tell(8)
    assert await follower.next(10) == (2, [4, 6])
