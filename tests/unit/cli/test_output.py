"""Tests the failures that commands print."""

from __future__ import annotations

from clarifai_emulator.cli.output import failure_of
from clarifai_emulator.errors import CallerError, ModelError, UnforeseenError


def test_failures_of_each_kind() -> None:
    refused = failure_of(CallerError(21353, "No.", hint="Do it."))
    assert (refused.message, refused.hint) == ("21353 MODEL_NOT_DEPLOYED: No.", "Do it.")
    assert failure_of(ModelError("Broken.", log="trace")).log == "trace"
    assert "This is a bug of the emulator" in failure_of(UnforeseenError("x")).hint
