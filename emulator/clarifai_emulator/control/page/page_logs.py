"""Gives a browser what replicas printed, and what the emulator noted of them, some lines at a time."""

from __future__ import annotations

import heapq
from collections import deque
from typing import Any

from clarifai_emulator.backends.printed import without_colours
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.logbook import RUNNER, RUNNER_EVENTS, LogLine

_MOST_LINES = 2_000
_MOST_CHARACTERS = 4_000


def log_of_replica(
    emulator: Emulator, replica_id: str, *, since: int = 0, begin: float = 0.0, end: float = float("inf")
) -> dict[str, Any]:
    """Return the lines of a replica after number ``since``, written between two times (seconds since the epoch):
    the newest, and how many before them were left out."""
    emulator.keep_logs()
    book = emulator.logbook
    streams = (book.lines(RUNNER), book.lines(RUNNER_EVENTS))
    lines: deque[LogLine] = deque(maxlen=_MOST_LINES)
    number = 0
    for line in heapq.merge(*streams, key=lambda each: each.seq):
        if line.seq > since and line.replica_id == replica_id and begin <= line.time <= end:
            lines.append(line)
            number += 1
    return {"lines": [_as_dict(line) for line in lines], "left_out": number - len(lines)}


def _as_dict(line: LogLine) -> dict[str, Any]:
    text = without_colours(line.message)
    return {
        "seq": line.seq,
        "time": round(line.time, 6),
        "is_event": line.log_type == RUNNER_EVENTS,
        "origin": line.origin,
        "text": text[:_MOST_CHARACTERS],
        "cut": max(0, len(text) - _MOST_CHARACTERS),
    }
