"""Circles of models that call one another are found, each once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from clarifai_emulator.contracts.calls.model_circles import circles, with_circles
from clarifai_emulator.contracts.rules.client_call import ClientCall
from clarifai_emulator.contracts.rules.finding import Location


@pytest.mark.parametrize(
    ("called", "found"),
    [
        ({}, []),
        ({"a": "b", "b": "c"}, []),
        ({"a": "a"}, [("a",)]),
        ({"b": "a", "a": "b"}, [("a", "b")]),
        ({"a": "b", "b": "ca", "c": "a"}, [("a", "b"), ("a", "b", "c")]),
        ({"a": "bc", "b": "d", "c": "d", "d": "a"}, [("a", "b", "d"), ("a", "c", "d")]),
        ({"x": "a", "a": "b", "b": "a", "c": "d", "d": "c"}, [("a", "b"), ("c", "d")]),
    ],
)
def test_each_circle_is_found_once(called: Mapping[str, str], found: list[tuple[str, ...]]) -> None:
    assert circles(called) == found


def test_a_long_chain_is_no_circle_and_takes_no_stack() -> None:
    chain = {f"m{each}": [f"m{each + 1}"] for each in range(1500)}
    assert circles(chain) == []


def test_calls_of_clients_lead_to_no_circle() -> None:
    calls = [
        ClientCall(Location(Path("client.py"), 1), "predict()", "a"),
        ClientCall(Location(Path("a.py"), 1), "predict()", "b, a", caller="a"),
    ]
    assert [finding is not None for _, finding in with_circles(calls)] == [False, True]
