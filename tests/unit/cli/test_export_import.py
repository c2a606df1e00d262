"""An export is written whole, for its user only, and what is no file stays as it is."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from clarifai_emulator.cli.export_import import _write_privately  # pyright: ignore[reportPrivateUsage]


def test_an_export_that_cannot_be_written_leaves_the_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "export.json"
    _write_privately(file, "good")
    monkeypatch.setattr(Path, "replace", _no_space)
    with pytest.raises(OSError, match="No space left"):
        _write_privately(file, "new")
    assert file.read_text() == "good"
    assert list(tmp_path.iterdir()) == [file]
    assert file.stat().st_mode & 0o777 == 0o600


def _no_space(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_the_file_that_a_link_points_at_is_written(tmp_path: Path) -> None:
    (tmp_path / "link.json").symlink_to("export.json")
    _write_privately(tmp_path / "link.json", "text")
    assert (tmp_path / "export.json").read_text() == "text"
    assert (tmp_path / "link.json").is_symlink()


def test_a_device_is_written_to_and_keeps_its_mode() -> None:
    before = os.stat("/dev/null")
    _write_privately(Path("/dev/null"), "text")
    after = os.stat("/dev/null")
    assert (after.st_mode, after.st_ino) == (before.st_mode, before.st_ino)
    assert stat.S_ISCHR(after.st_mode)
