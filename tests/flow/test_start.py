"""`up` answers without what only a deployment needs: that is imported later."""

from __future__ import annotations

import subprocess
import sys

import pytest

from flow.driver import Client

# Starts an emulator as `up` does, says where it is, and lists what is imported once it is told to go on.
_STARTED = """
import asyncio, sys
import clarifai_emulator.cli.main, clarifai_emulator.cli.up, clarifai_emulator.cli.foreground
from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.control.page.page_mount import page_mount
from clarifai_emulator.control.service import Control
from clarifai_emulator.emulator import Emulator

async def main():
    emulator = Emulator(EmulatorConfig(port=0))
    control = Control(emulator)
    emulator.mount(control.mount(), page_mount(emulator, control.token))
    async with emulator:
        print(emulator.url, flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        print(" ".join(sys.modules))

asyncio.run(main())
"""
# Each costs milliseconds that nobody gets anything for before the first deployment.
LATER = (
    *(
        "clarifai",
        "grpc",
        "packaging",
        "yaml",
        "rich",
        "docker",
        "watchdog",
        "griffe",
        "urllib3",
        "pathspec",
        "h11",
    ),
    *("h11", "importlib.metadata", "email", "tarfile", "zipfile", "pdb", "sqlite3", "http.client"),
    *("clarifai_emulator.deploy_half", "clarifai_emulator.reload", "clarifai_emulator.topology"),
    *("clarifai_emulator.contracts", "clarifai_emulator.cassettes", "clarifai_emulator.control.verbs"),
    *("clarifai_emulator.control.page.page_site", "clarifai_emulator.control.snapshot", "webbrowser"),
    *("clarifai_emulator.models.directory", "clarifai_emulator.api.handlers.inference"),
)


@pytest.fixture(scope="module")
def imported() -> set[str]:
    """Return the modules that are imported when the first request has been answered."""
    command = [sys.executable, "-c", _STARTED]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        client = Client(process.stdout.readline().strip())
        assert client.call("GetUser").user.id == "me"
        told, _ = process.communicate("\n")
    return set(told.split())


@pytest.mark.parametrize("module", LATER)
def test_the_first_request_is_answered_without(imported: set[str], module: str) -> None:
    assert module not in imported


def test_what_is_not_needed_yet_is_still_there_to_import() -> None:
    """A module of another name would be missed by nobody above."""
    ours = [each for each in LATER if each.startswith("clarifai_emulator.")]
    subprocess.run([sys.executable, "-c", f"import {', '.join(ours)}"], check=True)
