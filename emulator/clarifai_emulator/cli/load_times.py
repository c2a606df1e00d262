"""Measures how long models take to load their weights: those loading now, and how long each took the last time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clarifai_emulator.whole_file import write_whole

_MOST_KEPT = 200
_ENDS = ("replica.live", "replica.stopped", "replica.crashed", "replica.hung")
# Seconds after which a load that goes on is told again, in lines.
_STEPS = (5, 10, 20, 30, 60)


class LoadTimes:
    """Seconds by model directory, kept in a file between runs. Works without the file if it must."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def last(self, key: str) -> float | None:
        """Return how long the load took the last time."""
        value = self._read().get(key)
        return float(value) if isinstance(value, int | float) and value > 0 else None

    def note(self, key: str, seconds: float) -> None:
        """Remember how long the load took now."""
        known = self._read()
        known.pop(key, None)
        kept = dict([*known.items(), (key, round(seconds, 2))][-_MOST_KEPT:])
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._file, json.dumps(kept, indent=1))

    def _read(self) -> dict[str, Any]:
        with suppress(OSError, ValueError):
            found = json.loads(self._file.read_text(encoding="utf-8"))
            if isinstance(found, dict):
                return found
        return {}


@dataclass(slots=True)
class _Load:
    key: str
    name: str
    began: float
    last: float | None
    told: int = 0

    def text(self, now: float) -> str:
        seconds = max(0.0, now - self.began)
        took = f" {seconds_text(seconds)}" if seconds >= 1 else ""
        before = f" (last time {seconds_text(self.last)})" if self.last is not None else ""
        return f"{self.name}: loading weights…{took}{before}"


class Loading:
    """The replicas that load their model now, by the events of the emulator. ``key_of`` gives the key under which a
    model's time is remembered, by its id."""

    def __init__(self, times: LoadTimes, key_of: Callable[[str], str]) -> None:
        self._times = times
        self._key_of = key_of
        self._loads: dict[str, _Load] = {}

    def feed(self, event: Mapping[str, Any]) -> None:
        """Take one event."""
        kind, replica = str(event["kind"]), str(event.get("replica_id", ""))
        if kind == "replica.starting":
            name = str(event["model_id"])
            key = self._key_of(name)
            self._loads[replica] = _Load(key, name, float(event["time"]), self._times.last(key))
        elif kind in _ENDS:
            load = self._loads.pop(replica, None)
            if load is not None and kind == "replica.live":
                self._times.note(load.key, float(event["time"]) - load.began)

    def texts(self, now: float) -> list[str]:
        """Return ``hello: loading weights… 12 s (last time 24 s)`` for each load."""
        return [load.text(now) for load in self._loads.values()]

    def news(self, now: float) -> Iterator[str]:
        """Yield the texts of loads for an output of lines: at the beginning, and then less and less often."""
        for load in self._loads.values():
            seconds = now - load.began
            step = sum(seconds >= each for each in _STEPS) + max(0, int(seconds // 60) - 1)
            if load.told <= step:
                load.told = step + 1
                yield load.text(now)


def seconds_text(seconds: float) -> str:
    """Format seconds as ``0.3 s``, ``24 s`` or ``2 min 5 s``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 120 else f"{int(seconds // 60)} min {int(seconds % 60)} s"
