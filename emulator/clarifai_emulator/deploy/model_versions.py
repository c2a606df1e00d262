"""Makes model versions of code, under a fresh id or under one that a topology gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import App, Model, ModelVersion, Visibility
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.contracts.saved_workflows import NewMethods, SavedWorkflows
from clarifai_emulator.deploy.compute_needs import ComputeNeeds
from clarifai_emulator.deploy.pinned_versions import PINNED, PinnedVersions
from clarifai_emulator.messages.address import ModelKey
from clarifai_emulator.models.directory import ModelDirectory
from clarifai_emulator.models.version_source import ModelSource
from clarifai_emulator.models.versions import ON_TRIAL, TRAINED
from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.store import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCode:
    """Code that is to be a version: its directory, what replicas run of it, and its methods. ``instance``: the type
    that it is deployed to, if one was named. ``user_id``: who publishes it; the emulator's own user if empty."""

    directory: ModelDirectory
    source: ModelSource
    signatures: Sequence[Any]
    instance: str = ""
    user_id: str = ""


class ModelVersions:
    """Makes versions in one emulator. ``user_id`` is its own user."""

    def __init__(
        self,
        *,
        user_id: str,
        resources: Resources,
        needs: ComputeNeeds,
        pinned: PinnedVersions,
        workflows: SavedWorkflows,
    ) -> None:
        self.pinned = pinned
        self.workflows = workflows
        self._user_id = user_id
        self._resources = resources
        self._store = resources.store
        self._needs = needs

    def draft(self, directory: ModelDirectory, signatures: Sequence[Any], instance: str = "") -> ModelVersion:
        """Make what the platform keeps of a directory's code: not yet a version of anything. ``instance``: the type
        that it was deployed to, if one was named."""
        version = ModelVersion(num_threads=directory.num_threads or 0, method_signatures=signatures)
        version.inference_compute_info.CopyFrom(self._needs.given(directory, instance))
        return version

    def put(self, key: ModelKey, version_id: str, code: NewCode, *, on_trial: bool = False) -> None:
        """Make a model version of this code; the model too, if it is not there yet. ``on_trial``: requests without
        a version do not mean it before a replica of it serves. Raises ``CallerError`` where it breaks a workflow,
        and contracts are strict."""
        user, app, model_id = key
        self.workflows.require_fit(NewMethods(key, "", code.signatures))
        if self._store.get(Kind.MODEL, key) is None:
            self._post_model(key, code)
        version = self._draft_of(code)
        version.id = version_id
        version.status.code = StatusCode.MODEL_DEPLOYING if on_trial else StatusCode.MODEL_TRAINED
        version.status.description = ON_TRIAL if on_trial else TRAINED
        stored = self._resources.post(Kind.MODEL_VERSION, user, (app, model_id), [version])[0]
        self._store.put(Kind.SOURCE, stored, code.source)

    async def put_pinned(self, key: ModelKey, version_id: str, code: NewCode) -> None:
        """Make the version of this id this code, also where it is another now. Raises ``ModelError``, and then it
        is what it was."""
        known: ModelVersion | None = self._store.get(Kind.MODEL_VERSION, (*key, version_id))
        if known is None:
            self.put(key, version_id, code)
            known = self._store.get(Kind.MODEL_VERSION, (*key, version_id))
            assert known is not None
        else:
            self.workflows.require_fit(NewMethods(key, version_id, code.signatures))
        version = ModelVersion()
        version.CopyFrom(known)
        for name in ("method_signatures", "inference_compute_info"):
            version.ClearField(name)
        version.MergeFrom(self._draft_of(code))
        version.metadata.update({PINNED: True})
        await self.pinned.exchange(key, version, code.source)

    def _draft_of(self, code: NewCode) -> ModelVersion:
        version = self.draft(code.directory, code.signatures, code.instance)
        version.metadata.update({"content_hash": code.source.content_hash})
        return version

    def _post_model(self, key: ModelKey, code: NewCode) -> None:
        user, app, model_id = key
        model = Model(id=model_id, model_type_id=code.directory.model_type_id)
        # Somebody else's model is of use here only if our user may see it.
        if user != (code.user_id or self._user_id):
            model.visibility.gettable = Visibility.PUBLIC
            self._post_public_app(user, app)
        self._resources.post(Kind.MODEL, user, (app,), [model])

    def _post_public_app(self, user: str, app: str) -> None:
        if self._store.get(Kind.APP, (user, app)) is None:
            self._resources.post(
                Kind.APP, user, (), [App(id=app, visibility=Visibility(gettable=Visibility.PUBLIC))]
            )
