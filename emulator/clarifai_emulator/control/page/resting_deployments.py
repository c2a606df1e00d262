"""Describes deployments as JSON, those that nothing runs in only once: of thousands, most are such."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import Deployment

from clarifai_emulator.control.page.page_json import json_bytes
from clarifai_emulator.control.snapshot import describe_deployment, is_at_rest
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.nodepools.fleet import Fleet, Target
from clarifai_emulator.store import Key, Kind


class RestingDeployments:
    """Keeps the JSON of each deployment at rest, as long as it and what it is to run are the same."""

    def __init__(self) -> None:
        # The store changes no message in place, so the same message says the same.
        self._known: dict[Key, tuple[Deployment, list[Target], bytes]] = {}

    def of(self, emulator: Emulator) -> Iterator[bytes]:
        """Yield the JSON of every deployment."""
        keys = tuple(emulator.store.keys(Kind.DEPLOYMENT))
        if len(self._known) > len(keys):
            self._known = {key: self._known[key] for key in keys if key in self._known}
        for key in keys:
            deployment: Any = emulator.store.get(Kind.DEPLOYMENT, key)
            if deployment is not None:
                yield self._json(emulator, key, deployment)

    def _json(self, emulator: Emulator, key: Key, deployment: Deployment) -> bytes:
        fleets = emulator.supervisor.fleets.of_deployment(deployment.user_id, deployment.id)
        known = self._known.get(key)
        if known and known[0] is deployment and _still(fleets, known[1]):
            return known[2]
        text = json_bytes(describe_deployment(emulator, deployment))
        if all(map(is_at_rest, fleets)):
            self._known[key] = deployment, [fleet.target for fleet in fleets], text
        else:
            self._known.pop(key, None)
        return text


def _still(fleets: Sequence[Fleet], targets: list[Target]) -> bool:
    """Tell whether these are the fleets of before, with nothing to tell of."""
    return len(fleets) == len(targets) and all(
        fleet.target is target and is_at_rest(fleet) for fleet, target in zip(fleets, targets, strict=True)
    )
