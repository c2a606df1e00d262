"""Measures the emulator's own share of a request: all of it but the model, the runner and the client.

    client ──► arrived …… item written ──► runner, in a process of its own
    client ◄── answer written …… output read ◄──┘

Both stretches are timed in the emulator's process, from its sockets (``watched_loop``, and the replicas' own) and
its events: nothing is in the product for it. One client, in a process of its own, asks and pauses, so that requests
do not overlap.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.clients import Target, clients
from benchmarks.figures import Figure, alone
from benchmarks.peers import HOME, MODELS
from benchmarks.watched_loop import Mark, Marks, WatchedLoop

# Replicas that are fed through sockets.
_RUNNERS = ("lean",)


def measure(*, quick: bool = False) -> list[Figure]:
    """Return the figures; times are milliseconds."""
    return [figure for runner in _RUNNERS for figure in _measure(runner, seconds=1.0 if quick else 15.0)]


def _measure(runner: str, *, seconds: float) -> list[Figure]:
    marks: Marks = []
    own = _Sockets()
    with _watched_channels(marks), asyncio.Runner(loop_factory=lambda: WatchedLoop(marks, own.name_of)) as loop:
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


def _watched_channels(marks: Marks) -> AbstractContextManager[Any]:
    """Note when the sockets of replicas are read and written, which the event loop only tells of."""
    from clarifai_emulator.dispatch.lean_sockets import SocketChannel

    channel: Any = SocketChannel
    read, send = channel._read, channel._send

    def marked_read(self: Any) -> bool:
        marks.append(Mark(time.perf_counter(), "replica read"))
        return read(self)

    def marked_send(self: Any, *what: Any) -> None:
        send(self, *what)
        marks.append(Mark(time.perf_counter(), "replica write"))

    return mock.patch.multiple(channel, _read=marked_read, _send=marked_send)


class _Sockets:
    """Knows the clients' connections."""

    def __init__(self) -> None:
        self.port = 0

    def name_of(self, sock: socket.socket) -> str:
        """Return ``client`` at the public port."""
        is_client = sock.family != socket.AF_UNIX and sock.getsockname()[1] == self.port
        return "client" if is_client else ""


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
