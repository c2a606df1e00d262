"""A build is stopped by the thread that gives it up: before it began, while it goes on, never after."""

from __future__ import annotations

from clarifai_emulator.backends.docker.cancellation import Cancellation


def test_work_in_progress_is_stopped() -> None:
    cancellation, stopped = Cancellation(), list[str]()
    with cancellation.stops_with(lambda: stopped.append("build")):
        assert stopped == []
        cancellation.cancel()
    assert stopped == ["build"]


def test_work_that_begins_after_it_was_cancelled_is_stopped() -> None:
    cancellation, stopped = Cancellation(), list[str]()
    cancellation.cancel()
    with cancellation.stops_with(lambda: stopped.append("build")):
        pass
    assert stopped == ["build"]


def test_work_that_has_ended_is_left_alone() -> None:
    cancellation, stopped = Cancellation(), list[str]()
    with cancellation.stops_with(lambda: stopped.append("build")):
        pass
    cancellation.cancel()
    assert stopped == []
