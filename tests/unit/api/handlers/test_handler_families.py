"""Handlers are made when they are asked for, each family at once, and are those that its names promise."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from clarifai_emulator.api.handlers.handler_families import HandlerFamilies
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.machine.accelerators import Discovery


def nothing(call: Any, request: Any) -> None:
    """Stand for a handler."""


def test_a_family_is_made_once_when_the_first_of_it_is_asked_for() -> None:
    made: list[str] = []

    def make() -> Mapping[str, Any]:
        made.append("family")
        return {"GetApp": nothing, "ListApps": nothing}

    families = HandlerFamilies([(("GetApp", "ListApps"), make)])
    assert sorted(families) == ["GetApp", "ListApps"]
    assert "GetApp" in families
    assert made == []
    assert families["GetApp"] is nothing
    assert families["ListApps"] is nothing
    assert made == ["family"]


def test_a_later_family_takes_the_place_of_an_earlier_one() -> None:
    def other(call: Any, request: Any) -> None: ...

    rows = {"GetApp": nothing, "ListApps": nothing}
    families = HandlerFamilies([(rows, lambda: rows), (("GetApp",), lambda: {"GetApp": other})])
    assert families["GetApp"] is other
    assert families["ListApps"] is nothing


def test_a_family_that_lacks_what_its_names_promise_is_refused() -> None:
    families = HandlerFamilies([(("GetApp", "ListApps"), lambda: {"GetApp": nothing})])
    with pytest.raises(TypeError, match=re.escape("A family of handlers lacks ListApps.")):
        families["GetApp"]


async def test_every_handler_of_an_emulator_is_there_when_it_is_asked_for() -> None:
    emulator = Emulator(discovery=Discovery((), "a unit test has none"))
    handlers = emulator.api._handlers
    assert all(callable(handlers[name]) for name in handlers)
    assert {"PostModelOutputs", "GetUser", "PostPipelines", "ListLogEntries"} <= set(handlers)
