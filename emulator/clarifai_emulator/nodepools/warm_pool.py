"""Keeps replicas that outlive a reset: idle, of no deployment, until the same model is deployed again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from clarifai_emulator.messages.address import NodepoolKey, RunnerKey
from clarifai_emulator.models.version_source import ModelSource
from clarifai_emulator.nodepools.fleet import ReplicaRecord

# Each holds a loaded model: the one that was parked first makes room.
_KEPT = 12


@dataclass(frozen=True, slots=True)
class _Place:
    """A parked replica and what it is good for."""

    record: ReplicaRecord
    source: ModelSource
    threads: int


class WarmPool:
    """The parked replicas, oldest first. ``end`` is called with one that is of no more use."""

    def __init__(self, end: Callable[[ReplicaRecord], None]) -> None:
        self._end = end
        self._places: dict[str, _Place] = {}

    def __contains__(self, record: ReplicaRecord) -> bool:
        return record.replica_id in self._places

    def __iter__(self) -> Iterator[ReplicaRecord]:
        return iter([place.record for place in self._places.values()])

    def put(self, record: ReplicaRecord, source: ModelSource, threads: int) -> None:
        """Keep it."""
        self._places[record.replica_id] = _Place(record, source, threads)
        for place in list(self._places.values())[:-_KEPT]:
            self._drop(place)

    def take(
        self,
        source: ModelSource,
        nodepool: NodepoolKey,
        threads: int,
        secrets: Mapping[str, str],
        is_free: Callable[[RunnerKey], bool],
    ) -> ReplicaRecord | None:
        """Take a replica that runs this code with these secrets in a nodepool of this name, and whose runner is
        free; it is kept no longer. Replicas of the same directory in another state are of no more use.
        """
        for place in list(self._places.values()):
            if place.source.path == source.path and place.source != source:
                self._drop(place)
            elif (
                place.source == source
                and place.threads == threads
                and place.record.secrets == secrets
                and place.record.nodepool == nodepool
                and is_free(place.record.runner_key)
            ):
                del self._places[place.record.replica_id]
                return place.record
        return None

    def give_up_devices(self) -> bool:
        """End those that hold accelerators, because somebody else asks for one; whether there were any."""
        holders = [place for place in self._places.values() if place.record.devices]
        for place in holders:
            self._drop(place)
        return bool(holders)

    def discard(self, record: ReplicaRecord) -> None:
        """Discard a replica whose process has ended, or is about to."""
        self._places.pop(record.replica_id, None)

    def _drop(self, place: _Place) -> None:
        del self._places[place.record.replica_id]
        self._end(place.record)
