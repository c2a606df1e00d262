"""Tests addresses that cannot be one, and where process numbers mean the same."""

from __future__ import annotations

import pytest

from clarifai_emulator.cli import places
from clarifai_emulator.cli.network import reach
from clarifai_emulator.cli.output import Failure

TOKEN = "CLARIFAI_EMULATOR_TOKEN"


@pytest.mark.parametrize(
    "text", ["ftp://box", "http://", "http://box:x", "http://box:99999", "http://u:p@box", "http://b/v2"]
)
def test_an_address_that_is_none(text: str) -> None:
    with pytest.raises(Failure, match="is no address of an emulator") as caught:
        reach(text, {TOKEN: "t"})
    assert (caught.value.exit_code, caught.value.hint) == (
        2,
        "Write http://HOST:PORT, as `clarifai-emulator up` prints it.",
    )


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
