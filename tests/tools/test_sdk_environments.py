"""Environments of tests are made once, and go when nobody uses them or another stands in their place."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

import sdk_environments
from sdk_environments import kept_folder

HOUR, DAY = 3600, 24 * 3600


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sdk_environments, "FOLDER", tmp_path)
    return tmp_path


class Maker:
    """Makes folders, and counts them."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def __call__(self, folder: Path) -> None:
        assert not folder.exists()
        folder.mkdir()
        self.made.append(folder.name)


def used(folder: Path, ago: float) -> None:
    """Let a folder have been used last so many seconds ago."""
    at = time.time() - ago
    complete = folder / ".complete"
    os.utime(complete if complete.exists() else folder, (at, at))


def names(cache: Path) -> set[str]:
    return {each.name for each in cache.iterdir() if each.is_dir()}


def test_a_folder_is_made_once(cache: Path) -> None:
    maker = Maker()
    first = kept_folder("one", "a", maker)
    assert kept_folder("one", "a", maker) == first
    assert maker.made == ["one=a"]


def test_a_folder_that_was_broken_off_is_made_anew(cache: Path) -> None:
    (cache / "one=a" / "half").mkdir(parents=True)
    folder = kept_folder("one", "a", Maker())
    assert [each.name for each in folder.iterdir()] == [".complete"]


@pytest.mark.parametrize(("ago", "stays"), [(13 * DAY, True), (15 * DAY, False)])
def test_what_was_not_used_for_two_weeks_goes_with_its_lock(cache: Path, ago: float, stays: bool) -> None:
    used(kept_folder("one", "a", Maker()), ago)
    kept_folder("another", "b", Maker())
    assert ("one=a" in names(cache), (cache / "one=a.lock").exists()) == (stays, stays)


def test_a_use_counts_as_one(cache: Path) -> None:
    used(kept_folder("one", "a", Maker()), 13 * DAY)
    kept_folder("one", "a", Maker())
    used(kept_folder("another", "b", Maker()), 15 * DAY)
    kept_folder("third", "c", Maker())
    assert names(cache) == {"one=a", "third=c"}


@pytest.mark.parametrize(("ago", "stays"), [(HOUR, True), (DAY, False)])
def test_what_was_made_of_other_requirements_goes_once_no_run_uses_it(cache: Path, ago: float, stays: bool) -> None:
    used(kept_folder("one", "a", Maker()), ago)
    kept_folder("one", "b", Maker())
    assert names(cache) == ({"one=a", "one=b"} if stays else {"one=b"})


def test_what_an_older_checkout_left_goes_too(cache: Path) -> None:
    (cache / "064219632f94f9b9f4aff235").mkdir()
    used(cache / "064219632f94f9b9f4aff235", 15 * DAY)
    kept_folder("one", "a", Maker())
    assert names(cache) == {"one=a"}
