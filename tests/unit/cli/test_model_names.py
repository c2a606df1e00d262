"""Tests reading a model's name in any of its forms."""

from __future__ import annotations

import pytest

from clarifai_emulator.cli.model_names import read_model_name
from clarifai_emulator.cli.output import Failure
from clarifai_emulator.messages.address import ModelAddress

KNOWN = ["me/demo/hello", "me/demo/types", "ada/other/types"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hello", ModelAddress("me", "demo", "hello")),
        ("me/demo/hello", ModelAddress("me", "demo", "hello")),
        ("me/demo/models/hello", ModelAddress("me", "demo", "hello")),
        ("https://clarifai.com/me/demo/models/hello", ModelAddress("me", "demo", "hello")),
        ("https://clarifai.com/me/demo/models/hello/versions/v1", ModelAddress("me", "demo", "hello", "v1")),
        ("me/demo/models/hello/versions/v1", ModelAddress("me", "demo", "hello", "v1")),
    ],
)
def test_a_model_by_any_of_its_names(text: str, expected: ModelAddress) -> None:
    assert read_model_name(text, KNOWN) == expected


@pytest.mark.parametrize(
    ("text", "said", "code"),
    [
        ("helo", "There is no model 'helo'. There are: me/demo/hello, me/demo/types, ada/other/types.", 1),
        ("types", "Several models are called 'types': me/demo/types, ada/other/types.", 2),
        ("a/b", "'a/b' does not name a model.", 2),
        ("https://clarifai.com/me/demo/workflows/x", "does not name a model.", 2),
    ],
)
def test_names_that_mean_no_model(text: str, said: str, code: int) -> None:
    with pytest.raises(Failure) as caught:
        read_model_name(text, KNOWN)
    assert said in caught.value.message
    assert caught.value.exit_code == code
