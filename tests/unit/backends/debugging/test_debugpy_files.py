"""Debugpy is found for a model; where it is nowhere, the error says what to install."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from clarifai_emulator.backends.debugging.debugpy_files import folder_of_debugpy
from clarifai_emulator.errors import ModelError


def python_of(folder: Path) -> Path:
    return folder / "bin" / "python"


def test_the_models_own_comes_first(tmp_path: Path) -> None:
    own = tmp_path / "lib" / "python3.11" / "site-packages" / "debugpy"
    own.mkdir(parents=True)
    (own / "__init__.py").touch()
    assert folder_of_debugpy(python_of(tmp_path), tmp_path / "cache") == ""


def test_a_model_without_it_sees_the_emulators_and_nothing_else(tmp_path: Path) -> None:
    for _ in range(2):
        folder = Path(folder_of_debugpy(python_of(tmp_path), tmp_path / "cache"))
        assert [each.name for each in folder.iterdir()] == ["debugpy"]
        assert (folder / "debugpy" / "__init__.py").is_file()


def test_where_it_is_nowhere_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError) as failed:
        folder_of_debugpy(python_of(tmp_path), tmp_path / "cache")
    assert failed.value.summary == "debugpy, which lets an editor debug a replica, is not installed."
    assert failed.value.hint == (
        "Install it beside the emulator: pip install 'clarifai-emulator[debug]'; or name debugpy in the model's "
        "requirements.txt."
    )
