"""Holds every resource, as the platform's own protobuf messages.

A resource's key is its path of ids below the platform: ``("me", "cluster", "nodepool")``. Every
proper prefix of a key is indexed, so a listing costs as much as its page, not as the store. Messages in the
store are never changed in place: copy, change, ``put`` again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from itertools import islice
from typing import Any, ClassVar, TypeVar

Key = tuple[str, ...]
Watcher = Callable[["Kind", Key], None]
Table = TypeVar("Table")


class Kind(str):
    """Names a kind of resource. Each has a row in ``resources.kind_table``; a further row brings its own."""

    __slots__ = ()

    # Each with the ids that make its key.
    USER: ClassVar[Kind]  # user
    APP: ClassVar[Kind]  # user, app
    MODEL: ClassVar[Kind]  # user, app, model
    MODEL_VERSION: ClassVar[Kind]  # user, app, model, version
    COMPUTE_CLUSTER: ClassVar[Kind]  # user, cluster
    NODEPOOL: ClassVar[Kind]  # user, cluster, nodepool
    DEPLOYMENT: ClassVar[Kind]  # user, deployment
    RUNNER: ClassVar[Kind]  # user, cluster, nodepool, runner
    KEY: ClassVar[Kind]  # user, key
    SECRET: ClassVar[Kind]  # user, secret
    ARTIFACT: ClassVar[Kind]  # user, app, artifact
    ARTIFACT_VERSION: ClassVar[Kind]  # user, app, artifact, version
    PIPELINE: ClassVar[Kind]  # user, app, pipeline
    PIPELINE_VERSION: ClassVar[Kind]  # user, app, pipeline, version
    PIPELINE_RUN: ClassVar[Kind]  # user, app, pipeline, version, run
    PIPELINE_STEP: ClassVar[Kind]  # user, app, step
    PIPELINE_STEP_VERSION: ClassVar[Kind]  # user, app, step, version
    WORKFLOW: ClassVar[Kind]  # user, app, workflow
    WORKFLOW_VERSION: ClassVar[Kind]  # user, app, workflow, version
    SOURCE: ClassVar[Kind]  # user, app, model, version -> models.version_source.ModelSource


Kind.USER = Kind("user")
Kind.APP = Kind("app")
Kind.MODEL = Kind("model")
Kind.MODEL_VERSION = Kind("model_version")
Kind.COMPUTE_CLUSTER = Kind("compute_cluster")
Kind.NODEPOOL = Kind("nodepool")
Kind.DEPLOYMENT = Kind("deployment")
Kind.RUNNER = Kind("runner")
Kind.KEY = Kind("key")
Kind.SECRET = Kind("secret")
Kind.ARTIFACT = Kind("artifact")
Kind.ARTIFACT_VERSION = Kind("artifact_version")
Kind.PIPELINE = Kind("pipeline")
Kind.PIPELINE_VERSION = Kind("pipeline_version")
Kind.PIPELINE_RUN = Kind("pipeline_version_run")
Kind.PIPELINE_STEP = Kind("pipeline_step")
Kind.PIPELINE_STEP_VERSION = Kind("pipeline_step_version")
Kind.WORKFLOW = Kind("workflow")
Kind.WORKFLOW_VERSION = Kind("workflow_version")
Kind.SOURCE = Kind("source")

NAMED = tuple(kind for kind in vars(Kind).values() if isinstance(kind, Kind))


class _ByKind(dict[Kind, Table]):
    """Holds one table per kind, and refuses a kind that has none."""

    def __missing__(self, kind: Kind) -> Table:
        raise KeyError(f"no row of the table of resources describes the kind {kind!r}")


class Leavings:
    """Holds what a store held before its reset, until it is given back to the system, some at a time: to give back
    a thousand messages at once takes longer than all else that a reset does."""

    def __init__(self, tables: list[dict[Any, Any]]) -> None:
        self._tables = tables

    def drop(self, most: int) -> bool:
        """Give back at most so many entries; return whether there are more."""
        while self._tables and most > 0:
            table = self._tables[-1]
            while table and most > 0:
                table.popitem()
                most -= 1
            if not table:
                self._tables.pop()
        return bool(self._tables)


class Store:
    """Holds all resources of one emulator. Used from the emulator's event loop only."""

    def __init__(self) -> None:
        self._items = _ByKind[dict[Key, Any]]()
        self._below = _ByKind[dict[Key, dict[Key, None]]]()
        self._index_of: dict[Kind, Callable[[Any], Iterable[Hashable]]] = {}
        self._indexed: dict[Kind, dict[Hashable, dict[Key, None]]] = {}
        self._watchers: list[Watcher] = []
        for kind in NAMED:
            self.add_kind(kind)

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Return every kind that the store can hold."""
        return tuple(self._items)

    def add_kind(self, kind: Kind) -> None:
        """Make room for a kind; nothing changes when there is some."""
        self._items.setdefault(kind, {})
        self._below.setdefault(kind, defaultdict(dict))

    def add_index(self, kind: Kind, values_of: Callable[[Any], Iterable[Hashable]]) -> None:
        """Make resources of ``kind`` findable by the values ``values_of`` gives for each (see ``find``)."""
        self._index_of[kind] = values_of
        self._indexed[kind] = defaultdict(dict)
        for key, item in self._items[kind].items():
            self._index(kind, key, item)

    def watch(self, watcher: Watcher) -> None:
        """Call ``watcher(kind, key)`` after every change."""
        self._watchers.append(watcher)

    def get(self, kind: Kind, key: Key) -> Any | None:
        """Return the resource with exactly this key, or None."""
        return self._items[kind].get(key)

    def put(self, kind: Kind, key: Key, item: Any, *, to_front: bool = False) -> None:
        """Add the resource, or replace the one with the same key. That one's place in listings stays, unless it
        goes ``to_front``, where new ones are."""
        old = self._items[kind].get(key)
        for depth in range(len(key)) if old is None or to_front else ():
            siblings = self._below[kind][key[:depth]]
            siblings.pop(key, None)
            siblings[key] = None
        self._items[kind][key] = item
        self._index(kind, key, item)
        if old is not None:
            # After the new values, so that a value that stays keeps its place.
            self._unindex(kind, key, old, keep=item)
        self._changed(kind, key)

    def delete(self, kind: Kind, key: Key) -> bool:
        """Remove the resource; False when there was none."""
        item = self._items[kind].pop(key, None)
        if item is None:
            return False
        self._unindex(kind, key, item)
        for depth in range(len(key)):
            siblings = self._below[kind][key[:depth]]
            del siblings[key]
            if not siblings:
                del self._below[kind][key[:depth]]
        self._changed(kind, key)
        return True

    def keys(self, kind: Kind, prefix: Key = ()) -> Iterator[Key]:
        """Return the keys below ``prefix``, newest first."""
        return reversed(self._below[kind].get(prefix, {}))

    def list(self, kind: Kind, prefix: Key = ()) -> Iterator[Any]:
        """Return the resources below ``prefix``, newest first."""
        items = self._items[kind]
        return (items[key] for key in self.keys(kind, prefix))

    def page(self, kind: Kind, prefix: Key, start: int, size: int) -> list[Any]:
        """Return ``size`` resources below ``prefix`` after the first ``start``, newest first."""
        return list(islice(self.list(kind, prefix), start, start + size))

    def newest(self, kind: Kind, prefix: Key) -> Any | None:
        """Return the resource that was added last below ``prefix``, or None."""
        return next(self.list(kind, prefix), None)

    def find(self, kind: Kind, value: Hashable) -> list[Any]:
        """Return the resources of an indexed kind that have this index value, in the order in which they got it."""
        items = self._items[kind]
        return [items[key] for key in self._indexed[kind].get(value, ())]

    def find_keys(self, kind: Kind, value: Hashable) -> list[Key]:
        """Return the keys of what ``find`` gives, in the same order."""
        return list(self._indexed[kind].get(value, ()))

    def count(self, kind: Kind, prefix: Key = ()) -> int:
        """Count the resources below ``prefix``."""
        return len(self._below[kind].get(prefix, ()))

    def reset(self) -> Leavings:
        """Forget every resource; indexes and watchers stay. Returns what was held."""
        held = (self._items, self._below, self._indexed)
        kinds = self.kinds
        self._items, self._below = _ByKind[dict[Key, Any]](), _ByKind[dict[Key, dict[Key, None]]]()
        self._indexed = {kind: defaultdict(dict) for kind in self._index_of}
        for kind in kinds:
            self.add_kind(kind)
        return Leavings([table for tables in held for table in tables.values() if table])

    def forget(self, is_whose: Callable[[str], bool]) -> None:
        """Delete every resource of these users."""
        for kind in self.kinds:
            for key in [key for key in self.keys(kind) if is_whose(key[0])]:
                self.delete(kind, key)

    def _index(self, kind: Kind, key: Key, item: Any) -> None:
        if kind in self._index_of:
            for value in self._index_of[kind](item):
                self._indexed[kind][value][key] = None

    def _unindex(self, kind: Kind, key: Key, item: Any, *, keep: Any | None = None) -> None:
        if kind in self._index_of:
            values_of = self._index_of[kind]
            kept = set(values_of(keep)) if keep is not None else set[Hashable]()
            for value in set(values_of(item)) - kept:
                self._indexed[kind][value].pop(key, None)
                if not self._indexed[kind][value]:
                    del self._indexed[kind][value]

    def _changed(self, kind: Kind, key: Key) -> None:
        for watcher in self._watchers:
            watcher(kind, key)
