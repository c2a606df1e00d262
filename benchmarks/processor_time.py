"""Measures the processor time of a predict in each process it goes through, against that of the SDK's whole server.

User and system time, from ``/proc``, while one client in a process of its own asks. It hardly moves
with what else the machine does, other than the time on a clock.
"""

from __future__ import annotations

from benchmarks.clients import Clients, Target, clients
from benchmarks.figures import Figure, compared
from benchmarks.peers import (
    SERVICE_URL,
    deploy,
    emulator,
    free_port,
    processor_seconds,
    sdk_service,
)
from benchmarks.ways import WAYS, Way
from clarifai_emulator.machine.processes import descendants


def measure(*, quick: bool = False) -> list[Figure]:
    """Return the figures; times are milliseconds of processor time per call."""
    return [figure for way in WAYS for figure in _measure(way, quick=quick)]


def _measure(way: Way, *, quick: bool) -> list[Figure]:
    ours, theirs = free_port(), free_port()
    emulators: list[float] = []
    replicas: list[float] = []
    servers: list[float] = []
    with emulator(ours, *way.options) as up, sdk_service("hello", theirs) as server:
        targets = (
            Target(ours, deploy("hello", ours)["model_url"]),
            Target(theirs, SERVICE_URL),
        )
        with clients(targets, processes=1, threads=1) as client:
            for number in range(-1, 4 if quick else 10):
                seconds = 0.5 if quick or number < 0 else 1.0
                below = descendants(up.pid)
                emulated = _per_call(client, 0, [[up.pid], below], seconds)
                (served,) = _per_call(client, 1, [[server.pid]], seconds)
                if number >= 0:  # the first round warms up
                    emulators.append(emulated[0])
                    replicas.append(emulated[1])
                    servers.append(served)
    figures = [
        compared(f"{way.name}: emulator, processor time", emulators, servers, unit="ms", target=way.emulator_time)
    ]
    if any(replicas):
        figures.append(
            compared(f"{way.name}: replica, processor time", replicas, servers, unit="ms", target=way.replica_time)
        )
    return figures


def _per_call(client: Clients, target: int, processes: list[list[int]], seconds: float) -> list[float]:
    """Return the milliseconds of processor time that each group of processes took for one call."""
    before = [_spent(group) for group in processes]
    calls = sum(client.run(target, seconds=seconds)) or 1  # the one that its time was too short for
    return [(_spent(group) - earlier) / calls for group, earlier in zip(processes, before, strict=True)]


def _spent(processes: list[int]) -> float:
    """Return the milliseconds that these processes have been on a processor."""
    return sum(map(processor_seconds, processes)) * 1000
