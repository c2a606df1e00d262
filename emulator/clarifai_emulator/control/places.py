"""Tells where a process runs, because its process number has a meaning in the same place only.

A home folder may be shared: by a container that mounts it, by two login nodes. What is written there about a
process is of use to others, but only the process's own place can tell whether it is alive.
"""

from __future__ import annotations

import os
import socket
from functools import cache
from pathlib import Path


@cache
def this_place() -> str:
    """Return ``HOST/BOOT/PIDS``: this machine, this start of it, this namespace of process numbers. The last two
    are empty if the system does not tell."""
    return "/".join((socket.gethostname() or "host", _boot(), _process_numbers()))


def is_here(place: str) -> bool:
    """Tell whether processes of that place have the same numbers here."""
    host, boot, numbers = _parts(place)
    our_host, our_boot, our_numbers = _parts(this_place())
    # A machine may get another name while it runs; the number of a start is its own.
    same_machine = boot == our_boot if boot and our_boot else host == our_host
    return same_machine and numbers == our_numbers


def is_over(place: str) -> bool:
    """Tell whether that place is known to be gone: this machine was started again since."""
    host, boot, _ = _parts(place)
    our_host, our_boot, _ = _parts(this_place())
    return host == our_host and bool(boot and our_boot) and boot != our_boot


def _parts(place: str) -> tuple[str, str, str]:
    host, boot, numbers = [*place.rsplit("/", 2), "", ""][:3]
    return host, boot, numbers


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _process_numbers() -> str:
    try:
        return os.readlink("/proc/self/ns/pid").partition("[")[2].rstrip("]")
    except OSError:
        return ""
