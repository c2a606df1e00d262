"""Reads which code gave an answer: the mark that a reloadable replica puts on its outputs, and that no client
sees."""

from __future__ import annotations

from typing import Any

from clarifai_emulator.inside.reload_main import MARK


def take_mark(response: Any) -> str:
    """Take the mark off an output, a ``MultiOutputResponse``: the content hash; empty when it has none."""
    if not response.HasField("runner_selector"):
        return ""
    said = response.runner_selector.runner.id
    if not said.startswith(MARK):
        return ""
    response.ClearField("runner_selector")
    return said.removeprefix(MARK)
