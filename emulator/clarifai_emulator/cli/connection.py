"""Opens the controls of the emulator that a command is for: the one that ``--port`` or ``--url`` names."""

from __future__ import annotations

from clarifai_emulator.cli.interruption import held_back
from clarifai_emulator.cli.output import given_url
from clarifai_emulator.control.client import Client
from clarifai_emulator.control.running import Running, find_running


def connect(port: int | None) -> Client:
    """Open the controls of the emulator that ``--port`` or ``--url`` names. Raises ``EmulatorError``."""
    return client_of(find_emulator(port))


def find_emulator(port: int | None) -> Running:
    """Return the emulator that ``--port`` or ``--url`` names. Raises ``ControlError``."""
    return find_running(port, given_url(), open_client=client_of)


def client_of(running: Running) -> Client:
    """Open the controls of an emulator."""
    with held_back():  # an import that was cut short and is repeated crashes the process
        import grpc  # noqa: F401  # pyright: ignore[reportUnusedImport]
    return Client(running)
