"""Tells whether a process of this machine is alive, and when it began; ends one with everything below it."""

from __future__ import annotations

import os
import signal
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

# Ended processes are gone after the first look or two, but for those that the system does not let go of.
_LOOKS = 50


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


def is_stopped(pid: int) -> bool:
    """Tell whether a process stands still because somebody has stopped it."""
    return _stat(pid)[:1] == ["T"]


def end_tree(pid: int) -> None:
    """End a process and everything below it, at once. It is stopped before what is below it ends, and so does
    nothing about that."""
    _kill(pid, signal.SIGSTOP)
    for _ in range(_LOOKS):
        below = [each for each in descendants(pid) if not has_ended(each)]
        if not below:
            break
        for each in below:
            _kill(each, signal.SIGKILL)
        time.sleep(0.001)
    _kill(pid, signal.SIGKILL)


def descendants(pid: int) -> list[int]:
    """Return the processes below one, where the system tells."""
    children: defaultdict[int, list[int]] = defaultdict(list)
    for each in _all_processes():
        fields = _stat(each)
        if fields:
            children[int(fields[1])].append(each)
    found = [pid]
    for each in found:
        found += children[each]
    return found[1:]


def _all_processes() -> Iterator[int]:
    with suppress(OSError):
        for name in os.listdir("/proc"):
            if name.isdecimal():
                yield int(name)


def _kill(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


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
