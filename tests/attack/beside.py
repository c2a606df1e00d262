"""Lets a good client call while somebody attacks the same port, here and at a server of grpcio."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.floods import FLOODS

from attack.good_client import Calls, GoodClient
from attack.measured import Measure
from attack.senders import SENDERS
from attack.victims import Sampled, Victim

ROOT = Path(__file__).parents[2]
# So long it may take until all was sent that a sender holds.
_SENT_SECONDS = 30.0
# Medians of so much of those without the attack: nobody notices, and the stated bound.
UNNOTICED, SLOWER = 1.5, 3.0
# The slowest call, as so many usual ones.
_UNNOTICED_STALL, _STALL = 200.0, 1_000.0


class Attacking:
    """A process that attacks a port."""

    def __init__(self, name: str, port: int) -> None:
        assert name in SENDERS or name.removeprefix("flood ") in FLOODS, name
        path = os.pathsep.join((str(ROOT / "tests"), str(ROOT)))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "attack.senders", name, str(port)],
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._process.stdout is not None
        self._out = self._process.stdout
        self._ready = selectors.DefaultSelector()
        self._ready.register(self._out, selectors.EVENT_READ)
        self.has_sent = False

    def sent(self) -> bool:
        """Tell whether all was sent."""
        if not self.has_sent and self._ready.select(0):
            self.has_sent = b"sent" in self._out.readline()
        return self.has_sent

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._ready.close()
        self._out.close()


@contextmanager
def attacking(name: str, port: int) -> Iterator[Attacking]:
    """Attack a port while the block runs."""
    process = Attacking(name, port)
    try:
        yield process
    finally:
        process.end()


@dataclass(slots=True)
class Beside:
    """Holds what a good client notices and what the server needs, without an attack (``quiet``) and during it."""

    quiet: Calls = field(default_factory=Calls)
    during: Calls = field(default_factory=Calls)
    grown: float = 0.0
    kept: float = 0.0

    @property
    def slower(self) -> float:
        return self.during.quantile(0.5) / self.quiet.quantile(0.5)

    @property
    def stall(self) -> float:
        """Return the slowest call, as so many usual ones."""
        return self.during.slowest / self.quiet.quantile(0.5)


def watch(victim: Victim, name: str, *, seconds: float, rounds: int, until_sent: bool) -> Beside:
    """Measure in rounds: a while without the attack, a while during it, and a little after it."""
    seen = Beside()
    with GoodClient(victim.port) as client:
        client.calls(0.3)
        before = victim.resident()
        for _ in range(rounds):
            quiet = client.calls(seconds / 2)
            with Sampled(victim.resident) as memory, attacking(name, victim.port) as attacker:
                client.calls(0.2)  # its process begins
                during = client.calls(seconds, until=_sent(attacker) if until_sent else _at_once)
            after = client.calls(0.5)
            seen.grown = max(seen.grown, memory.largest - before)
            seen.quiet.times += quiet.times
            seen.during.times += during.times + after.times
            seen.during.errors += quiet.errors + during.errors + after.errors
        seen.kept = victim.resident() - before
    return seen


def _at_once() -> bool:
    return True


def _sent(attacker: Attacking) -> Callable[[], bool]:
    """Return a condition that holds once all was sent, or should have been."""
    deadline = time.monotonic() + _SENT_SECONDS
    return lambda: attacker.sent() or time.monotonic() > deadline


def measures(
    ours: Beside, theirs: Beside | None, *, memory: float, kept: float | None, slower: float
) -> list[Measure]:
    """Return the measures of an attack. ``memory``: the MiB that it may take while it lasts, ``kept``: after it;
    ``slower``: the bound of the median."""

    def peer(name: str) -> Any:
        return None if theirs is None else getattr(theirs, name)

    return [
        Measure("median", ours.slower, "×", slower, UNNOTICED, peer("slower")),
        Measure("slowest", ours.stall, "×", _STALL, _UNNOTICED_STALL, peer("stall")),
        Measure("errors", len(ours.during.errors), peer=None if theirs is None else len(theirs.during.errors)),
        Measure("memory", max(ours.grown, 0.0), "MiB", memory, 32.0, peer("grown")),
        Measure("kept", max(ours.kept, 0.0), "MiB", memory if kept is None else kept, 32.0, peer("kept")),
    ]
