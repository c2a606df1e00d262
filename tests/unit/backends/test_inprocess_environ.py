"""A replica in the emulator's process sees variables of its own; every other thread sees the process's."""

from __future__ import annotations

import asyncio
import contextvars
import os
from collections.abc import Callable
from typing import TypeVar

import pytest

from clarifai_emulator.backends import inprocess_environ

T = TypeVar("T")
OWN = {"CLARIFAI_PAT": "of-the-replica", "SECRET_OF_TEST": "its own"}


def as_replica(ask: Callable[[], T], variables: dict[str, str] | None = None) -> T:
    """Return what code in a thread of a replica finds: a thread has a context of its own."""

    def run() -> T:
        inprocess_environ.enter(OWN if variables is None else variables)
        return ask()

    return contextvars.Context().run(run)


@pytest.fixture(autouse=True)
def of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLARIFAI_PAT", "of-the-process")
    monkeypatch.setenv("SHARED_OF_TEST", "shared")


def test_each_sees_its_own_beside_those_of_the_process() -> None:
    def look() -> tuple[object, ...]:
        names = ("CLARIFAI_PAT", "SECRET_OF_TEST", "SHARED_OF_TEST")
        return *map(os.getenv, names), "X_OF_TEST" in os.environ

    assert as_replica(look) == ("of-the-replica", "its own", "shared", False)
    assert as_replica(look, {"CLARIFAI_PAT": "other"}) == ("other", None, "shared", False)
    assert look() == ("of-the-process", None, "shared", False)


def test_the_whole_of_it_holds_both() -> None:
    seen = as_replica(lambda: (dict(os.environ), os.environ.copy(), list(os.environ), len(os.environ)))
    everything, copied, names, count = seen
    assert everything == copied == {**os.environ, **OWN}
    assert sorted(names) == sorted(everything)
    assert len(set(names)) == count
    assert dict(os.environ)["CLARIFAI_PAT"] == "of-the-process"


def test_a_change_of_its_own_is_its_own_and_any_other_is_everybodys() -> None:
    def change() -> tuple[str, bool]:
        os.environ["SECRET_OF_TEST"] = "changed"
        os.environ["SHARED_OF_TEST"] = "changed"
        del os.environ["CLARIFAI_PAT"]
        return os.environ["SECRET_OF_TEST"], "SHARED_OF_TEST" in os.environ

    assert as_replica(change) == ("changed", True)
    assert os.environ["CLARIFAI_PAT"] == "of-the-process"
    assert os.environ["SHARED_OF_TEST"] == "changed"
    assert "SECRET_OF_TEST" not in os.environ
    assert as_replica(lambda: os.environ["SECRET_OF_TEST"]) == "its own"


def test_tasks_that_it_begins_see_them_too() -> None:
    async def ask() -> str:
        return await asyncio.create_task(asyncio.to_thread(lambda: os.environ["CLARIFAI_PAT"]))

    assert as_replica(lambda: asyncio.run(ask())) == "of-the-replica"
