"""Homes of tests: empty, private, and gone with their process, however it ends."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from pytest_clarifai_emulator.temp_homes import make_home, remove_abandoned, remove_home


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)


def test_a_home_is_empty_and_nobody_elses(tmp_path: Path) -> None:
    home = Path(make_home())
    assert home.parent == tmp_path
    assert list(home.iterdir()) == []
    assert home.stat().st_mode & 0o777 == 0o700
    remove_home(str(home))
    assert list(tmp_path.iterdir()) == []


def test_a_home_for_sockets_has_a_short_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("deep" * 30)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    home = make_home(for_sockets=True)
    remove_home(home)
    assert len(home) < 90
    assert Path(home).parent == Path("/tmp")


def test_folders_of_others_stay(tmp_path: Path) -> None:
    (tmp_path / "clarifai-home-notes").mkdir()
    (tmp_path / f"clarifai-home-{os.getpid()}-mine").mkdir()
    remove_abandoned(tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
