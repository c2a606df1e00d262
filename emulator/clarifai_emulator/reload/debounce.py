"""Decides when a save is over: gathers what a file system says until it rests. Pure; the caller has the clock.

An editor writes a file beside the old one and renames it, or truncates it first; `git checkout` writes hundreds.
Each is one save: it is over when nothing has come for a moment and no file is still open for writing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class FileEvent(Enum):
    """An event of a file."""

    BEGUN = "begun"  # created or written to; it may be written to again before it is closed
    DONE = "done"  # closed, renamed or removed


@dataclass(slots=True)
class Settling:
    """The state of a save. ``quiet`` seconds end a save of few files, ``quiet_of_many`` one of many; ``patience``
    bounds the wait for a file to be closed. ``tells_closing``: whether this file system says so at all."""

    tells_closing: bool = True
    quiet: float = 0.01
    quiet_of_many: float = 0.1
    few: int = 3
    patience: float = 0.5
    _changed: dict[str, None] = field(default_factory=dict[str, None])
    _open: set[str] = field(default_factory=set[str])
    _last: float = 0.0

    def note(self, path: str, change: FileEvent, now: float) -> None:
        """Something happened to a file that counts."""
        self._changed[path] = None
        self._last = now
        if change is FileEvent.BEGUN and self.tells_closing:
            self._open.add(path)
        else:
            self._open.discard(path)

    def due_in(self, now: float) -> float | None:
        """Seconds until the save is over, 0 or less when it is; None when there is none."""
        if not self._changed:
            return None
        quiet = self.quiet if len(self._changed) <= self.few else self.quiet_of_many
        return self._last + (self.patience if self._open else quiet) - now

    def take(self) -> list[str]:
        """Take the files of the save, in the order in which they came, and begin anew."""
        files = list(self._changed)
        self._changed.clear()
        self._open.clear()
        return files
