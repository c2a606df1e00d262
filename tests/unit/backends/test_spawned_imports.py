"""A process that cannot import model.py, because it was spawned, is explained in the replica's log."""

from __future__ import annotations

from clarifai_emulator.backends.spawned_imports import EXPLANATION, explaining

FAILED = "ModuleNotFoundError: No module named 'model'"


def heard(*lines: str) -> list[str]:
    found: list[str] = []
    hear = explaining(found.append)
    for line in lines:
        hear(line)
    return found


def test_the_explanation_follows_the_error_of_a_spawned_process_once() -> None:
    lines = ["Process SpawnProcess-1:", "Traceback (most recent call last):", FAILED]
    assert heard(*lines, *lines) == [*lines, EXPLANATION, *lines]
    assert EXPLANATION == (
        "[emulator] a process that multiprocessing starts by spawn or forkserver does not find model.py, here and "
        "on the platform: write `sys.path.insert(0, os.path.dirname(__file__))` in it, with `import os, sys`, or "
        "start the process by fork (`multiprocessing.get_context('fork')`)"
    )


def test_other_errors_are_not_explained() -> None:
    for lines in ([FAILED], ["Process SpawnProcess-1:", "ModuleNotFoundError: No module named 'models'"]):
        assert heard(*lines) == lines
