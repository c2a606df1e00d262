"""A resource of the store as bytes for the state file, and as JSON for people; and what of the store is kept.

Not kept is what this run made and the next one makes anew: Clarifai's shared compute, and the runners that the
emulator's own replicas belong to.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from clarifai_grpc.grpc.api import resources_pb2
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import DecodeError

from clarifai_emulator.catalogue import CLARIFAI_USER, USER_RUN
from clarifai_emulator.messages.json import as_dict
from clarifai_emulator.models.directory import ModelSource, WantedSecret, Watched
from clarifai_emulator.store import Key, Kind, Store

_MESSAGES: dict[Kind, Any] = {
    Kind.USER: resources_pb2.User,
    Kind.APP: resources_pb2.App,
    Kind.MODEL: resources_pb2.Model,
    Kind.MODEL_VERSION: resources_pb2.ModelVersion,
    Kind.COMPUTE_CLUSTER: resources_pb2.ComputeCluster,
    Kind.NODEPOOL: resources_pb2.Nodepool,
    Kind.DEPLOYMENT: resources_pb2.Deployment,
    Kind.RUNNER: resources_pb2.Runner,
    Kind.KEY: resources_pb2.Key,
    Kind.SECRET: resources_pb2.Secret,
}


class BadRecord(Exception):
    """A record that is none of the store's."""


def is_kept(store: Store, kind: Kind, key: Key) -> bool:
    """Whether a resource outlives the process."""
    if kind in (Kind.COMPUTE_CLUSTER, Kind.NODEPOOL):
        return key[0] != CLARIFAI_USER
    if kind is Kind.RUNNER:
        cluster = store.get(Kind.COMPUTE_CLUSTER, key[:2])
        return cluster is not None and cluster.cluster_type == USER_RUN
    return True


def kept(store: Store) -> Iterator[tuple[Kind, Key, Any]]:
    """Everything that outlives the process, oldest first within its kind."""
    for kind in Kind:
        for key in reversed(list(store.keys(kind))):
            if is_kept(store, kind, key):
                yield kind, key, store.get(kind, key)


def to_bytes(item: Any) -> bytes:
    """For the state file."""
    return _source_text(item).encode() if isinstance(item, ModelSource) else item.SerializeToString()


def from_bytes(kind: Kind, data: bytes) -> Any:
    """What ``to_bytes`` made. Raises ``BadRecord``."""
    try:
        return _source(json.loads(data)) if kind is Kind.SOURCE else _MESSAGES[kind].FromString(data)
    except (DecodeError, ValueError, KeyError, TypeError) as error:
        raise BadRecord(f"a {kind.value} that cannot be read: {error}") from None


def to_json(item: Any) -> Any:
    """For people and other machines."""
    if isinstance(item, ModelSource):
        return json.loads(_source_text(item))
    return as_dict(item)


def from_json(kind: Kind, content: Any) -> Any:
    """What ``to_json`` made. Raises ``BadRecord``."""
    try:
        return _source(content) if kind is Kind.SOURCE else ParseDict(content, _MESSAGES[kind]())
    except (ParseError, KeyError, TypeError, ValueError) as error:
        raise BadRecord(f"a {kind.value} that cannot be read: {error}") from None


def why_it_cannot_run(source: ModelSource) -> str:
    """What of a version's code is gone since it was deployed; empty when all is there."""
    if not source.path.is_dir():
        return f"its directory {source.path} is gone"
    # A container brings its own; its image is built again where it is gone.
    return "" if source.image or source.python.exists() else f"its Python environment {source.python} is gone"


def cannot_run(key: Key, source: ModelSource) -> str:
    """The same as a sentence about the version, with what to do."""
    why = why_it_cannot_run(source)
    return f"Version {key[3][:8]} of model {'/'.join(key[:3])} cannot run: {why}. Deploy it again."


def _source_text(source: ModelSource) -> str:
    fields = {**asdict(source), "path": str(source.path), "python": str(source.python)}
    return json.dumps(fields)


def _source(content: Any) -> ModelSource:
    """A record of an earlier release is of no dev loop and names no backend: whichever runs such a version prepares
    it anew, and finds its secrets then."""
    watched = content.get("watched")
    return ModelSource(
        Path(content["path"]),
        Path(content["python"]),
        content["content_hash"],
        content["environment"],
        backend=content.get("backend", ""),
        image=content.get("image", ""),
        secrets=tuple(WantedSecret(**each) for each in content.get("secrets", ())),
        watched=Watched(tuple(watched["include"]), tuple(watched["exclude"])) if watched is not None else None,
        mounted=content.get("mounted", False),
    )
