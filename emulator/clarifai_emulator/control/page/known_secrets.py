"""Gathers the secrets that an emulator knows, none of which a browser is to see, wherever they stand."""

from __future__ import annotations

from collections.abc import Iterator

from clarifai_emulator.emulator import Emulator
from clarifai_emulator.models.version_source import ModelSource
from clarifai_emulator.store import Kind


def known_secrets(emulator: Emulator) -> Iterator[str]:
    """Yield the tokens that users have, secrets of the platform and of models' config.yaml, and keys."""
    store = emulator.store
    yield emulator.pat
    yield from emulator.accounts.callers
    for secret in store.list(Kind.SECRET):
        yield secret.value
    for key in store.list(Kind.KEY):
        yield key.id
    for source in store.list(Kind.SOURCE):
        if isinstance(source, ModelSource):
            yield from (each.value for each in source.secrets)
