"""Tells whether a process of this machine is alive, and when it began."""

from __future__ import annotations

import os
from pathlib import Path


def is_there(pid: int) -> bool:
    """Tell whether a process has this id, be it ended and not yet collected by its parent, or another user's."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def has_ended(pid: int) -> bool:
    """Tell whether a process is gone, or ended and not yet collected by its parent."""
    return not is_there(pid) or _stat(pid)[:1] == ["Z"]


def began(pid: int) -> int:
    """Return when a process began, in clock ticks since the machine did; 0 where that cannot be read, -1 for one
    that has ended and is not yet collected."""
    fields = _stat(pid)
    if not fields:
        return 0
    return -1 if fields[0] == "Z" else int(fields[19])


def _stat(pid: int) -> list[str]:
    """Read the fields of ``/proc/PID/stat`` after the name; none where there is no ``/proc``."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return []
