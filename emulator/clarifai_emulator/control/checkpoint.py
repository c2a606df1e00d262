"""Takes an account back to an earlier moment: what came since goes, what was changed is as it was.

Used for a short account within a longer one: a test whose module has deployed models before it. Runs in the
emulator's event loop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clarifai_emulator.emulator import Emulator
from clarifai_emulator.store import Key, Kind

IsWhose = Callable[[str], bool]


class Checkpoint:
    """Holds the resources and faults of the users that ``owns`` names, as they are now."""

    def __init__(self, emulator: Emulator, owns: IsWhose) -> None:
        self._emulator = emulator
        self._owns = owns
        self._items = dict(self._now())
        self._faults = {id(active) for active in emulator.faults}

    async def restore(self) -> None:
        """Bring that back. Replicas that are idle stay warm, for the next deployment of the same code."""
        emulator, store = self._emulator, self._emulator.store
        for active in emulator.faults:
            if id(active) not in self._faults and self._owns(active.user_id):
                emulator.faults.drop(active)
        added = [each for each in self._now() if each not in self._items]
        deployments = [(key[0], key[1]) for kind, key in added if kind == Kind.DEPLOYMENT]
        ending = await emulator.supervisor.release_deployments(deployments)
        for kind, key in added:
            store.delete(kind, key)
        await emulator.replicas.end(ending, grace=0)
        for (kind, key), item in self._items.items():
            if store.get(kind, key) is not item:
                store.put(kind, key, item)

    def _now(self) -> dict[tuple[Kind, Key], Any]:
        store = self._emulator.store
        # Runners come and go with replicas, whoever's they are.
        kinds = [kind for kind in store.kinds if kind != Kind.RUNNER]
        return {
            (kind, key): store.get(kind, key) for kind in kinds for key in store.keys(kind) if self._owns(key[0])
        }
