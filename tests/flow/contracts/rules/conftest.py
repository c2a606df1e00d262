"""Deploys the models that the examples call."""

from __future__ import annotations

from pathlib import Path

import pytest

from clarifai_emulator.control.thread import EmulatorThread
from flow.contracts.rules.example_files import write_models

FIXTURES = Path(__file__).parents[4] / "fixtures" / "models"


@pytest.fixture(scope="package")
def model_directories(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the directories of the models that examples of clients call, by id."""
    return write_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def emulator(_emulator: EmulatorThread, model_directories: dict[str, Path]) -> EmulatorThread:
    """Return the session's emulator, in which these models are deployed, and nothing else."""
    _emulator.reset()
    for directory in model_directories.values():
        # One example names a deployment.
        _emulator.deploy(directory, deployment_id="blue" if directory.name == "assistant" else "")
    return _emulator
