"""Tests that models and clients are seen through the outline of the SDK as through the SDK itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clarifai_emulator.contracts.calls.checking_stubs import data_types_stub
from clarifai_emulator.contracts.signatures.static import read_by_source
from clarifai_emulator.contracts.stubs import sdk_surface

MODELS = Path(__file__).parents[4] / "fixtures" / "models"


def seen(monkeypatch: pytest.MonkeyPatch, look: Callable[[], Any]) -> tuple[Any, Any]:
    """Return what is seen with the SDK, and with its outline."""
    sdk_surface.client_exports.cache_clear()
    with_sdk = look()
    with monkeypatch.context() as patched:
        patched.setattr(sdk_surface, "sdk_folder", lambda: None)
        sdk_surface.client_exports.cache_clear()
        with_outline = look()
    sdk_surface.client_exports.cache_clear()
    return with_sdk, with_outline


@pytest.mark.parametrize("name", sorted(each.name for each in MODELS.iterdir() if each.is_dir()))
def test_models_have_the_same_methods(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def methods() -> list[str]:
        return [str(each.signature) for each in read_by_source(MODELS / name).methods]

    with_sdk, with_outline = seen(monkeypatch, methods)
    assert with_outline == with_sdk


def test_methods_that_come_from_a_class_of_the_sdk_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdk_surface, "sdk_folder", lambda: None)
    names = {each.signature.name for each in read_by_source(MODELS / "openai").methods}
    assert {"openai_transport", "openai_stream_transport"} <= names


def test_clients_import_the_same_names(monkeypatch: pytest.MonkeyPatch) -> None:
    with_sdk, with_outline = seen(monkeypatch, sdk_surface.client_exports)
    assert with_outline == with_sdk
    assert ("clarifai.client.model", "Model") in with_outline


def test_data_types_have_the_same_types(monkeypatch: pytest.MonkeyPatch) -> None:
    with_sdk, with_outline = seen(monkeypatch, data_types_stub)
    assert with_outline == with_sdk
    assert "class Image(MessageData)" in with_outline
