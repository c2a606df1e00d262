"""While something large is made for a browser, others have their turns in the event loop."""

from __future__ import annotations

import asyncio
import itertools
import json
import math
from typing import Any

import pytest

from clarifai_emulator.control.page import loop_turns
from clarifai_emulator.control.page.loop_turns import LoopTurns
from clarifai_emulator.control.page.page_json import json_bytes, json_in_turns, with_lists


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a millisecond pass each time somebody looks at the clock."""
    ticks = itertools.count()
    monkeypatch.setattr(loop_turns.time, "perf_counter", lambda: next(ticks) / 1000)


@pytest.mark.usefixtures("clock")
async def test_others_have_a_turn_every_few_items() -> None:
    turns: list[str] = []

    async def other() -> None:
        while True:
            turns.append("other")
            await asyncio.sleep(0)

    task = asyncio.get_running_loop().create_task(other())
    async for item in LoopTurns().through(range(20)):
        turns.append(str(item))
    task.cancel()
    assert [each for each in turns if each != "other"] == [str(number) for number in range(20)]
    assert turns.index("other") < 6
    assert turns.count("other") >= 3


async def test_what_is_made_at_once_is_not_broken_off() -> None:
    assert [each async for each in LoopTurns().through([])] == []
    assert [each async for each in LoopTurns().through("ab")] == ["a", "b"]


async def test_an_iterator_is_a_list_that_is_made_as_it_is_sent() -> None:
    told = {"none": iter(()), "state": {"few": iter("ab"), "many": ({"id": number} for number in range(120))}}
    many = [{"id": number} for number in range(120)]
    whole = {"none": [], "state": {"few": ["a", "b"], "many": many}}
    assert json.loads(await json_in_turns(told)) == whole
    told = {"none": iter(()), "state": {"few": iter("ab"), "many": iter(many)}}
    assert with_lists(told) == whole
    texts = [json_bytes(each) for each in many]
    assert json.loads(await json_in_turns({"many": iter(texts)})) == {"many": many}
    assert with_lists({"many": iter(texts)}) == {"many": many}


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"a": [], "b": {}, "c": {"d": {}}},
        {"list": list(range(200)), "state": {"nodepools": [{"id": str(n)} for n in range(51)], "none": None}},
        {
            "ü": "</script>",
            "state": {"x": [math.nan, math.inf, *range(60)]},
            "deep": {"a": {"b": {"c": {"d": [1]}}}},
        },
        [1, 2],
    ],
)
async def test_json_made_in_turns_is_the_same(data: Any) -> None:
    assert json.loads(await json_in_turns(data)) == json.loads(json_bytes(data))
