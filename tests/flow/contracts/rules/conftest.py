"""Starts one emulator with the models that the examples call."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clarifai_emulator.control.thread import EmulatorThread
from flow.contracts.rules.example_files import write_models
from flow.driver import PORT, running

FIXTURES = Path(__file__).parents[4] / "fixtures" / "models"


@pytest.fixture(scope="package")
def model_directories(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the directories of the models that examples of clients call, by id."""
    return write_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="package")
def emulator(model_directories: dict[str, Path]) -> Iterator[EmulatorThread]:
    """Yield an emulator in which these models are deployed."""
    with running(port=PORT, hold_seconds=20) as emulator:
        for directory in model_directories.values():
            # One example names a deployment.
            emulator.deploy(directory, deployment_id="blue" if directory.name == "assistant" else "")
        yield emulator
