"""Tells which requests a fault concerns: by RPC names, and names of models, deployments, nodepools and replicas.

A name is written with as many of its last parts as are needed: ``hello``, ``demo/hello`` or ``me/demo/hello`` for a
model, ``cpu``, ``local/cpu`` or ``me/local/cpu`` for a nodepool. Each part may have wildcards (``chat-*``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from urllib.parse import urlsplit

from clarifai_grpc.grpc.api import service_pb2

from clarifai_emulator.spelling import did_you_mean_or

INFERENCE = frozenset({"PostModelOutputs", "GenerateModelOutputs", "StreamModelOutputs"})
STREAMS = INFERENCE - {"PostModelOutputs"}
# Runners speak it, not clients.
_NOT_CLIENTS = "ProcessRunnerItems"


@dataclass(frozen=True, slots=True)
class Subject:
    """The facts known of a request at some moment. Keys as routing has them; empty: not known yet. ``caller``: the
    user who asks; ``calling``: the model that does, while it answers another request."""

    rpc: str
    model: tuple[str, ...] = ()
    deployment: tuple[str, ...] = ()
    nodepool: tuple[str, ...] = ()
    replica: str = ""
    caller: str = ""
    calling: tuple[str, ...] = ()


@cache
def rpc_names() -> tuple[str, ...]:
    """Every RPC of the platform that clients call."""
    methods = service_pb2.DESCRIPTOR.services_by_name["V2"].methods
    return tuple(method.name for method in methods if method.name != _NOT_CLIENTS)


def rpcs_like(pattern: str) -> frozenset[str]:
    """The RPCs that a name or pattern means; those of inference for an empty one. Raises ``ValueError``."""
    if not pattern:
        return INFERENCE
    if pattern == _NOT_CLIENTS:
        raise ValueError(f"{_NOT_CLIENTS} is for runners, not for clients; lose_replica breaks a runner")
    found = frozenset(name for name in rpc_names() if fnmatchcase(name, pattern))
    if not found:
        hint = did_you_mean_or(pattern, rpc_names(), "PostModelOutputs is one, Get* are many, * is all")
        raise ValueError(f"{pattern!r} is no RPC of the platform; {hint}")
    return found


def name_parts(text: str, form: str) -> tuple[str, ...]:
    """The parts of a written name whose whole form is ``form`` (``USER/APP/ID``); a model's may be a URL.

    Raises ``ValueError``.
    """
    path = urlsplit(text).path if "://" in text else text
    parts = path.strip("/").split("/")
    if len(parts) == 4 and parts[2] == "models":
        del parts[2]
    if not all(parts) or len(parts) > form.count("/") + 1:
        raise ValueError(f"{text!r} is no name; write its id or {form}, with * for any part")
    return tuple(parts)


def is_called(key: Sequence[str], parts: Sequence[str]) -> bool:
    """Tell whether a key ends with these parts. No parts: nothing was asked. No key: not known, so no."""
    if not parts:
        return True
    tail = key[-len(parts) :]
    return len(tail) == len(parts) and all(fnmatchcase(has, wants) for has, wants in zip(tail, parts, strict=True))
