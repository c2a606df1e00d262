"""Chooses the backend that runs the replicas of a nodepool: what the nodepool says, else the emulator's default."""

from __future__ import annotations

from clarifai_grpc.grpc.api.resources_pb2 import Nodepool

from clarifai_emulator.backend_table import BACKEND_KEY, BACKENDS
from clarifai_emulator.errors import NoRoom


def backend_of(nodepool: Nodepool, default: str) -> str:
    """Return the name of the nodepool's backend. Raises ``NoRoom`` for one that does not exist."""
    if BACKEND_KEY not in nodepool.metadata:
        return default
    name = str(nodepool.metadata[BACKEND_KEY])
    if name not in BACKENDS:
        raise NoRoom(
            f"nodepool '{nodepool.id}' asks for the backend '{name}' (metadata.{BACKEND_KEY}); "
            f"there are {', '.join(BACKENDS)}",
            for_good=True,
        )
    return name
