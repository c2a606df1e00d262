"""Finds what an edit of topology files changed: new, different and gone items, each by its identity. Pure."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Generic, TypeVar

from clarifai_grpc.grpc.api.resources_pb2 import Worker

from clarifai_emulator.store import Kind
from clarifai_emulator.topology.files import Entry, ModelEntry, Topology

Item = TypeVar("Item")

# Singular words for people, by the field of Topology.
NOUNS = {
    "users": "user",
    "apps": "app",
    "secrets": "secret",
    "compute_clusters": "compute cluster",
    "nodepools": "nodepool",
    "models": "model",
    "deployments": "deployment",
    "workflows": "workflow",
    "faults": "faults",
    "stand_ins": "stand-in",
}
# What of a topology is in the store, by the field of Topology. Faults and stand-ins are of one run.
KINDS = {
    "users": Kind.USER,
    "apps": Kind.APP,
    "secrets": Kind.SECRET,
    "compute_clusters": Kind.COMPUTE_CLUSTER,
    "nodepools": Kind.NODEPOOL,
    "models": Kind.MODEL,
    "deployments": Kind.DEPLOYMENT,
    "workflows": Kind.WORKFLOW,
}
_WORKERS = ("worker", "desired_worker")
_WHAT_RUNS = frozenset((*_WORKERS, "deploy_latest_version"))


@dataclass(frozen=True, slots=True)
class KindChanges(Generic[Item]):
    """Holds the changes of one kind (a field of ``Topology``). ``changed``: pairs, as it was and as it is now."""

    kind: str
    new: tuple[Item, ...] = ()
    changed: tuple[tuple[Item, Item], ...] = ()
    gone: tuple[Item, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.new or self.changed or self.gone)


def changes(before: Topology, after: Topology) -> dict[str, KindChanges[Any]]:
    """Return the changes by kind, for every kind."""
    return {
        each.name: _change(each.name, getattr(before, each.name), getattr(after, each.name))
        for each in fields(Topology)
    }


def settings_of(before: Any, after: Any) -> list[str]:
    """Return the fields in which two messages differ."""
    return [
        field.name
        for field in after.DESCRIPTOR.fields
        if field.name != "id" and getattr(before, field.name) != getattr(after, field.name)
    ]


def fields_said(message: Any, stored: Any) -> list[str]:
    """Return the fields that a message has something to say about, to one that is there already. A model without
    a version is no other than the one that runs, whichever version that is."""
    return [
        field.name
        for field, value in message.ListFields()
        if field.name != "id" and not (field.name in _WORKERS and _runs_it(value, stored.desired_worker))
    ]


def fields_to_set(names: Sequence[str]) -> tuple[str, ...]:
    """Return the fields to set where these differ: which version a deployment runs is said by several together."""
    return tuple({*names, *_WHAT_RUNS}) if _WHAT_RUNS.intersection(names) else tuple(names)


def name_of(item: Any) -> str:
    """Name an item of a topology as a person calls it."""
    if isinstance(item, Entry):
        path = item.path if isinstance(item, ModelEntry) else None
        return str(item.message.id or path)
    return "/".join(item.model) if hasattr(item, "model") else str(item.fault)


def _runs_it(wanted: Worker, running: Worker) -> bool:
    model, there = wanted.model, running.model
    return not model.model_version.id and (model.user_id, model.app_id or there.app_id, model.id) == (
        there.user_id,
        there.app_id,
        there.id,
    )


def _change(kind: str, before: Sequence[Any], after: Sequence[Any]) -> KindChanges[Any]:
    if kind == "faults":  # they may have no name: all of them, or none
        same = [each.fault for each in before] == [each.fault for each in after]
        return KindChanges(kind) if same else KindChanges(kind, new=tuple(after), gone=tuple(before))
    identity = _IDENTITIES.get(kind, _identity)
    old, now = ({identity(each): each for each in items} for items in (before, after))
    return KindChanges(
        kind,
        new=tuple(each for key, each in now.items() if key not in old),
        changed=tuple(
            (old[key], each) for key, each in now.items() if key in old and _plain(old[key]) != _plain(each)
        ),
        gone=tuple(each for key, each in old.items() if key not in now),
    )


def _plain(item: Any) -> Any:
    """Without the place in the file."""
    return replace(item, where="")


def _identity(entry: Entry[Any]) -> Hashable:
    return entry.user_id, entry.message.id


_IDENTITIES: dict[str, Callable[[Any], Hashable]] = {
    "nodepools": lambda entry: (entry.user_id, entry.message.compute_cluster.id, entry.message.id),
    "models": lambda entry: (entry.user_id, entry.message.app_id, entry.message.id, entry.path),
    "stand_ins": lambda stand_in: stand_in.model,
    "workflows": lambda entry: (entry.user_id, entry.message.app_id, entry.message.id),
}
