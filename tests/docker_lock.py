"""Gives the engine of a cache folder to one test session at a time; the next one waits, and says for whom.

Two engines on one data root would spoil it. The lock is the kernel's: it ends with its session, however that ends.
An engine that outlived its session is ended by the next one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

_EVERY_SECONDS = 0.2
_SAY_EVERY_SECONDS = 60.0
_END_SECONDS = 60.0


class EngineLock:
    """The lock of a cache folder. Its file says which session has it and which engine that session started."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._file: IO[str] | None = None

    def take(self, say: Callable[[str], None]) -> None:
        """Wait until no other session has the lock, and say so every minute. Then end the engine of a session that
        was killed, if it still runs."""
        self._cache.mkdir(parents=True, exist_ok=True)
        file = (self._cache / "engine.lock").open("a+", encoding="utf-8")
        said = 0.0
        while not _locked(file):
            if time.monotonic() > said + _SAY_EVERY_SECONDS or not said:
                said = time.monotonic()
                say(
                    f"waiting: the test session of process {_read(file)[0]} uses the engine in {self._cache}; "
                    "CLARIFAI_TEST_DOCKER_CACHE=FOLDER gives this one its own (and half a gigabyte to build)"
                )
            time.sleep(_EVERY_SECONDS)
        _, engine = _read(file)
        self._file = file
        if engine and _is_engine(engine, self._cache):
            say(f"ending the engine that a killed test session left (process {engine})")
            _end(engine, self._cache)
        self.note(0)

    def note(self, engine: int) -> None:
        """Note that this process has the lock, with this engine."""
        assert self._file is not None
        self._file.seek(0)
        self._file.truncate()
        self._file.write(f"{os.getpid()} {engine}")
        self._file.flush()

    def release(self) -> None:
        """Let the next session have the lock."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _locked(file: IO[str]) -> bool:
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _read(file: IO[str]) -> tuple[int, int]:
    """Read which session and which engine the file names; 0 for what is not known."""
    file.seek(0)
    words = file.read().split()
    return (int(words[0]), int(words[1])) if len(words) == 2 else (0, 0)


def _is_engine(pid: int, cache: Path) -> bool:
    """Tell whether this process is an engine on this folder: a process id is given out again."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return bool(words[0]) and words[0].endswith(b"dockerd") and str(cache / "engine").encode() in words


def _end(pid: int, cache: Path) -> None:
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _END_SECONDS
    while _is_engine(pid, cache) and time.monotonic() < deadline:
        time.sleep(_EVERY_SECONDS)
