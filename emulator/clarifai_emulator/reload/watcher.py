"""Watches one model directory and tells of each save, once, when it is over.

    watchdog's events ──► settling.py ──► on_save(files)
    or, where the file system sends none, what the files hold, looked at again and again

Whether it sends any is tried out at the start, and looked after: a change that no event told of is noticed, too.
"""

from __future__ import annotations

import contextlib
import os
import queue
import secrets
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path, PurePath
from typing import Any

from clarifai_emulator.background_work import begin_thread
from clarifai_emulator.models.code import Code, CodeReader
from clarifai_emulator.models.version_source import Watched
from clarifai_emulator.reload.debounce import FileEvent, Settling

_POLL_SECONDS = 0.2
_LOOK_AFTER_SECONDS = 2.0
_TEST_SECONDS = 1.0

_CHANGES = {
    "created": FileEvent.BEGUN,
    "modified": FileEvent.BEGUN,
    "closed": FileEvent.DONE,
    "moved": FileEvent.DONE,
    "deleted": FileEvent.DONE,
}


class Watcher:
    """Calls ``on_save`` with the files of each save (relative, with ``/``), in a thread of its own. ``say`` is
    told, in words for a person, when it has to poll. ``poll``: never ask the file system for events."""

    def __init__(
        self,
        directory: Path,
        watched: Watched,
        on_save: Callable[[Sequence[str]], None],
        say: Callable[[str], None],
        *,
        poll: bool = False,
    ) -> None:
        self.polls = poll
        self._directory = directory.resolve()
        self._reader = CodeReader(self._directory, watched)
        self._on_save = on_save
        self._say = say
        self._seen = Code()
        self._settling = Settling(tells_closing=sys.platform.startswith("linux"))
        self._events: queue.Queue[tuple[str, FileEvent] | None] = queue.Queue()
        self._observer: Any = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; what is saved from here on is told."""
        self._seen = self._reader.read()
        if not self.polls:
            problem = self._observe()
            if problem:
                self._poll_from_now_on(problem)
        self._thread = begin_thread(self._run, f"watcher of {self._directory.name}", self._failed)

    def stop(self) -> None:
        """End, and wait until no call is made any more."""
        self._stopping.set()
        self._events.put(None)
        if self._thread is not None:
            self._thread.join()
        self._end_observer()

    def _failed(self, reason: str) -> None:
        self._say(
            f"Saves in {self._directory} are not noticed any more: {reason}. Start `clarifai-emulator dev` again."
        )

    # ── events ─────────────────────────────────────────────────────────────────────────────────────────

    def _observe(self) -> str:
        """Ask for events, and try whether they come; why they do not, empty when they do."""
        from watchdog.events import FileSystemEventHandler
        from watchdog.observers import Observer

        arrived = threading.Event()
        probe = f".clarifai-emulator-{secrets.token_hex(4)}"
        watcher = self

        class Handler(FileSystemEventHandler):
            def on_any_event(self, event: Any) -> None:
                for path in (event.src_path, getattr(event, "dest_path", "")):
                    if not path:
                        continue
                    if os.path.basename(path) == probe:
                        arrived.set()
                    elif not event.is_directory and event.event_type in _CHANGES:
                        watcher._note(str(path), _CHANGES[event.event_type])

        try:
            self._observer = Observer()
            self._observer.schedule(Handler(), str(self._directory), recursive=True)
            self._observer.start()
        except OSError as error:
            return f"its events cannot be had: {error.strerror or error}"
        return self._test(self._directory / probe, arrived)

    def _test(self, probe: Path, arrived: threading.Event) -> str:
        try:
            probe.write_bytes(b"")
        except OSError as error:
            return f"whether it sends events cannot be tried out: {error.strerror or error}"
        try:
            came = arrived.wait(_TEST_SECONDS)
        finally:
            with contextlib.suppress(OSError):
                probe.unlink()
        return "" if came else "it sends no events (as network mounts and shared folders of virtual machines do)"

    def _note(self, path: str, change: FileEvent) -> None:
        with contextlib.suppress(ValueError):
            self._events.put((PurePath(path).relative_to(self._directory).as_posix(), change))

    def _end_observer(self) -> None:
        if self._observer is not None and self._observer.is_alive():
            self._observer.stop()
            self._observer.join()
        self._observer = None

    def _poll_from_now_on(self, why: str) -> None:
        self.polls = True
        self._say(f"{self._directory} is looked at every {_POLL_SECONDS:g} s, because {why}.")
        self._end_observer()

    # ── the thread ─────────────────────────────────────────────────────────────────────────────────────

    def _run(self) -> None:
        while not self._stopping.is_set():
            if self.polls:
                self._stopping.wait(_POLL_SECONDS)
                self._poll()
                continue
            due = self._settling.due_in(time.monotonic())
            if due is not None and due <= 0:
                self._settled()
                continue
            try:
                event = self._events.get(timeout=_LOOK_AFTER_SECONDS if due is None else due)
            except queue.Empty:
                if due is None:
                    self._look_after()
                continue
            if event is not None and self._reader.counts(event[0]):
                self._settling.note(*event, time.monotonic())

    def _settled(self) -> None:
        files = self._settling.take()
        self._seen = self._reader.read()
        self._tell(files)

    def _poll(self) -> None:
        """Tell of a change once two looks see the same: then the save is over."""
        now = self._reader.read()
        while now.digest != self._seen.digest and not self._stopping.wait(_POLL_SECONDS / 4):
            again = self._reader.read()
            if again.digest == now.digest:
                files, self._seen = self._seen.changed(now), now
                self._tell(files)
            now = again

    def _look_after(self) -> None:
        """Check, when nothing has come for a while, whether everything is as it was."""
        before, now = self._seen, self._reader.read()
        if now.digest == before.digest or not self._events.empty():
            return
        self._seen, files = now, before.changed(now)
        # In a new folder files may be written before it is watched; a file that was there all the time tells more.
        if any(name in before.files for name in files):
            self._poll_from_now_on("it has changed without an event")
        self._tell(files)

    def _tell(self, files: Sequence[str]) -> None:
        if files and not self._stopping.is_set():
            self._on_save(files)
