"""Keeps a file of what a run makes on a target, written before it is made, so that it can always be removed."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO


@dataclass(frozen=True, slots=True)
class MadeThing:
    """Names a resource. ``who``: the account that made it (``me``, ``other``); a key is known by its description
    only, as its id is a credential."""

    kind: str
    id: str
    cluster: str = ""
    nodepool: str = ""
    who: str = "me"

    def is_deployment_of(self, prefix: str) -> bool:
        """Tell whether it is a deployment whose id begins so."""
        return self.kind == "deployment" and self.id.startswith(prefix)


class Ledger:
    """Appends to the file of one run. ``target`` and ``user_id`` say whose it is; a credential is never in it.

    ``made``: all that was noted since it was opened. Raises ``BlockingIOError`` while another process has it open.
    """

    def __init__(self, path: Path, *, prefix: str, target: str, user_id: str) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file: TextIO = open(os.open(path, os.O_CREAT | os.O_APPEND | os.O_RDWR, 0o600), "a+")  # noqa: SIM115
        # A run that is on keeps its ledger to itself: nobody else removes what it uses.
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._left = dict.fromkeys(left_in(path))
        self.made: list[MadeThing] = []
        if not path.stat().st_size:
            self._write({"prefix": prefix, "target": target, "user_id": user_id})

    @property
    def left(self) -> list[MadeThing]:
        """Return what is not removed yet, the newest first."""
        return list(reversed(self._left))

    def note(self, thing: MadeThing) -> None:
        """Write that a thing is about to be made."""
        if thing not in self._left:
            self._write({"made": asdict(thing)})
            self._left[thing] = None
            self.made.append(thing)

    def remove(self, thing: MadeThing) -> None:
        """Write that a thing is gone."""
        self._write({"gone": asdict(thing)})
        self._left.pop(thing, None)

    def close(self) -> None:
        """Close the file, and remove it when nothing is left."""
        self._file.close()
        if not self._left:
            self.path.unlink(missing_ok=True)

    def _write(self, entry: dict[str, Any]) -> None:
        self._file.write(json.dumps(entry) + "\n")
        self._file.flush()  # the system keeps it when this process is killed


def left_in(path: Path) -> Iterator[MadeThing]:
    """Yield what a ledger's file says is not removed yet, the oldest first."""
    left: dict[MadeThing, None] = {}
    for entry in _entries(path):
        if "made" in entry:
            left[MadeThing(**entry["made"])] = None
        elif "gone" in entry:
            left.pop(MadeThing(**entry["gone"]), None)
    yield from left


def head_of(path: Path) -> dict[str, str]:
    """Return ``prefix``, ``target`` and ``user_id`` of a ledger's file; nothing where it was cut off before."""
    return next((entry for entry in _entries(path) if "prefix" in entry), {})


def _entries(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue  # the line that a killed process was writing
