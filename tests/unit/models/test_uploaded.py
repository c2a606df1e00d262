"""The files of uploaded versions: kept below a folder, or gone with the process; never anybody else's."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from clarifai_emulator.models.uploaded import UploadedFiles

ONE, OTHER = ("me", "app", "model", "one"), ("me", "app", "model", "other")


def kept(files: UploadedFiles, version: tuple[str, ...]) -> Path:
    """Upload and unpack a version; return its archive."""
    incoming = files.incoming()
    incoming.write_bytes(version[-1].encode())
    archive = files.keep(incoming, version)
    files.model(version).mkdir()
    return archive


def test_with_a_folder_they_outlive_the_process(tmp_path: Path) -> None:
    files = UploadedFiles(tmp_path / "kept")
    kept(files, ONE)
    files.close()
    again = UploadedFiles(tmp_path / "kept")
    assert again.has(ONE)
    assert again.archive(ONE).read_bytes() == b"one"
    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o700


def test_without_one_they_go_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    files = UploadedFiles()
    kept(files, ONE)
    assert len(list(tmp_path.iterdir())) == 1
    files.close()
    assert list(tmp_path.iterdir()) == []
    assert not files.has(ONE)


def test_a_sweep_leaves_the_versions_that_there_are_and_what_is_not_ours(tmp_path: Path) -> None:
    files = UploadedFiles(tmp_path)
    kept(files, ONE)
    kept(files, OTHER)
    files.incoming().write_bytes(b"half of it")
    (tmp_path / "holiday").mkdir()
    (tmp_path / "holiday" / "picture").touch()

    files.sweep([ONE])
    assert files.has(ONE)
    assert not files.has(OTHER)
    assert list(tmp_path.glob("incoming/*")) == []

    files.clear()
    assert not files.has(ONE)
    assert [path.name for path in tmp_path.rglob("*")] == ["holiday", "picture"]


def test_another_of_the_same_id_may_come_while_the_files_of_a_version_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, remove = UploadedFiles(tmp_path), shutil.rmtree
    old = kept(files, ONE)
    removed: list[Path] = []

    def slowly(path: Path, **how: Any) -> None:
        removed.append(path)
        if len(removed) == 1:
            assert not old.exists()
            kept(files, ONE)
        remove(path, **how)

    monkeypatch.setattr(shutil, "rmtree", slowly)
    files.remove(ONE)
    assert files.has(ONE)
    assert not removed[0].exists()
    files.remove(OTHER)
    assert list(tmp_path.glob("incoming/*")) == []


def test_a_sweep_makes_no_folder(tmp_path: Path) -> None:
    UploadedFiles(tmp_path / "kept").sweep([])
    assert list(tmp_path.iterdir()) == []


def test_starts_of_a_build_are_counted_over_restarts_until_it_ends(tmp_path: Path) -> None:
    files = UploadedFiles(tmp_path)
    kept(files, ONE)
    assert files.starts(ONE) == 0
    files.note_start(ONE)
    UploadedFiles(tmp_path).note_start(ONE)
    assert (files.starts(ONE), files.starts(OTHER)) == (2, 0)
    files.note_end(ONE)
    assert files.starts(ONE) == 0
    files.note_start(ONE)
    kept(files, ONE)
    assert files.starts(ONE) == 0, "another upload"
