"""The poller looks at intervals while there is something, and not at all after that."""

from __future__ import annotations

import asyncio

import pytest

from clarifai_emulator.backends import poller as rounds
from clarifai_emulator.backends.poller import Rounds


class Scene:
    def __init__(self) -> None:
        self.there = 0
        self.looks: list[bool] = []
        self.rests = 0
        self.rounds = Rounds(self.look, self.rest)

    def look(self) -> bool:
        self.looks.append(self.there > 0)
        self.there = max(0, self.there - 1)
        return self.looks[-1]

    def rest(self) -> None:
        self.rests += 1


@pytest.fixture
async def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr(rounds, "_EVERY_SECONDS", 0.001)
    return Scene()


async def test_it_looks_until_it_has_looked_in_vain_five_times_in_a_row(scene: Scene) -> None:
    scene.there = 3
    scene.rounds.begin()
    await asyncio.sleep(0.1)
    assert (scene.looks, scene.rests) == ([True] * 3 + [False] * 5, 1)
    scene.rounds.begin()
    await asyncio.sleep(0.1)
    assert (len(scene.looks), scene.rests) == (13, 2)


async def test_begun_twice_it_looks_once_at_a_time(scene: Scene) -> None:
    scene.rounds.begin()
    scene.rounds.begin()
    await asyncio.sleep(0.1)
    assert (scene.looks, scene.rests) == ([False] * 5, 1)


async def test_stopped_it_looks_no_more(scene: Scene) -> None:
    scene.rounds.begin()
    scene.rounds.stop()
    await asyncio.sleep(0.02)
    assert (scene.looks, scene.rests) == ([], 0)


async def test_whoever_is_looked_for_may_end_it(scene: Scene) -> None:
    looked = 0

    def look() -> bool:
        nonlocal looked
        looked += 1
        scene.rounds.stop()
        return False

    scene.rounds = Rounds(look, scene.rest)
    scene.rounds.begin()
    await asyncio.sleep(0.02)
    assert (looked, scene.rests) == (1, 0)


async def test_who_stops_it_while_it_looks_is_not_asked_to_rest(scene: Scene) -> None:
    scene.rounds = Rounds(lambda: bool(scene.look() or (len(scene.looks) == 5 and scene.rounds.stop())), scene.rest)
    scene.rounds.begin()
    while len(scene.looks) < 5:
        await asyncio.sleep(rounds._EVERY_SECONDS)
    await asyncio.sleep(2 * rounds._EVERY_SECONDS)
    assert (len(scene.looks), scene.rests) == (5, 0)
