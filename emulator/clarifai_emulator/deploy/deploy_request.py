"""Describes a deployment that somebody asks for, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clarifai_emulator.backends.backend import Debugging
from clarifai_emulator.deploy.first_compute import CPU_NODEPOOL
from clarifai_emulator.messages.address import ModelAddress, ModelKey
from clarifai_emulator.models.version_source import Watched

DEFAULT_NODEPOOL = CPU_NODEPOOL


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployRequest:
    """Order a deployment, at a place. Empty ids are chosen: the model's from config.yaml, the
    deployment's from the model's. ``instance``: an instance type; its nodepool is made if it is not there, and it
    is what the model asks for. ``min_replicas`` 0 starts nothing before the first request, unless something serves
    that it is to replace; ``max_replicas`` None is 5, or ``min_replicas`` where that is more. ``wait`` until a
    replica is ready, ``wait_seconds`` at most (None: as long as a request may take, but a minute for room that
    others hold). ``stop_first``: what serves is ended before the new one starts. ``must_fit``: refuse what can
    never start there, before anything is built. ``watched``: replicas are reloadable, and these files are their
    code. ``version_id``: which version the code is to be, over every edit of it; empty makes a new one of each.
    ``user_id``: whose account; the emulator's own user's if empty. ``debugging``: an editor may attach to its
    replica."""

    path: Path
    nodepool_id: str = DEFAULT_NODEPOOL
    instance: str = ""
    compute_cluster_id: str = ""
    deployment_id: str = ""
    model: str = ""  # USER/APP/models/ID, to deploy it under another name than config.yaml's
    min_replicas: int = 1
    max_replicas: int | None = None
    wait: bool = True
    wait_seconds: float | None = None
    stop_first: bool = False
    must_fit: bool = True
    watched: Watched | None = None
    version_id: str = ""
    user_id: str = ""
    debugging: Debugging | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """The result of ``deploy``. ``signatures`` are the version's ``MethodSignature`` messages."""

    model: ModelKey
    version_id: str
    is_new_version: bool
    user_id: str
    deployment_id: str
    compute_cluster_id: str
    nodepool_id: str
    environment: str
    seconds: float
    signatures: Sequence[Any] = field(default_factory=tuple)
    warnings: tuple[str, ...] = ()
    debug_port: int = 0  # where an editor attaches; 0 where none can
    waits_for_debugger: bool = False

    @property
    def model_url(self) -> str:
        """The model's address as the SDK takes it."""
        return ModelAddress(*self.model).url
