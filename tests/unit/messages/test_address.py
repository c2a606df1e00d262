"""Model addresses have one form, which is parsed and printed."""

from __future__ import annotations

import pytest

from clarifai_emulator.messages.address import ModelAddress, names_no_model, parse_address, parse_name


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("https://clarifai.com/u/a/models/m", ModelAddress("u", "a", "m")),
        ("http://127.0.0.1:7878/u/a/models/m/", ModelAddress("u", "a", "m")),
        ("u/a/models/m", ModelAddress("u", "a", "m")),
        ("u/a/models/m/versions/v", ModelAddress("u", "a", "m", "v")),
        (
            "https://clarifai.com/openai/chat-completion/models/gpt-4o",
            ModelAddress("openai", "chat-completion", "gpt-4o"),
        ),
        ("https://clarifai.com/u/a/models/m/model_versions/v", ModelAddress("u", "a", "m", "v")),
        ("https://clarifai.com/u/a/models/m?tab=calls#top", ModelAddress("u", "a", "m")),
    ],
)
def test_a_model_is_named_by_its_url_or_its_path(text: str, address: ModelAddress) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text", ["", "gpt-4", "u/a/m", "u/a/models/", "u/a/workflows/w", "u/a/models/m/versions", "/a/models/m"]
)
def test_anything_else_names_none(text: str) -> None:
    assert parse_address(text) is None


def test_the_url_is_the_platforms() -> None:
    assert ModelAddress("u", "a", "m").url == "https://clarifai.com/u/a/models/m"
    assert ModelAddress("me", "demo", "hello", "v").url == "https://clarifai.com/me/demo/models/hello/versions/v"


@pytest.mark.parametrize("address", [ModelAddress("u", "a", "m"), ModelAddress("u", "a", "m", "v")])
def test_what_is_printed_is_read_again(address: ModelAddress) -> None:
    assert parse_address(address.name) == parse_address(address.url) == parse_name(address.name) == address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("u/a/m", ModelAddress("u", "a", "m")),
        ("/u/a/m/", ModelAddress("u", "a", "m")),
        ("u/a/m/versions/v", ModelAddress("u", "a", "m", "v")),
        ("u/a/models/m", ModelAddress("u", "a", "m")),
    ],
)
def test_a_name_may_leave_out_what_it_is_a_name_of(text: str, address: ModelAddress) -> None:
    assert parse_name(text) == address


@pytest.mark.parametrize("text", ["", "m", "a/m", "https://clarifai.com/u/a/workflows/w", "u//m"])
def test_other_names_are_none(text: str) -> None:
    assert parse_name(text) is None


def test_what_is_wrong_has_one_wording() -> None:
    assert names_no_model("gpt-4") == "'gpt-4' does not name a model"
