"""Empty folders to be at home in while tests run; each is gone with its process, or soon after it was killed.

A folder's name has the id of the process that made it. Whoever ends in order removes its own; those of processes
that were killed are removed by the next one that makes a home.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

_PREFIX = "clarifai-home-"


def make_home() -> str:
    """A new empty folder, for this process."""
    remove_abandoned()
    return tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-")


def remove_home(folder: str) -> None:
    """Its process does not need it any more."""
    shutil.rmtree(folder, ignore_errors=True)


def remove_abandoned() -> None:
    """Remove the homes of processes that were killed. Where nobody can say which processes there are, none."""
    if not Path("/proc/self").exists():
        return
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if pid.isdecimal() and not Path(f"/proc/{pid}").exists():
            shutil.rmtree(folder, ignore_errors=True)
