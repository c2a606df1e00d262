"""Publishes a model directory: its code becomes a model version, unless it is the version that is there.

directory ─► name of the model ─► code, prepared for a backend ─► the same as before? ─► signatures ─► version
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from clarifai_grpc.grpc.api.resources_pb2 import ComputeInfo, ModelVersion
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.contracts.saved_workflows import NewMethods
from clarifai_emulator.deploy.code_preparation import CodePreparation, is_same_code
from clarifai_emulator.deploy.compute_needs import ComputeNeeds
from clarifai_emulator.deploy.model_versions import ModelVersions, NewCode
from clarifai_emulator.errors import CallerError, ModelError
from clarifai_emulator.messages.address import ModelKey, names_no_model, parse_address
from clarifai_emulator.models.directory import ModelDirectory, read_model_directory
from clarifai_emulator.models.progress import Progress
from clarifai_emulator.models.version_source import ModelSource, Watched
from clarifai_emulator.store import Kind, Store


@dataclass(frozen=True, slots=True)
class Published:
    """A directory, and the version that its code is. ``is_new``: made by this publishing."""

    directory: ModelDirectory
    model: ModelKey
    version_id: str
    is_new: bool


class Publisher:
    """Publishes directories into one emulator. ``user_id`` is its own user. ``serves``: whether a replica of this
    model takes requests."""

    def __init__(
        self,
        *,
        user_id: str,
        default_backend: str,
        store: Store,
        code: CodePreparation,
        needs: ComputeNeeds,
        versions: ModelVersions,
        serves: Callable[[ModelKey], bool],
    ) -> None:
        self._user_id = user_id
        self._default_backend = default_backend
        self._store = store
        self._code = code
        self._needs = needs
        self._versions = versions
        self._serves = serves

    async def publish(
        self,
        path: Path,
        name: str,
        progress: Progress,
        backend: str = "",
        watched: Watched | None = None,
        *,
        user_id: str = "",
        pin: str = "",
        is_deployed: bool = False,
        instance: str = "",
        before_build: Callable[[ModelDirectory], None] = lambda directory: None,
    ) -> Published:
        """Make the directory's code a model version. ``pin``: of this id, which it keeps.

        It is prepared for a backend; another one prepares it anew when it is to run it. ``before_build`` may refuse
        it before that. ``is_deployed``: a deployment is to serve it next; until that does, requests without a
        version mean what serves.
        """
        progress(f"reading {path}")
        directory = await asyncio.to_thread(read_model_directory, path)
        before_build(directory)
        key = self.model_key(directory, name, user_id)
        pin = pin or self._versions.pinned.id_of(key, directory.path)
        if pin:
            self._versions.pinned.require_free(key, pin, directory.path)
        version_id, backend = pin or secrets.token_hex(16), backend or self._default_backend
        tell = self._code.logging_builds(key, version_id, progress)
        source = await self._source(directory, tell, backend, watched, key, version_id)
        same = self._same_version(key, pin, source, self._needs.given(directory, instance))
        if same:
            progress(f"unchanged: version {same[:8]} of {'/'.join(key)}")
            return Published(directory, key, same, False)
        progress("reading the method signatures of model.py")
        signatures = await self._code.signatures_of(source, backend, tell)
        for _, finding in self._versions.workflows.broken_by(NewMethods(key, pin, signatures)):
            progress(f"warning: {finding.rule}: {finding.message} {finding.hint}")
        code = NewCode(
            directory=directory, source=source, signatures=signatures, instance=instance, user_id=user_id
        )
        if pin:
            await self._versions.put_pinned(key, pin, code)
        else:
            self._versions.put(key, version_id, code, on_trial=is_deployed and self._serves(key))
        progress(f"version {version_id[:8]} of {'/'.join(key)}: {', '.join(s.name for s in signatures)}")
        return Published(directory, key, version_id, True)

    def model_key(self, directory: ModelDirectory, name: str, user_id: str = "") -> ModelKey:
        """Return the model that a directory is to be: ``name``, or what its config.yaml says of a user's model.
        Raises ``CallerError``."""
        if not name:
            user = directory.user_id if directory.user_id not in ("", "me") else user_id or self._user_id
            return (user, directory.app_id, directory.model_id)
        address = parse_address(name)
        if address is None or address.version_id:
            raise CallerError(
                StatusCode.MODEL_INVALID_ARGUMENT,
                f"{names_no_model(name)}.",
                hint="Write USER/APP/models/ID, or the model's whole URL without a version.",
            )
        return address.key

    async def _source(
        self,
        directory: ModelDirectory,
        tell: Progress,
        backend: str,
        watched: Watched | None,
        key: ModelKey,
        version_id: str,
    ) -> ModelSource:
        try:
            return await self._code.source_of(directory, tell, backend, watched)
        except ModelError as error:  # the caller gets it anyway
            log = self._code.logging_builds(key, version_id, lambda _: None)
            for line in str(error).splitlines():
                log(line)
            raise

    def _same_version(self, key: ModelKey, pin: str, source: ModelSource, needs: ComputeInfo) -> str:
        """Return the id of the version that is this code already; empty where none is. Only the newest counts, or
        the pinned one."""
        newest: ModelVersion | None = (
            self._store.get(Kind.MODEL_VERSION, (*key, pin)) if pin else self._store.newest(Kind.MODEL_VERSION, key)
        )
        if newest is None or newest.inference_compute_info != needs:
            return ""
        return newest.id if is_same_code(self._store.get(Kind.SOURCE, (*key, newest.id)), source) else ""
