"""Files are polled: a change of content is told, once; a touch is not told."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from clarifai_emulator.reload.file_poller import FileLooks


class Told:
    """The changes that were told, and the files that are polled: every file of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.more: list[Path] = []
        self._came = threading.Semaphore(0)
        self.looks = FileLooks(lambda: [*folder.glob("*.txt"), *self.more], self._came.release, print, every=0.01)

    def was_told(self, *, within: float = 5.0) -> bool:
        return self._came.acquire(timeout=within)


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    (tmp_path / "a.txt").write_text("one")
    told = Told(tmp_path)
    told.looks.start()
    yield told
    told.looks.stop()


def test_another_content_is_told_once(told: Told) -> None:
    (told.folder / "a.txt").write_text("two")
    assert told.was_told()
    assert not told.was_told(within=0.3)


def test_a_file_that_is_new_and_one_that_is_gone_are_changes(told: Told) -> None:
    (told.folder / "b.txt").write_text("one")
    assert told.was_told()
    (told.folder / "b.txt").unlink()
    assert told.was_told()


def test_a_touch_and_the_same_content_again_are_none(told: Told) -> None:
    os.utime(told.folder / "a.txt")
    (told.folder / "a.txt").write_text("one")
    # It may be seen empty in between, which settles before it is told.
    time.sleep(0.1)
    while told.was_told(within=0.3):
        pass
    os.utime(told.folder / "a.txt", (1, 1))
    assert not told.was_told(within=0.3)


def test_other_files_from_now_on_are_no_change_but_those_that_were_known_count_on(told: Told) -> None:
    other = told.folder / "imported.py"
    other.write_text("one")
    told.more = [other]
    told.looks.accept()
    while told.was_told(within=0.3):  # a look may have come between the two
        pass
    other.write_text("two")
    assert told.was_told()
    (told.folder / "a.txt").write_text("two")
    assert told.was_told()
