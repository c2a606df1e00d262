"""Gives a browser what replicas and builds printed, and what the emulator noted of them, some lines at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from clarifai_emulator.backends.printed import without_colours
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.logbook import BUILDER, RUNNER, RUNNER_EVENTS, LogLine
from clarifai_emulator.messages.address import ModelAddress
from clarifai_emulator.store import Kind

_MOST_LINES = 2_000
_MOST_CHARACTERS = 4_000


def log_of_replica(
    emulator: Emulator, replica_id: str, *, since: int = 0, begin: float = 0.0, end: float = float("inf")
) -> dict[str, Any]:
    """Return the lines of a replica after number ``since``, written between two times (seconds since the epoch):
    the newest, and how many before them were left out."""
    emulator.keep_logs()
    lines = emulator.logbook.of_replica(replica_id, (RUNNER, RUNNER_EVENTS), since=since)
    return _newest(line for line in lines if begin <= line.time <= end)


def log_of_build(emulator: Emulator, model: ModelAddress, version_id: str) -> dict[str, Any]:
    """Return what the builds of a model version printed, its reloads in the dev loop as well, and which environment
    and code it has."""
    lines = emulator.logbook.lines(
        BUILDER,
        user_id=model.user_id,
        app_id=model.app_id,
        model_id=model.model_id,
        model_version_id=version_id,
    )
    source = emulator.store.get(Kind.SOURCE, (*model.key, version_id))
    made = {"environment": source.environment, "code": source.content_hash} if source is not None else {}
    return {**_newest(lines), **made}


def lives_of_replicas(emulator: Emulator) -> dict[str, Any]:
    """Return what the emulator noted of each replica's life, oldest first: also what the event bus no longer keeps,
    since every request makes some events, and few are about replicas."""
    emulator.keep_logs()
    steps: deque[dict[str, Any]] = deque(maxlen=_MOST_LINES)
    for line in emulator.logbook.lines(RUNNER_EVENTS):
        kind, colon, message = line.message.partition(": ")
        if line.replica_id and colon and kind.startswith("replica."):
            ids = line.ids
            nodepool = "/".join((ids["user_id"], ids["compute_cluster_id"], ids["nodepool_id"]))
            steps.append(
                {
                    "time": round(line.time, 6),
                    "kind": kind,
                    "message": message[:_MOST_CHARACTERS],
                    "replica_id": line.replica_id,
                    "deployment_id": line.deployment_id,
                    "nodepool": nodepool,
                    "user_id": ids["user_id"],
                    "app_id": ids["app_id"],
                    "model_id": ids["model_id"],
                    "version_id": ids["model_version_id"],
                }
            )
    return {"steps": list(steps)}


def _newest(found: Iterable[LogLine]) -> dict[str, Any]:
    lines: deque[LogLine] = deque(maxlen=_MOST_LINES)
    number = 0
    for line in found:
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
