"""A secret that the emulator knows is hidden from browsers everywhere: in resources, in calls, in answers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Key, Secret

from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.control.page.known_secrets import known_secrets
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.machine.accelerators import Discovery
from clarifai_emulator.models.version_source import ModelSource, WantedSecret
from clarifai_emulator.store import Kind


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    emulator = Emulator(EmulatorConfig(pats={"a-token": "me"}), discovery=Discovery((), "a unit test has none"))
    yield emulator
    emulator._uploaded.close()
    emulator._artifacts.close()


def test_all_of_them_are_known(emulator: Emulator) -> None:
    store = emulator.store
    store.put(Kind.SECRET, ("me", "mine"), Secret(id="mine", value="a-value"))
    store.put(Kind.KEY, ("me", "a-key"), Key(id="a-key"))
    wanted = (WantedSecret(id="inline", variable="INLINE", value="in-the-config"),)
    source = ModelSource(Path("/m"), Path(sys.executable), "h", "here", secrets=wanted)
    store.put(Kind.SOURCE, ("me", "app", "model", "version"), source)
    assert {"a-token", emulator.pat, "a-value", "a-key", "in-the-config"} <= set(known_secrets(emulator))
