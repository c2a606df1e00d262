"""Lists the backends that nodepools can run replicas with: name, summary, abilities and factory of each.

Configuration, topology files, the command line and the documentation read this table; whoever adds a row adds a
backend.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

# Metadata travels with a nodepool through the API; on the platform this key means nothing.
BACKEND_KEY = "emulator_backend"
# Names the container engine of a nodepool, as ``--docker-host`` names that of all others.
DOCKER_HOST_KEY = "emulator_docker_host"


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """Describes what replicas of a backend can do.

    ``isolation``: the wall around a replica. ``gpus``: accelerators of its machine can be passed to it. ``reload``:
    edited code can be swapped in. ``warm_start``: what is worth starting before the first deployment: a parent that
    replicas are forked from, the connection to an engine, or nothing. ``lean``: it can run the lean runner.
    ``debugging``: where a debugger is: in an editor, at the emulator's terminal, or nowhere. ``own_system``: a
    replica sees its image's programs and files, and not those of the machine.
    """

    isolation: Literal["thread", "process", "container"]
    gpus: bool = True
    reload: bool = True
    warm_start: Literal["parent", "engine", "nothing"] = "nothing"
    lean: bool = True
    debugging: Literal["editor", "terminal", "none"] = "none"
    own_system: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendRow:
    """Describes one backend. ``summary`` completes "replicas run …"; ``factory`` makes it of its
    ``backends.backend.Surroundings``, named as ``module:function`` so that it is imported when it is first used."""

    name: str
    summary: str
    abilities: Abilities
    factory: str | Callable[[Any], Any]

    def load(self) -> Callable[[Any], Any]:
        """Import the factory."""
        factory = self.factory
        if isinstance(factory, str):
            module, _, function = factory.partition(":")
            factory = getattr(importlib.import_module(module), function)
        return factory

    def make(self, surroundings: object) -> Any:
        """Make the backend."""
        return self.load()(surroundings)


_ROWS = (
    BackendRow(
        name="process",
        summary="in processes of their own",
        abilities=Abilities(isolation="process", warm_start="parent", debugging="editor"),
        factory="clarifai_emulator.backends.process.process_backend:make_backend",
    ),
    BackendRow(
        name="inprocess",
        summary="(for debugging) in the emulator's",
        abilities=Abilities(isolation="thread", debugging="terminal"),
        factory="clarifai_emulator.backends.inprocess:make_backend",
    ),
    BackendRow(
        name="docker",
        summary="in containers",
        abilities=Abilities(isolation="container", warm_start="engine", lean=False, own_system=True),
        factory="clarifai_emulator.backends.docker.docker_backend:make_backend",
    ),
)
BACKENDS: dict[str, BackendRow] = {row.name: row for row in _ROWS}
DEFAULT_BACKEND = "process"


def backend_at(name: str, place: str) -> str:
    """Return the name of a backend that runs replicas at a place of its own: ``docker@ssh://host``."""
    return f"{name}@{place}" if place else name


def row_and_place(name: str) -> tuple[BackendRow, str]:
    """Return the row of a backend, and the place that its name says. Raises ``KeyError``."""
    row, _, place = name.partition("@")
    return BACKENDS[row], place


def abilities_of(name: str) -> Abilities:
    """Return what the backend of this name can do."""
    return row_and_place(name)[0].abilities


def summaries() -> str:
    """Return the summaries of all backends, as one part of a sentence after "replicas run"."""
    *others, last = (row.summary for row in BACKENDS.values())
    return ", ".join([*others, f"or {last}"])


def listed(names: list[str] | None = None) -> str:
    """List the backends for a message: ``'process', 'inprocess' or 'docker'``."""
    quoted = [repr(each) for each in names or BACKENDS]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)
