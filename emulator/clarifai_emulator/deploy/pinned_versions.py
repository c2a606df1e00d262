"""Keeps model versions whose id a topology gives: local code under the id that a production deployment pins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from clarifai_grpc.grpc.api.resources_pb2 import ModelVersion
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.errors import CallerError, ModelError, NoRoom
from clarifai_emulator.messages.address import ModelKey
from clarifai_emulator.models.version_source import ModelSource
from clarifai_emulator.models.versions import is_building
from clarifai_emulator.nodepools.fleet import Fleet
from clarifai_emulator.nodepools.supervisor import Supervisor
from clarifai_emulator.store import Kind, Store

# In the metadata of such a version, so that it is kept over restarts.
PINNED = "emulator_pinned"


class PinnedVersions:
    """Finds them, and exchanges what they run."""

    def __init__(self, store: Store, supervisor: Supervisor) -> None:
        self._store = store
        self._supervisor = supervisor

    def id_of(self, model: ModelKey, path: Path) -> str:
        """Return the id that the code in this directory keeps; empty when it has none."""
        for version in self._store.list(Kind.MODEL_VERSION, model):
            source = self._store.get(Kind.SOURCE, (*model, version.id))
            if is_pinned(version) and isinstance(source, ModelSource) and source.path == path:
                return version.id
        return ""

    def require_free(self, model: ModelKey, version_id: str, path: Path) -> None:
        """Raise ``CallerError`` when the id is another code's already."""
        key = (*model, version_id)
        version: ModelVersion | None = self._store.get(Kind.MODEL_VERSION, key)
        source: ModelSource | None = self._store.get(Kind.SOURCE, key)
        if version is None or (source is None and not is_building(version)):
            return  # nobody's, or one that is only named
        if source is not None and source.path == path:
            return
        where = f"the code in {source.path}" if source is not None else "an upload that is being built"
        raise CallerError(
            StatusCode.MODEL_INVALID_ARGUMENT,
            f"Version {version_id!r} of model {'/'.join(model)!r} is {where} already, so {path} cannot have it.",
            hint="Give each directory a model_version.id of its own.",
        )

    def release(self, model: ModelKey, version_id: str) -> None:
        """Give a version's id no more: the next edit of its code makes a new version."""
        known: ModelVersion | None = self._store.get(Kind.MODEL_VERSION, (*model, version_id))
        if known is not None and is_pinned(known):
            version = ModelVersion()
            version.CopyFrom(known)
            del version.metadata.fields[PINNED]
            self._store.put(Kind.MODEL_VERSION, (*model, version_id), version)

    async def exchange(self, model: ModelKey, version: ModelVersion, source: ModelSource) -> None:
        """Let the version of this id be this code from now on, once it is live wherever the version runs. Raises
        ``ModelError``, and then it is what it was."""
        for fleet in tuple(self._running(model, version.id)):
            await self._replace(fleet, version, source)
        self._store.put(Kind.MODEL_VERSION, (*model, version.id), version)
        self._store.put(Kind.SOURCE, (*model, version.id), source)

    async def _replace(self, fleet: Fleet, version: ModelVersion, source: ModelSource) -> None:
        before = fleet.target
        fleet.target = replace(before, version=version, source=source)
        replacement = self._supervisor.replacement(fleet.lane.key)
        try:
            code, _ = await replacement.load()
            if source.watched is not None and code != source.content_hash:
                raise ModelError("Files of the model changed while it was loaded.", hint="Save them once more.")
            await replacement.serve(code)
        except BaseException as error:
            fleet.target = before
            replacement.give_up("its code cannot be used")
            if isinstance(error, NoRoom):
                raise ModelError(f"There is no room for it: {error}.") from None
            raise
        replacement.finish("edited code has taken its place")

    def _running(self, model: ModelKey, version_id: str) -> Iterator[Fleet]:
        for fleet in self._supervisor.fleets.values():
            is_it = fleet.target.model_key == model and fleet.target.version.id == version_id
            if is_it and fleet.active and not fleet.retired:
                yield fleet


def is_pinned(version: ModelVersion) -> bool:
    """Tell whether a version has its id from a topology."""
    return PINNED in version.metadata and bool(version.metadata[PINNED])
