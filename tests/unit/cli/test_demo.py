"""Tests finding the model of `demo`."""

from __future__ import annotations

from pathlib import Path

import pytest

from clarifai_emulator.cli import demo


def test_the_demo_has_a_model_without_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (demo._hello(tmp_path) / "config.yaml").is_file()
    monkeypatch.setattr(demo, "_HELLO", Path("nowhere"))
    monkeypatch.setattr(demo, "__file__", "/nowhere/a/b/c/demo.py")
    assert demo._hello(tmp_path) == tmp_path / "hello"
    assert (tmp_path / "hello" / "1" / "model.py").is_file()
