"""Measures what the page costs an emulator: a reader of its events, the calls that are kept for it, its start.

No browser takes part: ``python -m benchmarks.page_readers calls`` is a process of clients that ask at a given rate,
``… events`` one that reads the events as a browser's connection does, and throws them away.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from itertools import pairwise
from typing import Any

from benchmarks.clients import Target, clients
from benchmarks.figures import Figure, alone, compared, interleave
from benchmarks.peers import deploy, emulator, environ, free_port, process, processor_seconds, routed_client
from benchmarks.start import first_rpc, memory

_SHARE_OF_FULL_LOAD = 1 / 3
_THREADS = 8
_MIB = 1024 * 1024
# At most so much slower, larger or busier than without.
_WITH_A_READER, _KEPT, _START, _LONG_RUN = 1.05, 1.02, 1.02, 1.05


def measure(*, quick: bool = False) -> list[Figure]:
    """Return the figures; times are milliseconds."""
    return [*_with_a_reader(quick=quick), *_with_calls_kept(quick=quick), *_start(quick=quick)]


def _with_a_reader(*, quick: bool) -> list[Figure]:
    """Ask at a third of full load, with somebody who reads the events and without."""
    port = free_port()
    with emulator(port, "--runner", "lean") as up:
        target = Target(port, deploy("hello", port)["model_url"])
        with clients([target], processes=4, threads=4) as crowd:
            crowd.calls_per_second(0, 1.0)
            rate = crowd.calls_per_second(0, 1.0 if quick else 5.0) * _SHARE_OF_FULL_LOAD
        with _worker("calls", str(port), target.url) as caller, _worker("events", *_entrance(port)) as reader:
            times: dict[str, list[float]] = {"open": [], "close": []}
            spent: dict[str, list[float]] = {"open": [], "close": []}
            for number in range(-1, 4 if quick else 40):
                for what in ("open", "close") if number % 2 else ("close", "open"):
                    _told(reader, what)
                    before = processor_seconds(up.pid)
                    calls = _told(caller, {"rate": rate, "seconds": 0.5 if quick else 2.0})
                    if number >= 0:  # the first round warms up
                        times[what] += calls
                        spent[what].append((processor_seconds(up.pid) - before) * 1000 / len(calls))
            grown = _memory_of_a_long_run(up.pid, caller, reader, quick=quick)
    name = f"predict at {_SHARE_OF_FULL_LOAD:.0%} of full load, one reader of events"
    return [
        compared(f"{name}: p50", times["open"], times["close"], unit="ms", target=_WITH_A_READER),
        compared(f"{name}: processor time", spent["open"], spent["close"], unit="ms", target=None),
        grown,
    ]


def _memory_of_a_long_run(pid: int, caller: Any, reader: Any, *, quick: bool) -> Figure:
    """Ask as fast as it goes while the events are read, and compare the memory after more calls than are kept with
    that after ten times as many."""
    _told(reader, "open")
    begin, end = (3_000, 6_000) if quick else (5_000, 50_000)
    sizes: list[float] = []
    for fewer, more in pairwise((0, begin, end)):
        left = more - fewer
        while left > 0:
            left -= len(_told(caller, {"rate": 5_000.0, "seconds": 1.0}))
        sizes.append(memory(pid)[0])
    name = f"emulator's memory after {end} requests with a reader, against {begin}"
    return compared(name, sizes[1:], sizes[:1], unit="MiB", target=_LONG_RUN)


def _with_calls_kept(*, quick: bool) -> list[Figure]:
    """Ask two emulators, of which one keeps what it was asked and answered, as it does with its page."""
    kept, bare = free_port(), free_port()
    with emulator(kept, "--runner", "lean") as ours, emulator(bare, "--runner", "lean", "--no-page") as theirs:
        pids = (ours.pid, theirs.pid)
        hello = [routed_client(deploy("hello", port)["model_url"], port) for port in (kept, bare)]
        types = [routed_client(deploy("types", port)["model_url"], port) for port in (kept, bare)]
        words, chunks = "x", " ".join(["word"] * 99)
        figures: list[Figure] = []
        for name, ask, calls, rounds, target in (
            ("small", lambda which: hello[which].predict(prompt=words), 50, 60, _KEPT),
            ("1 MiB", lambda which: types[which].echo_bytes(value=b"x" * _MIB), 5, 30, None),
            ("100 chunks", lambda which: list(hello[which].generate(prompt=chunks)), 5, 40, None),
            ("10 MiB", lambda which: types[which].echo_bytes(value=b"x" * 10 * _MIB), 2, 15, None),
        ):
            figures += _kept_or_not(name, ask, pids, calls=calls, rounds=4 if quick else rounds, target=target)
        size = memory(ours.pid)[0] - memory(theirs.pid)[0]
    return [*figures, alone("calls kept: memory for them", [size], unit="MiB", target=48)]


def _kept_or_not(
    name: str,
    ask: Callable[[int], object],
    pids: tuple[int, int],
    *,
    calls: int,
    rounds: int,
    target: float | None,
) -> list[Figure]:
    """Return the figures of one kind of call, by the clock and in processor time of the emulator."""
    spent: tuple[list[float], list[float]] = ([], [])

    def some(which: int) -> list[float]:
        before, times = processor_seconds(pids[which]), list[float]()
        for _ in range(calls):
            began = time.perf_counter()
            ask(which)
            times.append((time.perf_counter() - began) * 1000)
        spent[which].append((processor_seconds(pids[which]) - before) * 1000 / calls)
        return times

    taken: tuple[list[float], list[float]] = ([], [])
    for number in range(-2, rounds):
        for which in (0, 1) if number % 2 else (1, 0):
            times = some(which)
            if number >= 0:
                taken[which].extend(times)
            else:
                spent[which].clear()  # the first rounds warm up
    return [
        compared(f"calls kept, {name}: p50", *taken, unit="ms", target=target),
        compared(f"calls kept, {name}: processor time", *spent, unit="ms", target=target),
    ]


def _start(*, quick: bool) -> list[Figure]:
    """Start emulators with their page and without, in turns."""
    first_rpc()  # compiles what is not compiled yet
    with_page, without = interleave(
        lambda: first_rpc(),
        lambda: first_rpc("--no-page"),
        rounds=3 if quick else 30,
        calls=1,
        warmup=1,
        measure=lambda start: start(),
    )
    named = (
        ("`up` → first answered RPC", "seconds", "s"),
        ("the same, processor time", "processor", "s"),
        ("idle memory", "rss", "MiB"),
    )
    return [
        compared(
            f"with the page: {name}",
            [getattr(each, field) for each in with_page],
            [getattr(each, field) for each in without],
            unit=unit,
            target=_START,
        )
        for name, field, unit in named
    ]


def _entrance(port: int) -> tuple[str, str]:
    """Return the port, and the cookie that its page gives."""
    command = [sys.executable, "-m", "clarifai_emulator", "page", "--no-open", "--port", str(port)]
    printed = subprocess.run(command, env=environ(port), capture_output=True, text=True, check=True).stdout
    address = next(word for word in printed.split() if "token=" in word)
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", f"/?{address.partition('?')[2]}", headers={"accept": "text/html"})
    cookie = str(connection.getresponse().headers["set-cookie"]).partition(";")[0]
    connection.close()
    return str(port), cookie


@contextmanager
def _worker(*words: str) -> Generator[subprocess.Popen[str]]:
    """Run a process of this module, which does what it is told, an order a line."""
    command = [sys.executable, "-m", "benchmarks.page_readers", *words]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": None, "text": True}
    with process(command, environ(0), **pipes) as started:
        yield started


def _told(worker: subprocess.Popen[str], order: Any) -> Any:
    """Give a process an order; return its answer."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write(json.dumps(order) + "\n")
    worker.stdin.flush()
    answer = worker.stdout.readline()
    if not answer:
        raise RuntimeError("a process of the benchmark has ended; what it said is above")
    return json.loads(answer)


def _answer_orders(do: Callable[[Any], Any]) -> None:
    for line in sys.stdin:
        print(json.dumps(do(json.loads(line))), flush=True)


def _calls(port: str, url: str) -> None:
    client = routed_client(url, int(port))

    def run(order: Any) -> list[float]:
        times: list[list[float]] = [[] for _ in range(_THREADS)]
        began = time.perf_counter()

        def ask(number: int) -> None:
            every = _THREADS / order["rate"]
            due = began + number * every / _THREADS
            while due < began + order["seconds"]:
                time.sleep(max(0.0, due - time.perf_counter()))
                before = time.perf_counter()
                client.predict(prompt="x")
                now = time.perf_counter()
                times[number].append((now - before) * 1000)
                due = max(due + every, now)  # what was late is not made up for

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(_THREADS)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        return [each for some in times for each in some]

    client.predict(prompt="x")
    _answer_orders(run)


class _EventReader:
    """Reads the events of a page's connection while it is open."""

    def __init__(self, port: int, cookie: str) -> None:
        self._port = port
        self._cookie = cookie
        self._connection: http.client.HTTPConnection | None = None
        self._thread: threading.Thread | None = None

    def do(self, order: str) -> int:
        """Open the connection, or close it."""
        if self._connection is not None and self._thread is not None:
            assert self._connection.sock is not None
            self._connection.sock.shutdown(2)
            self._thread.join()
            self._connection.close()
            self._connection = None
        if order == "open":
            self._connection = http.client.HTTPConnection("127.0.0.1", self._port)
            self._connection.request("GET", "/_page/events", headers={"cookie": self._cookie})
            self._thread = threading.Thread(target=self._read, args=(self._connection.sock,))
            self._thread.start()
        time.sleep(0.3)  # what was kept has come
        return 0

    def _read(self, sock: Any) -> None:
        with suppress(OSError):
            while sock.recv(256 * 1024):
                pass


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        what, first, second = sys.argv[1:]
        if what == "calls":
            _calls(first, second)
        else:
            _answer_orders(_EventReader(int(first), second).do)
