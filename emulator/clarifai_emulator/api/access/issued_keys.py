"""Reads the keys that PostKeys made as credentials: who shows up with one, and what it may do."""

from __future__ import annotations

from typing import Any

from clarifai_emulator.api.access.auth import Caller
from clarifai_emulator.resources.credential_rows import PAT
from clarifai_emulator.resources.scopes import granted
from clarifai_emulator.store import Kind, Store


class IssuedKeys:
    """Finds the caller of a key. What is deleted or changed in the store counts at once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.add_index(Kind.KEY, lambda key: (key.id,))

    def find(self, token: str) -> Caller | None:
        """Return the caller whose key this is; None when there is no such key."""
        for owner, key_id in self._store.find_keys(Kind.KEY, token):
            return caller_of(self._store.get(Kind.KEY, (owner, key_id)), owner)
        return None


def caller_of(key: Any, owner: str) -> Caller:
    """Return who shows up with this key of ``owner``, and what it may do."""
    return Caller(
        key.organization_id or owner,
        scopes=granted(key.scopes),
        expires_at=key.expires_at.seconds if key.HasField("expires_at") else None,
        endpoints=frozenset(key.endpoints) or None,
        app_id=None if key.type == PAT else next((app.id for app in key.apps), ""),
    )
