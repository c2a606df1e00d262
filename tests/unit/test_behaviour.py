"""Tests that choices of behaviour are read from texts, and refused where there is no such choice."""

from __future__ import annotations

import pytest

from clarifai_emulator.behaviour import Behaviour
from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.errors import ConfigError


def test_what_is_not_chosen_is_the_default() -> None:
    assert Behaviour.of([]) == Behaviour()
    assert Behaviour.of(["apps=on-mention"]) == Behaviour(apps="on-mention")


def test_the_later_of_two_counts() -> None:
    assert Behaviour.of(["apps=on-mention", "apps=explicit", "latest-version=at-once"]) == Behaviour(
        latest_version="at-once"
    )


@pytest.mark.parametrize(
    ("choice", "problem"),
    [
        ("ap=x", "There is no behaviour 'ap' to choose; there are latest-version, apps, secret-values."),
        ("apps", "apps is one of explicit, on-mention, got ''."),
        ("secret-values=no", "secret-values is one of shown, hidden, got 'no'."),
    ],
)
def test_a_choice_that_is_none(choice: str, problem: str) -> None:
    with pytest.raises(ValueError, match=r"behaviour|is one of") as caught:
        Behaviour.of([choice])
    assert str(caught.value) == problem


def test_a_configuration_refuses_a_value_that_is_none() -> None:
    with pytest.raises(ConfigError) as caught:
        EmulatorConfig(behaviour=Behaviour(apps="never"))  # pyright: ignore[reportArgumentType]
    assert caught.value.problems == ("behaviour apps must be one of explicit, on-mention, got 'never'",)
