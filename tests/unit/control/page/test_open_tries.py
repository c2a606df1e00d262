"""Items of a stream reach the call that a browser has open, within bounds."""

from __future__ import annotations

from typing import Any

import pytest

from clarifai_emulator.api.transport.http_exchange import HttpProblem
from clarifai_emulator.control.page.open_tries import MOST_OPEN, MOST_WAITING, OpenTries
from clarifai_emulator.errors import EmulatorError


def item(value: Any, *, is_first: bool) -> Any:
    if value is None:
        raise EmulatorError("nothing was given")
    return value, is_first


async def test_items_come_in_order_and_the_first_is_known_as_such() -> None:
    with OpenTries().begin(item) as opened:
        opened.feed("a")
        opened.feed("b")
        opened.end()
        assert [each async for each in opened.items()] == [("a", True), ("b", False)]


async def test_a_value_that_does_not_fit_is_no_item() -> None:
    with OpenTries().begin(item) as opened:
        with pytest.raises(EmulatorError, match="nothing was given"):
            opened.feed(None)
        opened.feed("a")
        opened.end()
        assert [each async for each in opened.items()] == [("a", True)]


async def test_a_stream_that_was_ended_takes_no_more() -> None:
    with OpenTries().begin(item) as opened:
        opened.end()
        with pytest.raises(HttpProblem, match="The stream of this call was ended before"):
            opened.feed("late")


async def test_there_is_an_end_to_what_waits() -> None:
    with OpenTries().begin(item) as opened:
        for _ in range(MOST_WAITING):
            opened.feed("a")
        with pytest.raises(HttpProblem, match="100 items wait already") as caught:
            opened.feed("a")
        assert caught.value.status == 429
        await anext(opened.items())
        opened.feed("a")


async def test_there_is_an_end_to_how_many_are_open_and_those_that_are_over_are_forgotten() -> None:
    tries = OpenTries()
    held = [tries.begin(item) for _ in range(MOST_OPEN)]
    opened = [each.__enter__() for each in held]
    with pytest.raises(HttpProblem, match="32 calls of the page are open"), tries.begin(item):
        pass
    assert tries.find(opened[0].id) is opened[0]
    held[0].__exit__(None, None, None)
    with pytest.raises(HttpProblem, match="This call is over"):
        tries.find(opened[0].id)
    with tries.begin(item):
        pass
