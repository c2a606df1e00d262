"""Which backend runs the replicas of a nodepool: what the nodepool says, else what the emulator was told."""

from __future__ import annotations

from clarifai_grpc.grpc.api.resources_pb2 import Nodepool

from clarifai_emulator.config import BACKENDS
from clarifai_emulator.nodepools.capacity import NoRoom

# Metadata travels with a nodepool through the API; on the platform it means nothing.
BACKEND_KEY = "emulator_backend"


def backend_of(nodepool: Nodepool, default: str) -> str:
    """The name of the nodepool's backend. Raises ``NoRoom`` for one that does not exist."""
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
