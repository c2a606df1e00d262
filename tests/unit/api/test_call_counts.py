"""Calls are counted by model and method, however many there are, within bounds."""

from __future__ import annotations

import pytest

from clarifai_emulator.api import call_counts
from clarifai_emulator.api.call_counts import LONGEST_NAME, MOST_METHODS, OTHERS, CallCounts

HELLO = ("me", "demo", "hello")


def test_each_method_of_each_model_has_its_count() -> None:
    calls = CallCounts()
    for method in ("predict", "generate", "predict"):
        calls.count(HELLO, method)
    calls.count(("me", "demo", "other"), "predict")
    assert calls.of(HELLO) == {"predict": 2, "generate": 1}
    assert calls.of(("me", "demo", "never")) == {}
    calls.forget()
    assert calls.of(HELLO) == {}


def test_names_that_clients_make_up_are_counted_together() -> None:
    calls = CallCounts()
    for number in range(MOST_METHODS + 50):
        calls.count(HELLO, f"made-up-{number}")
    calls.count(HELLO, "x" * (LONGEST_NAME + 1))
    assert len(calls.of(HELLO)) == MOST_METHODS + 1
    assert calls.of(HELLO)[OTHERS] == 51


def test_models_that_come_and_go_take_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_counts, "MOST_MODELS", 3)
    calls = CallCounts()
    for number in range(10):
        calls.count(("me", "demo", f"model-{number}"), "predict")
    assert [calls.of(("me", "demo", f"model-{number}")) for number in (6, 7, 9)] == [
        {},
        {"predict": 1},
        {"predict": 1},
    ]
