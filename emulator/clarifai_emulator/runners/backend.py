"""What a nodepool backend must do: start a replica, stop it, and read a model's signatures. Nothing else.

A replica connects back to the emulator and pulls its work, so a backend knows no queue and no routing, and a
replica on another host is the same thing.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from clarifai_emulator.models.directory import ModelSource


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaSpec:
    """One replica to start. ``environ`` holds the ``CLARIFAI_*`` variables the platform sets, and the devices.

    ``base_url`` is where the runner pulls work. ``num_threads`` 0 lets config.yaml decide. ``lean`` asks for the
    lean runner, which is fed over ``ReplicaProcess.connection`` instead of pulling.
    """

    replica_id: str
    source: ModelSource
    base_url: str
    environ: Mapping[str, str] = field(default_factory=dict[str, str])
    num_threads: int = 0
    lean: bool = False


@dataclass(frozen=True, slots=True)
class Exit:
    """How a replica's process ended: its exit code, or the signal that ended it, or why in words."""

    code: int | None = None
    signal: int | None = None
    why: str = ""

    def __str__(self) -> str:
        if self.why:
            return self.why
        if self.signal is not None:
            return f"its process was ended by signal {self.signal}"
        return f"its process exited with code {self.code}"


class ReplicaProcess(Protocol):
    """A started replica."""

    @property
    def pid(self) -> int:
        """Process id on this machine; 0 when it has none here."""
        ...

    @property
    def connection(self) -> socket.socket | None:
        """The emulator's end of a lean runner's socket; None for a runner that pulls its work."""
        ...

    @property
    def reloads(self) -> socket.socket | None:
        """The emulator's end of a reloadable replica's socket (``reload_link.py``); None for all others."""
        ...

    @property
    def exited(self) -> asyncio.Future[Exit]:
        """Resolved when the process has ended and its output was read."""
        ...

    def terminate(self) -> None:
        """SIGTERM. The genuine runner drops what it works on: drain first."""
        ...

    def kill(self) -> None:
        """SIGKILL, to the replica and all it started."""
        ...


class Backend(Protocol):
    """Places replicas. Raises ``ModelError`` when it cannot."""

    name: str

    async def start(self, spec: ReplicaSpec, on_line: Callable[[str], None]) -> ReplicaProcess:
        """Start a replica; each line it prints goes to ``on_line``."""
        ...

    async def signatures(self, source: ModelSource) -> Sequence[Any]:
        """The ``MethodSignature`` messages of a model, read by importing its ``model.py``."""
        ...

    async def close(self) -> None:
        """End everything that was started."""
        ...
