"""Names the model that a replica serves, for those who only have the replica's id: its calls of other models."""

from __future__ import annotations

from collections.abc import Iterable

from clarifai_emulator.messages.address import ModelKey
from clarifai_emulator.nodepools.fleet import Fleet


def model_of_replica(fleets: Iterable[Fleet], replica_id: str) -> ModelKey | None:
    """Return the model of a replica; None for one that has ended, or that its user started."""
    found = (fleet.target.model_key for fleet in fleets if replica_id in fleet.records)
    return next(found, None)
