"""Reads what this machine's kernel tells of a container's processes, and its engine does not.

``init`` is the number of its first process on this machine; 0, and all that follows from it, where that is another.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_KILLS = "oom_kill "


def pid_here(init: int, inner: int) -> int:
    """Return this machine's number of a container's process ``inner``; 0 if that is not known."""
    return next((each for each in _family(init) if _inner_pid(each) == inner), 0)


def memory_kills(init: int) -> int:
    """Count the processes of a container that the kernel has killed for the memory they took."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path(f"/proc/{init}/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "memory":
                return _count(_CGROUPS / "memory" / path.lstrip("/") / "memory.oom_control")
            if not controllers and (found := _count(_CGROUPS / path.lstrip("/") / "memory.events")):
                return found
    return 0


def _count(file: Path) -> int:
    if not file.is_file():
        return 0
    lines = file.read_text().splitlines()
    return next((int(line.removeprefix(_KILLS)) for line in lines if line.startswith(_KILLS)), 0)


def _family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    found, look_at = list[int](), [pid] if pid else []
    while look_at:
        each = look_at.pop()
        found.append(each)
        with contextlib.suppress(OSError):
            look_at += map(int, Path(f"/proc/{each}/task/{each}/children").read_text().split())
    return found


def _inner_pid(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("NSpid:"):
                return int(line.split()[-1])
    return 0
