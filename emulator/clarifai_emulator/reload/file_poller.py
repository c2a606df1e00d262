"""Polls a few files beside model directories (topologies, clients), and tells when one changed."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from clarifai_emulator.background_work import begin_thread

_SETTLED_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class _Look:
    """The state of a file. ``stamp``: time and size; ``content`` stands for what is in it."""

    stamp: tuple[int, int]
    content: bytes


class FileLooks:
    """Calls ``on_change`` in a thread of its own when what ``files()`` names is no longer what it was: content, or
    which files there are; ``on_failure`` with the reason where they cannot be looked at any more."""

    def __init__(
        self,
        files: Callable[[], Iterable[Path]],
        on_change: Callable[[], object],
        on_failure: Callable[[str], object],
        *,
        every: float = 0.5,
    ) -> None:
        self._files = files
        self._on_change = on_change
        self._every = every
        self._seen: dict[Path, _Look] = {}
        self._looking = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._on_failure = on_failure

    def start(self) -> None:
        """Begin; what is saved from here on is told."""
        self._seen = self._look(self._seen)
        self._thread = begin_thread(self._run, "poller of files", self._on_failure)

    def stop(self) -> None:
        """End, and wait until no call is made any more."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def accept(self) -> None:
        """Take the present ``files`` as they are: other names are no change. Changes of earlier ones still
        count."""
        with self._looking:
            self._seen = {path: self._seen.get(path, look) for path, look in self._look(self._seen).items()}

    def _run(self) -> None:
        while not self._stopping.wait(self._every):
            with self._looking:
                has_changed = self._has_changed()
            if has_changed and not self._stopping.is_set():
                self._on_change()

    def _has_changed(self) -> bool:
        before, self._seen = self._seen, self._look(self._seen)
        if _contents(self._seen) == _contents(before):
            return False
        # A file that is still being written is no save yet.
        while not self._stopping.wait(_SETTLED_SECONDS):
            now, self._seen = self._seen, self._look(self._seen)
            if _contents(self._seen) == _contents(now):
                break
        return True

    def _look(self, known: dict[Path, _Look]) -> dict[Path, _Look]:
        looks: dict[Path, _Look] = {}
        for path in self._files():
            try:
                stat = path.stat()
                stamp = (stat.st_mtime_ns, stat.st_size)
                look = known.get(path)
                if look is None or look.stamp != stamp:
                    look = _Look(stamp, hashlib.sha256(path.read_bytes()).digest())
            except OSError:
                continue  # being replaced, perhaps, or gone
            looks[path] = look
        return looks


def _contents(looks: dict[Path, _Look]) -> dict[Path, bytes]:
    return {path: look.content for path, look in looks.items()}
