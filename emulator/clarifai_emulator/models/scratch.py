"""Folders for an emulator's own files: temporary ones go with their process, and one whose process was killed is
removed by the next.

Whoever holds a folder has it locked, and the system takes the lock from a process however it ends.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Set
from contextlib import suppress
from pathlib import Path

_INCOMING = "incoming"
_OURS = re.compile(rf"[0-9a-f]{{32}}|{_INCOMING}")


class ScratchFolder:
    """A new folder below the system's temporary one, until ``remove``."""

    def __init__(self, prefix: str) -> None:
        self.path, self._lock = _locked(prefix)

    def remove(self) -> None:
        """Remove it with everything in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


class OwnFolder:
    """Holds entries that are named by 32 hexadecimal digits, below ``root``. Without it they lie in a temporary
    folder, which is made with the first of them and removed by ``close``."""

    def __init__(self, root: Path | None, prefix: str) -> None:
        self._root = root
        self._prefix = prefix
        self._scratch: ScratchFolder | None = None

    @property
    def is_there(self) -> bool:
        """Tell whether anything was put there yet."""
        return self._scratch is not None if self._root is None else self._root.is_dir()

    @property
    def path(self) -> Path:
        """Return the folder, which is made if need be."""
        if self._root is not None:
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            return self._root
        self._scratch = self._scratch or ScratchFolder(self._prefix)
        return self._scratch.path

    def incoming(self) -> Path:
        """Make an empty file for what begins to come."""
        folder = self.path / _INCOMING
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / secrets.token_hex(8)
        path.touch(mode=0o600)
        return path

    def set_aside(self, name: str) -> Path:
        """Move an entry to where it is in nobody's way while it is removed; where it lies, if it was there. What is
        left of it when the emulator ends goes with what was incoming."""
        folder = self.path / _INCOMING
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / secrets.token_hex(8)
        with suppress(FileNotFoundError):
            os.rename(self.path / name, path)
        return path

    def sweep(self, used: Set[str]) -> None:
        """Remove what an emulator that was killed left: all but the entries ``used``. To be called before the first
        entry comes."""
        if self._root is None:
            remove_forsaken(self._prefix)
        else:
            self.remove_all_but(used)

    def remove_all_but(self, used: Set[str]) -> None:
        """Remove every entry but these. A user's own files, in a folder that happened to be there, are none."""
        for folder in list(self.path.iterdir()) if self.is_there else []:
            if folder.name not in used and _OURS.fullmatch(folder.name):
                shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Remove what is not to be kept."""
        if self._root is not None:
            shutil.rmtree(self._root / _INCOMING, ignore_errors=True)
        elif self._scratch is not None:
            self._scratch.remove()
            self._scratch = None


def remove_forsaken(prefix: str) -> None:
    """Remove folders of this user whose process has ended without ``remove``."""
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        with suppress(OSError):  # it is gone already, or not ours to look at, or held
            _remove_unless_held(folder)


def _locked(prefix: str) -> tuple[Path, int]:
    while True:
        path = Path(tempfile.mkdtemp(prefix=prefix))
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists():
                return path, lock
        os.close(lock)  # another process found it before it was locked, and removes it


def _remove_unless_held(folder: Path) -> None:
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(lock).st_uid == os.geteuid():
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)
