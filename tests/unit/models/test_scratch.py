"""Temporary folders that go with their process, however it ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from clarifai_emulator.models.scratch import ScratchFolder, remove_forsaken

PREFIX = "scratch-test-"


@pytest.fixture(autouse=True)
def _own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def test_it_is_private_and_goes_with_all_that_is_in_it(tmp_path: Path) -> None:
    folder = ScratchFolder(PREFIX)
    (folder.path / "below").mkdir()
    assert folder.path.parent == tmp_path
    assert folder.path.stat().st_mode & 0o777 == 0o700
    folder.remove()
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_folder_of_that_prefix_is_left_alone(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / f"{PREFIX}link").symlink_to(elsewhere)
    (tmp_path / f"{PREFIX}file").touch()
    remove_forsaken(PREFIX)
    assert len(list(tmp_path.iterdir())) == 3
