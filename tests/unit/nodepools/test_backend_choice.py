"""A nodepool says where its replicas run: the backend, and of containers the engine."""

from __future__ import annotations

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Nodepool

from clarifai_emulator.backend_table import DOCKER_HOST_KEY, abilities_of, row_and_place
from clarifai_emulator.errors import NoRoom
from clarifai_emulator.nodepools.backend_choice import backend_of


def nodepool(**metadata: str) -> Nodepool:
    made = Nodepool(id="box")
    made.metadata.update(metadata)
    return made


def test_without_a_word_it_is_the_emulators_own() -> None:
    assert backend_of(nodepool(), "process") == "process"


def test_an_engine_has_a_backend_of_its_own() -> None:
    named = nodepool(**{DOCKER_HOST_KEY: "ssh://me@gpu-box"})
    assert backend_of(named, "process") == "docker@ssh://me@gpu-box"
    named.metadata["emulator_backend"] = "docker"
    name = backend_of(named, "process")
    row, place = row_and_place(name)
    assert (row.name, place) == ("docker", "ssh://me@gpu-box")
    assert abilities_of(name).isolation == "container"


def test_an_engine_of_processes_is_refused() -> None:
    with pytest.raises(NoRoom, match="which has none"):
        backend_of(nodepool(emulator_backend="process", **{DOCKER_HOST_KEY: "ssh://me@gpu-box"}), "process")
