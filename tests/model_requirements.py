"""Writes model directories that have given requirements, for tests of their environments."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from clarifai_emulator.models.directory import ModelDirectory, read_model_directory

MakeModel = Callable[..., ModelDirectory]


def model_with(folder: Path, requirements: str, python_version: str = "") -> ModelDirectory:
    """Write a model directory with these requirements, and read it."""
    root = folder / "m"
    (root / "1").mkdir(parents=True, exist_ok=True)
    build = f'build_info: {{python_version: "{python_version}"}}\n' if python_version else ""
    (root / "config.yaml").write_text(f"model: {{id: m}}\n{build}")
    (root / "requirements.txt").write_text(requirements)
    (root / "1" / "model.py").write_text("")
    return read_model_directory(root)
