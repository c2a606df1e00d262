"""Lines that a model prints in the emulator's own process are told to its replica, and printed all the same."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from clarifai_emulator.backends import own_output


@contextmanager
def terminal() -> Iterator[io.StringIO]:
    """Put a screen in the place of stdout and stderr. Not a fixture: pytest takes stdout over before the test."""
    screen = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", screen)
        patch.setattr(sys, "stderr", screen)
        own_output.take_over()
        yield screen
        own_output.hear(None)


def test_lines_of_a_replicas_thread_are_told_and_printed() -> None:
    told: list[str] = []

    def replica() -> None:
        own_output.hear(told.append)
        print("one", "two")
        sys.stderr.write("to the ")
        sys.stderr.writelines(["other\n", "not ended"])
        own_output.hear(None)

    with terminal() as screen:
        thread = threading.Thread(target=replica)
        thread.start()
        print("the emulator's own")
        thread.join()
    assert told == ["one two", "to the other", "not ended"]
    assert "one two\n" in screen.getvalue()
    assert "the emulator's own\n" in screen.getvalue()


def test_it_is_taken_over_once() -> None:
    with terminal():
        first = sys.stdout
        own_output.take_over()
        assert sys.stdout is first
        assert own_output.is_heard()
        assert not sys.stdout.isatty()
