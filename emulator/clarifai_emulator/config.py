"""Defines the emulator's configuration: one frozen object, checked whole, made by the CLI, the plugin or a test."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from clarifai_emulator.backend_table import BACKENDS, DEFAULT_BACKEND, listed
from clarifai_emulator.behaviour import Behaviour
from clarifai_emulator.errors import ConfigError

DEFAULT_PORT = 7878
# Where any token is taken, the one that is shown.
ANY_TOKEN = "local-emulator-token"
DEFAULT_HOLD_SECONDS = 120.0
PROBE_SECONDS = 10.0
REPLICA_PROCESSES = 4096
MEBIBYTE = 1024 * 1024
# What the platform sets for a replica (``nodepools/launch_spec.py``), beside CLARIFAI_PAT: a model may be given a
# token of its own, while its runner keeps the replica's.
SET_FOR_REPLICAS = (
    "CLARIFAI_API_BASE",
    "CLARIFAI_COMPUTE_CLUSTER_ID",
    "CLARIFAI_NODEPOOL_ID",
    "CLARIFAI_RUNNER_ID",
    "CLARIFAI_RUNNER_REPLICA_ID",
    "CLARIFAI_USER_ID",
)
_VARIABLE = re.compile(r"[A-Za-z_*][A-Za-z0-9_*]*")
_HOST_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", re.IGNORECASE)
_ORIGIN = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^/\s]+/?")


def default_cache_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of model environments, kept between runs (``$XDG_CACHE_HOME/clarifai-emulator``)."""
    base = environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "clarifai-emulator"


def default_run_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder where running emulators say how to reach them (``$XDG_STATE_HOME/clarifai-emulator``)."""
    base = environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return Path(base) / "clarifai-emulator"


def own_environ() -> Mapping[str, str]:
    """Return the environment of this process, as it is now."""
    return os.environ


DURABILITIES = ("machine", "process")
# The public image that the SDK's own Dockerfile begins with.
DEFAULT_BASE_IMAGE = (
    "public.ecr.aws/clarifai-models/python-base:{python_version}-77e4ad7daeb7a3b175702a1dc5778f22f35ff7a8"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerSettings:
    """The settings for building and running replicas in containers.

    ``engine``: address of the engine, or a Docker context, empty to find one. ``advertise``: this machine's
    addresses as containers of engines elsewhere reach it, ``ADDRESS`` or ``ENGINE=ADDRESS``. ``base_image``:
    the image that generated images begin with; ``{python_version}`` is config.yaml's. ``build_args``: for every
    build, besides proxies and package indexes of the environment. ``ca_file``: certificates that builds and
    models trust too. ``builder``: the engine's classic one, BuildKit, or whichever a Dockerfile needs.
    ``listen``: this machine's address as containers reach it, empty to find it. ``secrets``: hand a model's
    secrets to its container as environment variables, or as files below CLARIFAI_SECRETS_PATH, which ``docker
    inspect`` does not show. ``limits``: hold containers to the CPU and memory of their compute info.
    """

    engine: str = ""
    advertise: tuple[str, ...] = ()
    base_image: str = DEFAULT_BASE_IMAGE
    build_args: Mapping[str, str] = field(default_factory=dict[str, str])
    ca_file: Path | None = None
    builder: Literal["auto", "classic", "buildkit"] = "auto"
    listen: str = ""
    limits: bool = True
    secrets: Literal["environment", "files"] = "environment"

    def advertised_to(self, engine: str) -> str:
        """Return this machine's address for the containers of an engine; empty where none is named."""
        of_engines = {name: address for name, _, address in (each.rpartition("=") for each in self.advertise)}
        return of_engines.get(engine) or of_engines.get("", "")

    def problems(self) -> Iterator[str]:
        """Yield a sentence for each impossible setting."""
        for each in self.advertise:
            if not _HOST_NAME.fullmatch(each.rpartition("=")[2]):
                yield f"advertise must hold addresses or names of this machine, without scheme, got {each!r}"
        if self.ca_file is not None and not self.ca_file.is_file():
            yield f"CA file {self.ca_file} does not exist"
        if self.builder not in ("auto", "classic", "buildkit"):
            yield f"docker builder must be 'auto', 'classic' or 'buildkit', got {self.builder!r}"
        if self.secrets not in ("environment", "files"):
            yield f"docker secrets must be 'environment' or 'files', got {self.secrets!r}"
        if not self.base_image:
            yield "docker base image must not be empty"
        try:
            self.base_image.format(python_version="3.12")
        except (KeyError, IndexError, ValueError):
            yield f"docker base image may have {{python_version}} and no other braces, got {self.base_image!r}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorConfig:
    """The settings of one emulator. Times are seconds, sizes are bytes.

    ``port`` 0 takes a free one. ``pats`` maps accepted tokens to their users, ``pats_file`` names users,
    organisations and tokens with scopes and expiry (``api/access/pats_file.py``); without both, any well-formed
    token is ``user_id``. ``hold_seconds`` bounds how long a request waits for a replica: one that has
    to start (then it is answered 21351), or one that is free (21354); ``request_seconds`` bounds the whole request.
    ``reclaim_seconds`` is how long a model may go on with a request whose client has gone or whose time is up,
    before its replica is replaced. ``probe_seconds``: how often a replica is asked whether it is alive and ready,
    and how long an answer may take. ``replica_processes`` bounds the processes and threads of a replica.
    ``queue_size`` bounds how many requests of one deployment may wait.
    ``call_depth`` and ``call_fan_out`` bound the calls that models make while they answer a request: how deep they
    go, and how many of one request may be open.
    ``num_threads`` overrides how many requests a replica takes at once.
    ``backend``: where replicas run, in processes of their own, in the emulator's, or in containers; a nodepool
    may say otherwise. ``docker``: for containers. ``accelerators``: simulated ones instead of this machine's
    (``simulated:2xNVIDIA-A10G``). ``strict_capacity``: this machine's own nodepools place no more than its CPUs
    and memory; without it a model runs on the machine at hand, and it is said by how much that is smaller.
    ``runner``: ``lean`` hands each request straight to a thread of its replica, wherever the SDK in the model's
    environment has what that stands on; ``genuine`` lets replicas fetch their work as on the platform. Containers
    always do.
    ``replica_network``: whose ports replicas in processes of their own use. ``own``: each has a loopback of its own
    where the kernel lets it; elsewhere as with ``watched``, where a model is kept from the servers of other
    replicas; ``shared``: nobody looks.
    ``replica_access``: what a replica's CLARIFAI_PAT opens: ``owner`` asks models and reads in its owner's name,
    ``work-only`` is good for fetching the replica's work and nothing else.
    ``contract``: what to do with requests and results that disagree with a model's signatures: ``record`` a finding
    and answer as the platform would, refuse them (``strict``), or do not look (``off``).
    ``data_dir``: the directory that keeps resources, uploaded versions and logs over restarts; None keeps
    nothing. ``durability``: whether what was answered survives a crash of the ``machine``, or of the ``process``
    alone, which writes faster.
    ``behaviour``: what was chosen where the platform's way is unknown or hinders.
    ``cors``: whose pages may use the HTTP endpoints from a browser; ``localhost`` for those of this machine, ``*``
    for all. ``allow_hosts``: further names by which HTTP clients call the emulator, where it is reached from other
    machines.
    ``max_upload_bytes``: the largest archive of an uploaded model version. ``max_connection_buffer_bytes`` and
    ``max_buffer_bytes`` bound the memory in which requests and answers wait, of one connection and of all.
    ``debug``: let an editor's debugger attach to every deployment, at this port and those after it (0: any free
    ones); ``debug_wait``: replicas load their model once one has.
    ``start_method``: ``fork`` from a warm parent, ``spawn`` a process per replica, or ``auto``.
    ``refuse_platform``: keep models from calling the real platform, for tests.
    ``run_token``: the token that is good for everything where any is taken, whoever's connection it comes by; empty
    to make one.
    ``environ`` gives the environment that the builds of models' environments and the client of the container engine
    have, asked for each time. Replicas get a part of it (``backends/replica_environ.py``), and what ``env``
    names: ``NAME`` of it, ``AWS_*`` for all that begin so, or ``NAME=VALUE``.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    user_id: str = "me"
    pats: Mapping[str, str] = field(default_factory=dict[str, str])
    pats_file: Path | None = None
    topology: tuple[Path, ...] = ()
    hold_seconds: float = DEFAULT_HOLD_SECONDS
    request_seconds: float = 1800.0
    reclaim_seconds: float = 60.0
    queue_size: int = 128
    call_depth: int = 16
    call_fan_out: int = 1000
    num_threads: int | None = None
    start_method: Literal["auto", "fork", "spawn"] = "auto"
    contract: Literal["record", "strict", "off"] = "record"
    backend: str = DEFAULT_BACKEND
    docker: DockerSettings = field(default_factory=DockerSettings)
    accelerators: str = ""
    strict_capacity: bool = False
    runner: Literal["lean", "genuine"] = "lean"
    replica_network: Literal["own", "watched", "shared"] = "own"
    replica_access: Literal["owner", "work-only"] = "owner"
    debug: int | None = None
    debug_wait: bool = False
    durability: str = "machine"
    data_dir: Path | None = None
    behaviour: Behaviour = field(default_factory=Behaviour)
    cors: tuple[str, ...] = ()
    allow_hosts: tuple[str, ...] = ()
    max_message_bytes: int = 128 * MEBIBYTE
    max_upload_bytes: int = 16 * 1024 * MEBIBYTE
    max_connection_buffer_bytes: int = 512 * MEBIBYTE
    max_buffer_bytes: int = 2048 * MEBIBYTE
    stop_seconds: float = 5.0
    probe_seconds: float = PROBE_SECONDS
    replica_processes: int = REPLICA_PROCESSES
    cache_dir: Path = field(default_factory=default_cache_dir)
    run_dir: Path | None = None
    run_token: str = field(default="", repr=False)
    refuse_platform: bool = False
    environ: Callable[[], Mapping[str, str]] = field(default=own_environ, repr=False)
    env: tuple[str, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        problems = self._problems()
        if problems:
            raise ConfigError("The emulator's configuration cannot be used:", problems)

    def _problems(self) -> list[str]:
        return [
            *self._address_problems(),
            *self._account_problems(),
            *self._limit_problems(),
            *self._replica_problems(),
            *self._size_problems(),
        ]

    def _address_problems(self) -> Iterator[str]:
        if not 0 <= self.port <= 65535:
            yield f"port must be between 0 and 65535, got {self.port}"
        if ":" in self.host:
            yield f"host must be an IPv4 address or a name, got {self.host!r}"
        for origin in self.cors:
            if origin not in ("*", "localhost", "null") and not _ORIGIN.fullmatch(origin):
                yield (
                    "cors must hold origins like http://localhost:3000, localhost for every port of this machine, "
                    f"null for pages opened from files, or *, got {origin!r}"
                )
        for name in self.allow_hosts:
            if not _HOST_NAME.fullmatch(name):
                yield f"allow_hosts must hold names like models.example.com, without scheme and port, got {name!r}"

    def _account_problems(self) -> Iterator[str]:
        if not self.user_id:
            yield "user_id must not be empty"
        if not all(pat and user for pat, user in self.pats.items()):
            yield "pats must map non-empty tokens to non-empty user ids"
        if self.pats_file is not None and not self.pats_file.is_file():
            yield f"pats file {self.pats_file} does not exist"
        if self.data_dir is not None and self.data_dir.exists() and not self.data_dir.is_dir():
            yield f"state must be a directory, {self.data_dir} is a file"
        for path in self.topology:
            if not path.is_file():
                yield f"topology file {path} does not exist"

    def _replica_problems(self) -> Iterator[str]:
        if self.probe_seconds <= 0:
            yield f"probe_seconds must be more than 0, got {self.probe_seconds}"
        if self.replica_processes < 32:
            yield f"replica_processes must be at least 32, got {self.replica_processes}"

    def _limit_problems(self) -> Iterator[str]:
        for name in ("hold_seconds", "request_seconds", "reclaim_seconds", "stop_seconds"):
            if getattr(self, name) < 0:
                yield f"{name} must not be negative, got {getattr(self, name)}"
        if self.num_threads is not None and self.num_threads < 1:
            yield f"num_threads must be at least 1, got {self.num_threads}"
        if self.backend not in BACKENDS:
            yield f"backend must be {listed()}, got {self.backend!r}"
        if self.debug is not None and not 0 <= self.debug <= 65535:
            yield f"debug must be a port between 0 and 65535, got {self.debug}"
        if self.contract not in ("record", "strict", "off"):
            yield f"contract must be 'record', 'strict' or 'off', got {self.contract!r}"
        yield from self.docker.problems()
        yield from self._env_problems()
        yield from self.behaviour.problems()
        if self.durability not in DURABILITIES:
            yield f"durability must be {' or '.join(DURABILITIES)}, got {self.durability!r}"
        if self.replica_network not in ("own", "watched", "shared"):
            yield f"replica_network must be 'own', 'watched' or 'shared', got {self.replica_network!r}"
        if self.replica_access not in ("owner", "work-only"):
            yield f"replica_access must be 'owner' or 'work-only', got {self.replica_access!r}"
        if self.runner not in ("genuine", "lean"):
            yield f"runner must be 'lean' or 'genuine', got {self.runner!r}"

    def _size_problems(self) -> Iterator[str]:
        for name in ("queue_size", "call_depth", "call_fan_out"):
            if getattr(self, name) < 1:
                yield f"{name} must be at least 1, got {getattr(self, name)}"
        if self.max_upload_bytes < 1:
            yield f"max_upload_bytes must be at least 1, got {self.max_upload_bytes}"
        connection, everything = self.max_connection_buffer_bytes, self.max_buffer_bytes
        if connection < MEBIBYTE:
            yield f"max_connection_buffer_bytes must be at least {MEBIBYTE}, got {connection}"
        if everything < connection:
            yield f"max_buffer_bytes must be at least max_connection_buffer_bytes ({connection}), got {everything}"

    def _env_problems(self) -> Iterator[str]:
        for each in self.env:
            name, equals, _ = each.partition("=")
            if name in SET_FOR_REPLICAS:
                yield f"env must not name {name}: the emulator sets it for each replica"
            elif not _VARIABLE.fullmatch(name) or (equals and "*" in name):
                yield f"env must hold names like OPENAI_API_KEY or AWS_*, or NAME=VALUE, got {name!r}"

    @property
    def is_loopback(self) -> bool:
        """Tell whether only this machine can connect."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def knows_tokens(self) -> bool:
        """Tell whether only certain tokens are accepted."""
        return bool(self.pats) or self.pats_file is not None

    def url(self, port: int) -> str:
        """Return the base URL of the emulator at this port."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "") else self.host  # noqa: S104 - compared, not bound
        return f"http://{host}:{port}"

    @property
    def exposure(self) -> str:
        """Return a warning about an address that other machines reach; empty for a loopback address."""
        if self.is_loopback:
            return ""
        everywhere = self.host in ("", "0.0.0.0")  # noqa: S104 - compared, not bound
        where = "every network address of this machine" if everywhere else self.host
        who = (
            "Whoever has one of the accepted tokens can"
            if self.knows_tokens
            else f"Every token is accepted, so anybody is user {self.user_id!r} and can"
        )
        remedy = "" if self.knows_tokens else " Name the accepted tokens with --pats FILE."
        return (
            f"{self.host or where} is not a loopback address: the emulator listens on {where}, and other machines "
            f"can reach every RPC. {who} run, change and delete the models and deployments here and read what "
            "they answer. There is no encryption: whoever sees the traffic reads the tokens and the data."
            f"{remedy} Without --host, only this machine reaches it."
        )
