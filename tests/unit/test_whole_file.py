"""A file is written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from clarifai_emulator.whole_file import write_whole


def test_a_file_is_replaced_and_nothing_else_stays(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    write_whole(file, "one")
    write_whole(file, "twö")
    assert file.read_text(encoding="utf-8") == "twö"
    assert list(tmp_path.iterdir()) == [file]


def test_a_private_one_is_its_users_alone(tmp_path: Path) -> None:
    write_whole(tmp_path / "a.txt", "one", is_private=True)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o600


def test_what_cannot_be_written_leaves_the_old_text(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    write_whole(file, "one")
    with pytest.raises(UnicodeEncodeError):
        write_whole(file, "\udc00")
    assert file.read_text() == "one"
    assert list(tmp_path.iterdir()) == [file]
