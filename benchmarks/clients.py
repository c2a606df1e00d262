"""Runs clients in processes of their own, so that what they cost is not taken from what they measure.

``Clients`` is the side that measures; ``python -m benchmarks.clients`` is one process of clients. It reads one JSON
object a line: which target, how many threads, for how many seconds; it answers how many calls were completed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from benchmarks.peers import environ, process, routed_client


@dataclass(frozen=True, slots=True)
class Target:
    """Names a model to call: at the emulator, or the SDK's own server, on ``port``."""

    port: int
    url: str


class Clients:
    """Runs a number of clients, spread over processes, that call ``predict`` of one target at a time."""

    def __init__(self, processes: Sequence[subprocess.Popen[str]], threads: int) -> None:
        self._processes = processes
        self._threads = threads

    def calls_per_second(self, target: int, seconds: float) -> float:
        """Let all clients call at once, each as fast as it can."""
        return sum(self.run(target, seconds=seconds)) / seconds

    def run(self, target: int, *, seconds: float) -> list[int]:
        """Return how many calls each process completed."""
        order = {"target": target, "threads": self._threads, "seconds": seconds}
        for each in self._processes:
            assert each.stdin is not None
            each.stdin.write(json.dumps(order) + "\n")
            each.stdin.flush()
        return [int(_line(each)) for each in self._processes]


@contextmanager
def clients(targets: Sequence[Target], *, processes: int, threads: int) -> Generator[Clients]:
    """Start ``processes`` × ``threads`` clients that have called each target once."""
    with ExitStack() as stack:
        started = [
            stack.enter_context(
                process(
                    [sys.executable, "-m", "benchmarks.clients", *(f"{each.port} {each.url}" for each in targets)],
                    environ(targets[0].port),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=None,
                    text=True,
                )
            )
            for _ in range(processes)
        ]
        for each in started:
            assert _line(each) == "ready"
        yield Clients(started, threads)


def _line(client: subprocess.Popen[str]) -> str:
    assert client.stdout is not None
    line = client.stdout.readline()
    if not line:
        raise RuntimeError("a client process has ended; what it said is above")
    return line.strip()


def _main(targets: Sequence[str]) -> None:
    predicts: list[Callable[[], Any]] = []
    for target in targets:
        port, _, url = target.partition(" ")
        client = routed_client(url, int(port))
        client.predict(prompt="x")
        predicts.append(lambda client=client: client.predict(prompt="x"))
    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        print(_run(predicts[order["target"]], order["threads"], order["seconds"]), flush=True)


def _run(predict: Callable[[], Any], threads: int, seconds: float) -> int:
    counts = [0] * threads
    deadline = time.monotonic() + seconds

    def client(number: int) -> None:
        while True:
            predict()
            if time.monotonic() > deadline:
                return
            counts[number] += 1

    running = [threading.Thread(target=client, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return sum(counts)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        _main(sys.argv[1:])
