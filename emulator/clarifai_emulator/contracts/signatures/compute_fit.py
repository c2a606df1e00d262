"""Checks whether any nodepool of a topology has the compute that a model needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from clarifai_grpc.grpc.api.resources_pb2 import ComputeInfo, InstanceType

from clarifai_emulator.catalogue import Catalogue, fits
from clarifai_emulator.left_out import of_the_whole

Offer = tuple[str, InstanceType]


def offers_of(topology: Sequence[Path]) -> list[Offer]:
    """Return every instance type of every nodepool, with the nodepool's id. Raises ``ConfigError``."""
    return list(_offers(topology)) if topology else []


def _offers(topology: Sequence[Path]) -> Iterator[Offer]:
    with of_the_whole("`contract show --topology`"):
        from clarifai_emulator.topology.files import load_topology

    catalogue = Catalogue()
    for entry in load_topology(topology).nodepools:
        for instance in entry.message.instance_types:
            yield entry.message.id, catalogue.resolve(instance)


def why_unmet(required: ComputeInfo, offers: Sequence[Offer]) -> str:
    """Say why none of them fits, one reason for each; empty when one does, or when there is none to ask."""
    reasons: list[str] = []
    for nodepool, instance in offers:
        reason = fits(required, instance)
        if not reason:
            return ""
        reasons.append(f"{nodepool} ({instance.id}): {reason}")
    return "; ".join(reasons)
