"""Tests where process numbers mean the same."""

from __future__ import annotations

import pytest

from clarifai_emulator.control import places


@pytest.mark.parametrize(
    ("place", "here"),
    [
        ("renamed/boot/1", True),  # a machine may get another name while it runs
        ("host/boot/2", False),  # a container on it
        ("host/other/1", False),
        ("host//1", True),  # a system that does not tell its start
        ("other//1", False),
        ("", False),
    ],
)
def test_where_process_numbers_mean_the_same(monkeypatch: pytest.MonkeyPatch, place: str, here: bool) -> None:
    monkeypatch.setattr(places, "this_place", lambda: "host/boot/1")
    assert places.is_here(place) is here
