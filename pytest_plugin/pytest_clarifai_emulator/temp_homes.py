"""Makes empty home folders for tests; each is removed with its process, or soon after the process was killed.

A folder is locked by the process that made it, and its name has that process's id. A process that ends in order
removes its own; those of killed processes are removed by the next process that makes a home. The id alone does not
tell: a container with the same temporary folder has ids of its own.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

_PREFIX = "clarifai-home-"


# A socket's whole path may have 107 characters; this leaves room for its name.
_LONGEST_FOR_SOCKETS = 80
_locks: dict[str, int] = {}


def make_home(*, for_sockets: bool = False) -> str:
    """Make an empty folder for this process. ``for_sockets``: with a path that is short enough for them."""
    is_long = len(tempfile.gettempdir()) + len(_PREFIX) > _LONGEST_FOR_SOCKETS
    within = Path("/tmp" if for_sockets and is_long else tempfile.gettempdir())  # noqa: S108
    remove_abandoned(within)
    while True:
        folder = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=within)
        lock = _lock(Path(folder))
        if lock is not None and os.path.isdir(folder):
            _locks[folder] = lock
            return folder
        # Another process found it before it was locked, and removes it.
        if lock is not None:
            os.close(lock)


def remove_home(folder: str) -> None:
    """Remove a folder that its process no longer needs."""
    shutil.rmtree(folder, ignore_errors=True)
    lock = _locks.pop(folder, None)
    if lock is not None:
        os.close(lock)


def remove_abandoned(within: Path) -> None:
    """Remove the homes of killed processes; none if the system does not tell which processes there are."""
    if not Path("/proc/self").exists():
        return
    for folder in within.glob(f"{_PREFIX}*-*"):
        pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if pid.isdecimal() and not Path(f"/proc/{pid}").exists():
            _remove_unless_locked(folder)


def _remove_unless_locked(folder: Path) -> None:
    lock = _lock(folder)
    if lock is not None:
        if os.fstat(lock).st_uid == os.geteuid():
            shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _lock(folder: Path) -> int | None:
    """Lock a folder, and return what holds the lock; None where another process has it, or it is no folder that
    can be locked."""
    with contextlib.suppress(OSError):
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
        else:
            return lock
    return None
