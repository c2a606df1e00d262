"""Tests the classes of models that have the same name."""

from __future__ import annotations

from pathlib import Path

from clarifai_emulator.contracts.calls.call_targets import Address
from clarifai_emulator.contracts.calls.given_models import KnownModel
from clarifai_emulator.contracts.stubs.stub_files import stub_files


def test_models_of_the_same_name_get_classes_of_their_own():
    models = [
        KnownModel(name, Path(), Address("me", "main", name), (), "import", ())
        for name in ("chat-bot", "chat_bot", "7b", "model", "text")
    ]

    text = stub_files(models)["clarifai/client/model.pyi"]

    for name in ("ChatBot", "ChatBot_2", "Model7b", "ModelModel", "ModelText"):
        assert f"class {name}(Model):" in text
