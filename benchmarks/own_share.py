"""Measures the emulator's own share of a request: all of it but the model, the runner and the client.

    client ──► arrived …… item written ──► runner, in a process of its own
    client ◄── answer written …… output read ◄──┘

Both stretches are timed in the emulator's process, from its sockets (``watched_loop``) and its events: nothing is
in the product for it. One client, in a process of its own, asks and pauses, so that requests do not overlap.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.clients import Target, clients
from benchmarks.figures import Figure, alone
from benchmarks.peers import HOME, MODELS
from benchmarks.watched_loop import Mark, Marks, WatchedLoop

# Replicas that are fed through sockets of the event loop.
_RUNNERS = ("lean",)


def measure(*, quick: bool = False) -> list[Figure]:
    """Return the figures; times are milliseconds."""
    return [figure for runner in _RUNNERS for figure in _measure(runner, seconds=1.0 if quick else 15.0)]


def _measure(runner: str, *, seconds: float) -> list[Figure]:
    marks: Marks = []
    own = _Sockets()
    with asyncio.Runner(loop_factory=lambda: WatchedLoop(marks, own.name_of)) as loop:
        loop.run(_serve(runner, seconds, marks, own))
    times = [each * 1000 for each in own_shares(marks)]
    if not times:
        raise RuntimeError(
            f"no request was seen on the sockets of the event loop: {sorted({m.what for m in marks})}"
        )
    return [
        alone(f"{runner} runner: own share p50", times, unit="ms", target=0.4),
        alone(f"{runner} runner: own share p99", times, unit="ms", target=2.0, quantile=0.99),
    ]


class _Sockets:
    """Tells the clients' connections from the replicas'."""

    def __init__(self) -> None:
        self.port = 0

    def name_of(self, sock: socket.socket) -> str:
        """Return ``client`` at the public port; ``replica`` at the replicas' port, or over an unnamed pair."""
        address = sock.getsockname()
        if sock.family == socket.AF_UNIX:
            return "" if address or sock.getpeername() else "replica"
        return "client" if address[1] == self.port else "replica"


async def _serve(runner: str, seconds: float, marks: Marks, own: _Sockets) -> None:
    from clarifai_emulator.config import EmulatorConfig
    from clarifai_emulator.deploy.deploy_request import DeployRequest
    from clarifai_emulator.emulator import Emulator

    config = EmulatorConfig(port=0, runner=runner, cache_dir=Path(HOME, "cache"))
    async with Emulator(config) as emulator:
        own.port = emulator.port
        deployed = await emulator.deployer.deploy(DeployRequest(path=MODELS / "hello"), lambda line: None)
        target = Target(emulator.port, deployed.model_url)
        # Clients are driven from a thread: the event loop must be free to serve them.
        await asyncio.to_thread(_ask, emulator, target, seconds, marks)


def _ask(emulator: Any, target: Target, seconds: float, marks: Marks) -> None:
    with clients([target], processes=1, threads=1) as client:
        client.run(0, seconds=seconds / 5)
        marks.clear()
        end = emulator.events.subscribe(lambda event: marks.append(Mark(time.perf_counter(), event.kind)))
        client.run(0, seconds=seconds)
        end()


def own_shares(marks: Sequence[Mark]) -> Iterator[float]:
    """Return the seconds that each request of one client spent inside, from the marks in the order of time."""
    at: dict[str, float] = {}
    for mark in marks:
        match mark.what:
            case "client read":
                if "answered" in at:
                    yield (at["sent"] - at["arrived"]) + (at["answered"] - at["output"])
                    at.clear()
                at["client read"] = mark.time
            case "route.decided":
                at["arrived"] = at.get("client read", mark.time)
            case "work.sent":
                at["item"] = mark.time
            case "replica write" if "item" in at:
                at.setdefault("sent", mark.time)
            case "replica read" if "sent" in at:
                at["replica read"] = mark.time
            case "work.done":
                at["output"] = at["replica read"]
            case "request.finished" if "output" in at:
                at["finished"] = mark.time
            case "client write" if "finished" in at:
                at["answered"] = mark.time
            case _:
                pass
