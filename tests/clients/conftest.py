"""Starts one emulator with a plain model, one of OpenAI's kind and an MCP server, for every client to call."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clarifai_emulator.control.thread import EmulatorThread
from docker_engine import CACHE
from flow.driver import MODELS, running


@pytest.fixture(scope="session")
def emulator() -> Iterator[EmulatorThread]:
    """Run the emulator; the environment of its MCP server is kept, too."""
    with running(cors=("localhost",), cache_dir=CACHE / "models") as emulator:
        for model in ("hello", "openai", "mcp"):
            emulator.deploy(MODELS / model)
        yield emulator
