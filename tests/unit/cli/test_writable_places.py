"""Tests what is said where a place cannot be written, and which models are suggested."""

from __future__ import annotations

from pathlib import Path

import pytest

from clarifai_emulator.cli.output import Failure
from clarifai_emulator.cli.writable_places import models_nearby, results_cache, written_to


def test_results_are_kept_below_the_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert results_cache() == tmp_path / "clarifai-emulator" / "contracts"
    assert list((tmp_path / "clarifai-emulator" / "contracts").iterdir()) == []


def test_nothing_is_kept_where_the_cache_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert results_cache() is None
    assert capsys.readouterr().err == (
        f"Note: {tmp_path}/file/clarifai-emulator/contracts cannot be written (Not a directory), "
        "so nothing is kept for the next time. XDG_CACHE_HOME names another place.\n"
    )


def test_a_file_that_cannot_be_written_is_told_with_the_way_out(tmp_path: Path) -> None:
    place = tmp_path / "absent" / "found.json"
    with pytest.raises(Failure) as raised, written_to(place, "--output"):
        place.write_text("{}")
    assert raised.value.message == f"{place} cannot be written: No such file or directory."
    assert raised.value.hint == "Make it writable, or name another place with --output."
    assert raised.value.exit_code == 2


def test_models_in_the_folder_and_below_are_suggested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert models_nearby() == ""
    for name in ("models/b", "models/a", "hello", ".hidden/x", "too/deep/down", "models/c"):
        (tmp_path / name / "1").mkdir(parents=True)
        (tmp_path / name / "config.yaml").touch()
    (tmp_path / "config.yaml").touch()
    assert models_nearby() == "--model hello --model models/a --model models/b"
