"""Makes empty home folders for tests; each is removed with its process, or soon after the process was killed.

A folder's name has the id of the process that made it. A process that ends in order removes its own; those of
killed processes are removed by the next process that makes a home.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

_PREFIX = "clarifai-home-"


# A socket's whole path may have 107 characters; this leaves room for its name.
_LONGEST_FOR_SOCKETS = 80


def make_home(*, for_sockets: bool = False) -> str:
    """Make an empty folder for this process. ``for_sockets``: with a path that is short enough for them."""
    is_long = len(tempfile.gettempdir()) + len(_PREFIX) > _LONGEST_FOR_SOCKETS
    within = Path("/tmp" if for_sockets and is_long else tempfile.gettempdir())  # noqa: S108
    remove_abandoned(within)
    return tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=within)


def remove_home(folder: str) -> None:
    """Remove a folder that its process no longer needs."""
    shutil.rmtree(folder, ignore_errors=True)


def remove_abandoned(within: Path) -> None:
    """Remove the homes of killed processes; none if the system does not tell which processes there are."""
    if not Path("/proc/self").exists():
        return
    for folder in within.glob(f"{_PREFIX}*-*"):
        pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if pid.isdecimal() and not Path(f"/proc/{pid}").exists():
            shutil.rmtree(folder, ignore_errors=True)
