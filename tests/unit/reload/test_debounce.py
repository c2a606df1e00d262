"""A save is told once, when it is over."""

from __future__ import annotations

import pytest

from clarifai_emulator.reload.debounce import FileEvent, Settling


def test_a_file_that_was_written_and_closed_is_told_after_a_short_rest() -> None:
    settling = Settling()
    settling.note("1/model.py", FileEvent.BEGUN, 1.0)
    settling.note("1/model.py", FileEvent.DONE, 1.001)
    assert settling.due_in(1.001) == pytest.approx(settling.quiet)
    assert (settling.due_in(1.02) or 0) < 0
    assert settling.take() == ["1/model.py"]
    assert settling.due_in(1.02) is None


def test_a_file_that_is_still_open_is_waited_for_but_not_for_ever() -> None:
    settling = Settling()
    settling.note("1/model.py", FileEvent.BEGUN, 1.0)
    assert settling.due_in(1.0) == pytest.approx(settling.patience)
    assert (settling.due_in(1.0 + settling.patience) or 0) <= 0


def test_where_closing_is_not_told_a_rest_is_enough() -> None:
    settling = Settling(tells_closing=False)
    settling.note("1/model.py", FileEvent.BEGUN, 1.0)
    assert settling.due_in(1.0) == pytest.approx(settling.quiet)


def test_many_files_are_one_save_that_may_pause_longer() -> None:
    settling = Settling()
    for number in range(300):
        settling.note(f"file{number}.py", FileEvent.DONE, 1.0 + number * 0.05)
        assert (settling.due_in(1.0 + number * 0.05) or 0) > 0
    assert settling.due_in(15.95) == pytest.approx(settling.quiet_of_many)
    assert len(settling.take()) == 300


def test_a_rename_over_the_file_is_one_save_of_it() -> None:
    settling = Settling()
    settling.note("1/model.py", FileEvent.BEGUN, 1.0)
    settling.note("1/model.py", FileEvent.DONE, 1.001)
    settling.note("1/model.py", FileEvent.DONE, 1.002)
    assert settling.take() == ["1/model.py"]
