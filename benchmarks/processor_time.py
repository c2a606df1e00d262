"""Measures what a predict costs in processor time: the emulator, its replica and the client, beside the SDK's server.

Time on the clock depends on how many processors are free; the processor time of a call does not, and it is what a
loaded machine runs out of. The kernel counts it for each process, all its threads together.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from benchmarks.clients import Target, clients
from benchmarks.figures import Figure, compared
from benchmarks.peers import deploy, emulator, free_port, sdk_server

# The most that the emulator and the replica may take, as shares of what the SDK's whole server takes.
_EMULATOR = 0.6
_REPLICA = 0.6


def measure(*, quick: bool = False) -> list[Figure]:
    """Return the figures, in milliseconds of a predict; each is compared with the SDK's whole server."""
    port, direct = free_port(), free_port()
    rounds, seconds = (4, 0.5) if quick else (20, 1.0)
    with emulator(port, "--runner", "lean") as ours, sdk_server("hello", direct) as theirs:
        url = deploy("hello", port)["model_url"]
        with clients([Target(port, url)], processes=1, threads=1) as routed:
            with clients([Target(direct)], processes=1, threads=1) as straight:
                spent: dict[str, list[float]] = {}
                for number in range(rounds + 1):
                    sides = [("ours", routed, ours), ("theirs", straight, theirs)]
                    for side, client, server in sides if number % 2 else reversed(sides):
                        watched = {
                            f"{side} server": [server.pid],
                            f"{side} replica": list(_descendants(server.pid)),
                            f"{side} client": [each.pid for each in client.processes],
                        }
                        before = {name: _milliseconds(pids) for name, pids in watched.items()}
                        calls = sum(client.run(0, seconds=seconds))
                        if number:  # the first round warms up
                            for name, pids in watched.items():
                                spent.setdefault(name, []).append((_milliseconds(pids) - before[name]) / calls)
    server = spent["theirs server"]
    return [
        compared("processor time of a predict: emulator", spent["ours server"], server, unit="ms", target=_EMULATOR),
        compared("processor time of a predict: replica", spent["ours replica"], server, unit="ms", target=_REPLICA),
        compared(
            "processor time of a predict: client", spent["ours client"], spent["theirs client"], unit="ms", target=None
        ),
    ]


def _milliseconds(pids: list[int]) -> float:
    """Return the time that these processes have been on a processor, in user mode and in the kernel."""
    return sum(_ticks(pid) for pid in pids) * 1000 / os.sysconf("SC_CLK_TCK")


def _ticks(pid: int) -> int:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return int(user) + int(system)


def _descendants(pid: int) -> Iterator[int]:
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    for child in map(int, found.stdout.split()):
        yield child
        yield from _descendants(child)
