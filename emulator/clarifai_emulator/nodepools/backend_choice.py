"""Chooses the backend that runs the replicas of a nodepool: what the nodepool says, else the emulator's default."""

from __future__ import annotations

from clarifai_grpc.grpc.api.resources_pb2 import Nodepool

from clarifai_emulator.backend_table import BACKEND_KEY, BACKENDS, DOCKER_HOST_KEY, backend_at
from clarifai_emulator.errors import NoRoom

_DOCKER = "docker"


def backend_of(nodepool: Nodepool, default: str) -> str:
    """Return the name of the nodepool's backend. Raises ``NoRoom`` for one that does not exist."""
    metadata = nodepool.metadata
    place = str(metadata[DOCKER_HOST_KEY]) if DOCKER_HOST_KEY in metadata else ""
    if BACKEND_KEY not in metadata:
        return backend_at(_DOCKER, place) if place else default
    name = str(metadata[BACKEND_KEY])
    if place and name != _DOCKER:
        raise NoRoom(
            f"nodepool '{nodepool.id}' names a container engine ({place}, metadata.{DOCKER_HOST_KEY}) and the "
            f"backend '{name}', which has none",
            for_good=True,
        )
    if name not in BACKENDS:
        raise NoRoom(
            f"nodepool '{nodepool.id}' asks for the backend '{name}' (metadata.{BACKEND_KEY}); "
            f"there are {', '.join(BACKENDS)}",
            for_good=True,
        )
    return backend_at(name, place)
