"""Collects models that ask for more than this machine has; the end of the run tells them once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clarifai_emulator.control.thread import EmulatorThread
    from pytest_clarifai_emulator.shared.joined import JoinedEmulator

# A property of a test's report, so that it is the same with and without xdist.
OVERCOMMITTED = "clarifai_overcommitted"


def overcommitments(emulator: EmulatorThread | JoinedEmulator) -> list[str]:
    """List what the emulator says of the models that were deployed, each once."""
    events = emulator.events("deployment.overcommitted")
    return list(dict.fromkeys(str(event.fields["reason"]) for event in events))
