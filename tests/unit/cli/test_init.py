"""Tests the model directory that `init` writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from clarifai_emulator.cli.init import TEMPLATE, model_id, write_template


@pytest.mark.parametrize(
    ("name", "expected"), [("my-model", "my-model"), ("My model.v2", "My-model-v2"), ("é", "my-model")]
)
def test_a_models_id_from_its_folder(name: str, expected: str) -> None:
    assert model_id(name) == expected


def test_the_template_is_a_whole_model_directory(tmp_path: Path) -> None:
    from clarifai_emulator.contracts.signatures.model_files import read_model_files
    from clarifai_emulator.models.directory import read_model_directory

    write_template(tmp_path / "m", "mine")
    assert all((tmp_path / "m" / name).is_file() for name in TEMPLATE)
    directory = read_model_directory(tmp_path / "m")
    assert (directory.model_id, directory.warnings) == ("mine", ())
    assert read_model_files(tmp_path / "m").findings == ()
