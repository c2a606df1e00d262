"""How a model is named in another protocol's request."""

from __future__ import annotations

import pytest

from clarifai_emulator.api.ext.method_calls import ModelAddress, parse_address


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
    assert ModelAddress("u", "a", "m", "v").url == "https://clarifai.com/u/a/models/m"
