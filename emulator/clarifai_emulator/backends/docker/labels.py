"""Labels an emulator's own containers, networks and images, by which it knows them. Nothing else is ever touched.

``INSTANCE`` names the emulator that made it and the process it runs in, so that another emulator can see whether
it still lives.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import socket
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from clarifai_emulator.machine.processes import began, is_there

INSTANCE = "io.clarifai-emulator.instance"
REPLICA = "io.clarifai-emulator.replica"
MODEL = "io.clarifai-emulator.model"
CONTENT = "io.clarifai-emulator.content"

_MACHINE_IDS = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))
_INSTANCE = re.compile(r"(?P<host>.+)/(?P<pid>\d+)/(?P<began>\d+)/(?P<random>[0-9a-f]+)")


def new_instance() -> str:
    """A name for this emulator: host, process and when the process began, and something random."""
    pid = os.getpid()
    return f"{_this_machine()}/{pid}/{began(pid)}/{secrets.token_hex(4)}"


def is_ours(labels: Mapping[str, str] | None) -> bool:
    """Tell whether an emulator made what carries these labels."""
    return bool(labels) and INSTANCE in (labels or {})


def is_left_behind(instance: str) -> bool:
    """Tell whether the emulator of this name is known to be gone.

    An emulator on another machine that uses the same engine cannot be seen from here: it counts as alive.
    """
    match = _INSTANCE.fullmatch(instance)
    if match is None or match["host"] != _this_machine():
        return False
    pid = int(match["pid"])
    if not is_there(pid):
        return True
    now = began(pid)
    # A process id is given out again: the one that began at another time is another process.
    return bool(now) and str(now) != match["began"]


@cache
def _this_machine() -> str:
    """Name this machine: engines are shared, and two laptops may have one host name."""
    known = next((text for text in map(_read, _MACHINE_IDS) if text), "")
    host = socket.gethostname() or "host"
    return f"{host}-{hashlib.sha256(known.encode()).hexdigest()[:8]}" if known else host


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""
