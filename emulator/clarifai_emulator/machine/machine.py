"""Describes a machine that replicas run on, and measures the CPUs and the memory of this one.

What is built in is cut down by affinity and cgroups.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from clarifai_emulator.machine.accelerators import Accelerator, Discovery

THIS_MACHINE = "local"
_ROOT = Path("/")


@dataclass(frozen=True, slots=True)
class Machine:
    """Describes a machine. ``cpus``: CPUs, fractions possible. ``memory``: bytes. ``accelerators``: its devices;
    ``no_accelerators_because`` says why it has none. ``id`` names it among the machines of an emulator."""

    cpus: float
    memory: int
    accelerators: tuple[Accelerator, ...] = ()
    no_accelerators_because: str = ""
    id: str = THIS_MACHINE

    def having(self, found: Discovery) -> Machine:
        """Return the same machine with these accelerators."""
        return replace(self, accelerators=found.accelerators, no_accelerators_because=found.reason)


def measure_machine(
    *, root: Path = _ROOT, usable_cpus: int | None = None, physical_memory: int | None = None
) -> Machine:
    """Measure what this process may use. ``root`` is where ``proc`` and ``sys`` are; tests give their own
    numbers."""
    cpus = float(_usable_cpus() if usable_cpus is None else usable_cpus)
    memory = _physical_memory() if physical_memory is None else physical_memory
    return Machine(
        cpus=min([cpus, *_cpu_limits(root)]),
        memory=min([memory, *_memory_limits(root)]),
    )


def _usable_cpus() -> int:
    # Not every Unix lets a process ask for its affinity.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _physical_memory() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _cpu_limits(root: Path) -> Iterator[float]:
    for folder in _folders(root, ""):
        quota, _, period = _read(folder / "cpu.max").partition(" ")
        yield from _quota(quota, period)
    for folder in _folders(root, "cpu"):
        yield from _quota(_read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us"))


def _quota(quota: str, period: str) -> Iterator[float]:
    """CPU time per period of time; ``max`` or ``-1`` is no limit."""
    if quota.isdecimal() and period.isdecimal() and int(quota) > 0 and int(period) > 0:
        yield int(quota) / int(period)


def _memory_limits(root: Path) -> Iterator[int]:
    files = [folder / "memory.max" for folder in _folders(root, "")]
    files += [folder / "memory.limit_in_bytes" for folder in _folders(root, "memory")]
    for text in map(_read, files):
        if text.isdecimal() and int(text) > 0:
            yield int(text)


def _folders(root: Path, controller: str) -> Iterator[Path]:
    """This process's cgroup and those above it, since a limit of any of them holds.

    ``controller`` is empty for cgroups version 2. Inside a container the path may be the host's: then only
    the folders that exist count.
    """
    mount = root / "sys/fs/cgroup" / controller
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controller in controllers.split(","):
            inside = PurePosixPath(path.lstrip("/"))
            yield from (mount / each for each in (inside, *inside.parents) if (mount / each).is_dir())


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
