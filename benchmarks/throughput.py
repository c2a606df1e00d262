"""Measures requests per second of 16 clients that ask as fast as they can, against the SDK's own server."""

from __future__ import annotations

from benchmarks.clients import Target, clients
from benchmarks.figures import Figure, compared, interleave
from benchmarks.machine import measure as measured_machine
from benchmarks.peers import SERVICE_URL, deploy, emulator, free_port, sdk_service
from benchmarks.ways import WAYS, Way

# One process of clients would be as slow as its interpreter lock.
_PROCESSES, _THREADS = 4, 4


def measure(*, quick: bool = False) -> list[Figure]:
    """Return the figures; more is better."""
    return [_measure(way, quick=quick) for way in WAYS]


def _measure(way: Way, *, quick: bool) -> Figure:
    ours, theirs = free_port(), free_port()
    machine = measured_machine()
    with emulator(ours, *way.options), sdk_service("hello", theirs):
        targets = (Target(ours, deploy("hello", ours)["model_url"]), Target(theirs, SERVICE_URL))
        with clients(targets, processes=_PROCESSES, threads=_THREADS) as load:
            seconds = 0.3 if quick else 1.0
            rates = interleave(
                lambda: load.calls_per_second(0, seconds),
                lambda: load.calls_per_second(1, seconds),
                rounds=3 if quick else 20,
                calls=1,
                warmup=1 if quick else 3,
                measure=lambda rate: rate(),
            )
    return compared(
        f"{way.name}: throughput of {_PROCESSES * _THREADS} clients",
        *rates,
        unit="requests/s",
        target=way.throughput,
        at_least=True,
        # Each call costs this much more of all cores together.
        floor=lambda theirs: 1000 / (1000 / theirs + machine.way(way.processes, way.threads) / machine.cores),
    )
