"""From nothing to a model's first answer, against the SDK's own server: with an emulator that is up and without."""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.figures import Figure, compared
from benchmarks.peers import deploy, direct_client, emulator, free_port, routed_client, sdk_server

# Nobody calls it; its deployment is why the interpreter of the others is warm.
_OTHER_MODEL = "batch"


def measure(*, quick: bool = False) -> list[Figure]:
    """The figures; times are seconds. A new port each time, so that no client has a connection from before."""
    repeats = 2 if quick else 20
    warm, cold = (
        _alternate([_warm_emulator, _sdk_server], repeats),
        _alternate([_new_emulator, _sdk_server], repeats),
    )
    return [
        compared("deploy → first answer, emulator up and warm", *warm, unit="s", target=0.6),
        compared("`up`, deploy → first answer, from nothing", *cold, unit="s", target=1.2),
    ]


def _alternate(ways: list[Callable[[], float]], repeats: int) -> list[list[float]]:
    """Seconds of each, one after the other; the first of each is thrown away."""
    rounds = [[way() for way in ways] for _ in range(repeats + 1)]
    return [[each[number] for each in rounds[1:]] for number in range(len(ways))]


def _warm_emulator() -> float:
    """The command ``deploy`` and the first answer, where another model of the same environment is deployed."""
    port = free_port()
    with emulator(port):
        deploy(_OTHER_MODEL, port)
        return _deployed_and_answered(port, time.perf_counter())


def _new_emulator() -> float:
    """The commands ``up`` and ``deploy``, one after the other, and the first answer."""
    port, began = free_port(), time.perf_counter()
    with emulator(port):
        return _deployed_and_answered(port, began)


def _deployed_and_answered(port: int, began: float) -> float:
    client = routed_client(deploy("hello", port)["model_url"], port)
    assert client.predict(prompt="x") == "Hello, x!"
    return time.perf_counter() - began


def _sdk_server() -> float:
    """The SDK's server: it listens once its model is loaded."""
    port, began = free_port(), time.perf_counter()
    with sdk_server("hello", port):
        assert direct_client(port).predict(prompt="x") == "Hello, x!"
        return time.perf_counter() - began
