"""Makes what a runner is told of the model that a request goes to."""

from __future__ import annotations

from clarifai_grpc.grpc.api.resources_pb2 import Model, ModelVersion

from clarifai_emulator.messages.address import ModelKey
from clarifai_emulator.routing import Decision
from clarifai_emulator.store import Kind, Store

_KEPT = 256


class ToldModels:
    """Gives models with their version and that one's output info; made once for each version in the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # With what each was made from: what is in the store is replaced, never changed.
        self._made: dict[tuple[ModelKey, str], tuple[ModelVersion | None, Model]] = {}

    def of(self, decision: Decision) -> Model:
        """Return the model of a decision, which is not to be changed."""
        version: ModelVersion | None = self._store.get(Kind.MODEL_VERSION, (*decision.model, decision.version_id))
        made = self._made.get((decision.model, decision.version_id))
        if made is not None and made[0] is version:
            return made[1]
        user_id, app_id, model_id = decision.model
        model = Model(id=model_id, user_id=user_id, app_id=app_id)
        model.model_version.id = decision.version_id
        if version is not None and version.HasField("output_info"):
            model.model_version.output_info.CopyFrom(version.output_info)
        if len(self._made) >= _KEPT:
            self._made.clear()
        self._made[decision.model, decision.version_id] = version, model
        return model
