"""Pytest fixtures for tests against the emulator. Imports nothing of it before a test asks for it."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from clarifai_emulator.thread import EmulatorThread, ThreadFaults

PAT = "local-emulator-token"


@pytest.fixture(scope="session")
def clarifai_emulator() -> Iterator[EmulatorThread]:
    """A running emulator for the session: ``.url``, ``.deploy(DIR)``, ``.reset()``, ``.events()``, ``.route(…)``,
    ``.faults``.

    ``CLARIFAI_API_BASE``, ``CLARIFAI_PAT`` and ``CLARIFAI_USER_ID`` point at it, and HOME is an empty folder, so
    that the user's own Clarifai settings are neither read nor written; all are restored at the end.
    """
    _require_unimported_sdk()
    from clarifai_emulator.config import EmulatorConfig
    from clarifai_emulator.thread import EmulatorThread

    with (
        tempfile.TemporaryDirectory(prefix="clarifai-home-") as home,
        pytest.MonkeyPatch.context() as patch,
        EmulatorThread(EmulatorConfig(port=0, stop_seconds=0.5)) as emulator,
    ):
        patch.setenv("HOME", home)
        patch.setenv("CLARIFAI_API_BASE", emulator.url)
        patch.setenv("CLARIFAI_PAT", PAT)
        patch.setenv("CLARIFAI_USER_ID", emulator.config.user_id)
        yield emulator


@pytest.fixture
def clarifai_faults(clarifai_emulator: EmulatorThread) -> Iterator[ThreadFaults]:
    """``clarifai_emulator.faults`` for one test: those it adds are removed at its end."""
    faults = clarifai_emulator.faults
    before = {each.id for each in faults}
    yield faults
    faults.remove(*(each.id for each in faults if each.id not in before))


def _require_unimported_sdk() -> None:
    """The SDK keeps the base URL it finds when it is imported: imported too early, it calls the real platform."""
    if "clarifai.utils.constants" in sys.modules:
        pytest.fail(
            "The clarifai SDK was imported before the fixture `clarifai_emulator` was set up, so it keeps the "
            "base URL of the real platform. Import it inside the test, or in a fixture that uses "
            "`clarifai_emulator`.",
            pytrace=False,
        )
