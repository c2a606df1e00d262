"""Defines what a backend of nodepools must do: prepare a model, read its signatures, start a replica, stop it.

A replica connects back to the emulator and pulls its work, so a backend knows no queue and no routing, and a
replica on another host is the same thing.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from clarifai_emulator.backends.process.parent import NOWHERE, Parent
from clarifai_emulator.backends.replica_network import ReplicaNetwork
from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.machine.devices import NO_DEVICES, Devices
from clarifai_emulator.machine.machine import Machine
from clarifai_emulator.models.progress import Progress
from clarifai_emulator.models.version_source import ModelSource

if TYPE_CHECKING:
    from clarifai_emulator.backends.docker.engine import Meeting
    from clarifai_emulator.dispatch.lean import LeanEnd
    from clarifai_emulator.models.directory import ModelDirectory


@dataclass(frozen=True, slots=True)
class Debugging:
    """The wish that a developer's editor may attach to a replica. ``port``: the emulator's, 0 for a free one.
    ``wait``: it loads its model once somebody has."""

    port: int = 0
    wait: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaSpec:
    """A replica to start. ``environ`` holds the ``CLARIFAI_*`` variables the platform sets, with the
    ``CLARIFAI_PAT`` that the model finds. ``credential``: the token that its work is fetched with, which may be
    another one.

    ``base_url`` is where the runner pulls work. ``num_threads`` 0 lets config.yaml decide. ``lean`` asks for the
    lean runner, which is fed over ``ReplicaProcess.connection`` instead of pulling. ``devices`` are its
    accelerators, ``secrets`` the variables that config.yaml asks for. ``cpu``, ``memory``: what its compute info
    allows it, as Kubernetes quantities; empty for no limit. ``machine``: id of the one it was placed on.
    ``replaces``: whose place it will take, so that it may run where that one does. ``debugging``: a debugger can
    attach to it.
    """

    replica_id: str
    source: ModelSource
    base_url: str
    environ: Mapping[str, str] = field(default_factory=dict[str, str])
    credential: str = ""
    num_threads: int = 0
    lean: bool = False
    devices: Devices = NO_DEVICES
    secrets: Mapping[str, str] = field(default_factory=dict[str, str])
    cpu: str = ""
    memory: str = ""
    machine: str = ""
    replaces: ReplicaProcess | None = None
    debugging: Debugging | None = None

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a replica that is a process: secrets, the platform's variables, devices."""
        return {**self.secrets, **self.environ, **self.devices.environ}


@dataclass(frozen=True, slots=True)
class Exit:
    """The end of a replica's process: its exit code, or the signal that ended it, or why in words."""

    code: int | None = None
    signal: int | None = None
    why: str = ""

    def __str__(self) -> str:
        if self.why:
            return self.why
        if self.signal is not None:
            return f"its process was ended by signal {self.signal}"
        return f"its process exited with code {self.code}"


async def no_listener(meeting: Meeting) -> int:
    """Refuse to listen for containers: there is no emulator here."""
    raise OSError(f"nothing listens at {meeting.listen}")


def nowhere() -> str:
    """Return the address of an emulator that does not listen."""
    return NOWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Describes the emulator that a backend is made for. ``machine``: the one it runs on. ``api_base()``: the
    platform's address as models see it, once the emulator listens. ``listen``: opens a listener for containers and
    gives its port. ``parent``: a warm parent of replicas that is started already, for the backend of processes.
    ``place``: where it runs replicas, if its name says so (``docker@ssh://host``)."""

    config: EmulatorConfig
    machine: Machine
    api_base: Callable[[], str] = nowhere
    listen: Callable[[Meeting], Awaitable[int]] = no_listener
    parent: Parent | None = None
    place: str = ""


class ReplicaProcess(Protocol):
    """A started replica."""

    @property
    def pid(self) -> int:
        """Process id on this machine; 0 when it has none here."""
        ...

    @property
    def connection(self) -> LeanEnd | None:
        """The emulator's end of what feeds a lean runner; None for a runner that pulls its work."""
        ...

    @property
    def reloads(self) -> socket.socket | None:
        """The emulator's end of a reloadable replica's socket (``reload_link.py``); None for all others."""
        ...

    @property
    def network(self) -> ReplicaNetwork | None:
        """The network whose ports it uses; None where its backend has walls of another kind, or none."""
        ...

    @property
    def debugger(self) -> asyncio.Future[int] | None:
        """The port of this machine at which its debugger listens, once it does; None where it has none."""
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
    """Places replicas on machines. Every method raises ``ModelError`` when it cannot do its part."""

    name: str

    @property
    def machines(self) -> Sequence[Machine]:
        """Return the machines that it places replicas on, the preferred one first. Raises ``NoRoom`` while they are
        not known."""
        ...

    async def warm(self) -> None:
        """Do now what the first replica would otherwise wait for."""
        ...

    async def prepare(
        self, directory: ModelDirectory, progress: Progress, *, is_watched: bool = False
    ) -> ModelSource:
        """Make whatever a replica of this model needs: an interpreter with its packages, an image. ``is_watched``:
        the dev loop will edit it."""
        ...

    async def start(self, spec: ReplicaSpec, on_line: Callable[[str], None]) -> ReplicaProcess:
        """Start a replica; each line it prints goes to ``on_line``."""
        ...

    async def signatures(self, source: ModelSource) -> Sequence[Any]:
        """The ``MethodSignature`` messages of a model, read by importing its ``model.py``."""
        ...

    async def close(self) -> None:
        """End everything that was started."""
        ...
