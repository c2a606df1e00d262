"""Measures what a loopback of its own adds to a replica: to its start, and to each connection of its model."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

from benchmarks.figures import Figure, compared, interleave
from benchmarks.peers import MODELS, free_port, routed_client

_CONNECTIONS = 200
MODEL = """
import socket, threading, time
from clarifai.runners.models.model_class import ModelClass


class Connecting(ModelClass):
    def load_model(self):
        self.server = socket.create_server(("127.0.0.1", PORT))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            self.server.accept()[0].close()

    @ModelClass.method
    def predict(self, count: int) -> float:
        began = time.perf_counter()
        for _ in range(count):
            socket.create_connection(("127.0.0.1", PORT)).close()
        return (time.perf_counter() - began) / count * 1000
"""


def measure(*, quick: bool = False) -> list[Figure]:
    """Return the figures. Both ways are there all the time, and take turns."""
    rounds = 2 if quick else 30
    with ExitStack() as stack:
        own, shared = ModelServers(stack, "own"), ModelServers(stack, "shared")
        connections = interleave(own.connect, shared.connect, rounds=rounds, calls=1, warmup=2, measure=_said)
        starts = interleave(own.start, shared.start, rounds=rounds, calls=1, warmup=2)
    return [
        compared("deploy, warm: own loopbacks, beside shared ports", *starts, unit="ms", target=1.15),
        compared("a model's connection: own loopbacks, beside shared ports", *connections, unit="ms", target=None),
    ]


def _said(call: object) -> float:
    """Return what a call itself has measured."""
    assert callable(call)
    return float(call())  # pyright: ignore[reportArgumentType]


class ModelServers:
    """An emulator whose replicas have ports of this kind, and a model that connects to a server of its own."""

    def __init__(self, stack: ExitStack, network: Literal["own", "shared"]) -> None:
        from clarifai_emulator.config import EmulatorConfig
        from clarifai_emulator.control.thread import EmulatorThread

        config = EmulatorConfig(port=0, backend="process", replica_network=network)
        self._emulator = stack.enter_context(EmulatorThread(config))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="clarifai-bench-")))
        directory = Path(shutil.copytree(MODELS / "hello", folder / "hello"))
        (directory / "1" / "model.py").write_text(MODEL.replace("PORT", str(free_port())))
        port = int(self._emulator.url.rpartition(":")[2])
        self._client = routed_client(self._emulator.deploy(directory).model_url, port)

    def connect(self) -> float:
        """Return the milliseconds that a connection of the model took."""
        return self._client.predict(count=_CONNECTIONS)

    def start(self) -> None:
        """Deploy a model in the place of what was there."""
        self._emulator.reset()
        self._emulator.deploy(MODELS / "hello")
