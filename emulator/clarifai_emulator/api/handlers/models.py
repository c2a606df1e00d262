"""Answers the RPCs that show a model together with one of its versions."""

from __future__ import annotations

from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import ModelVersion

from clarifai_emulator.api.call import ApiCall, Handler
from clarifai_emulator.api.handlers.resource_verbs import require_owner, target
from clarifai_emulator.resources.model_rows import newest_visible, private_by_itself, published_model
from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.store import Key, Kind


def handlers(resources: Resources) -> dict[str, Handler]:
    """Return the RPCs of models and model versions that answer with both."""
    models = _Models(resources)
    return {
        "GetModel": models.get_model,
        "GetModelOutputInfo": models.get_model,
        "GetModelVersion": models.get_version,
        "PostModelVersions": models.post_versions,
    }


class _Models:
    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    def get_model(self, call: ApiCall, request: Any) -> Any:
        """GetModel: with the version that is asked for, else with the newest."""
        key = self._published(call, request) or target(
            self._resources, self._resources.row(Kind.MODEL), call, request
        )
        response = call.rpc.response_type()
        response.model.CopyFrom(self._resources.shown(Kind.MODEL, key, call.caller.user_id))
        if request.version_id:
            response.model.model_version.CopyFrom(self._version(call, (*key, request.version_id)))
        return response

    def _published(self, call: ApiCall, request: Any) -> Key | None:
        """Return Clarifai's own model with the id that is asked for, where the caller's own app has none: the SDK
        asks so for a model of a workflow's YAML that names neither user nor app."""
        app = (call.caller.resolve_user(request.user_app_id), request.user_app_id.app_id)
        key, caller = (*app, request.model_id), call.caller.user_id
        if app[0] != caller or self._resources.store.get(Kind.MODEL, key) is not None:
            return None
        return published_model(self._resources, request.model_id, caller) if "" not in key else None

    def get_version(self, call: ApiCall, request: Any) -> Any:
        """GetModelVersion: without a version id, the newest. Clients ask so before the first call of a method."""
        model = target(self._resources, self._resources.row(Kind.MODEL), call, request)
        response = call.rpc.response_type()
        version_id = request.version_id or newest_visible(self._resources, model, call.caller.user_id) or "(newest)"
        response.model_version.CopyFrom(self._version(call, (*model, version_id)))
        return response

    def _version(self, call: ApiCall, key: Key) -> Any:
        """The version as the caller sees it. Raises ``CallerError`` when there is none that it may see."""
        caller = call.caller.user_id
        if not self._resources.visible(Kind.MODEL_VERSION, key, caller):
            raise self._resources.missing(Kind.MODEL_VERSION, key, caller)
        return self._resources.shown(Kind.MODEL_VERSION, key, caller)

    def post_versions(self, call: ApiCall, request: Any) -> Any:
        """PostModelVersions: answers the model, with the (last) new version in it."""
        require_owner(self._resources, call, request, Kind.MODEL_VERSION)
        model = target(self._resources, self._resources.row(Kind.MODEL), call, request)
        versions = list(request.model_versions) or [ModelVersion()]
        for version in versions:
            version.description = version.description or request.description
            private_by_itself(version)
        keys = self._resources.post(Kind.MODEL_VERSION, model[0], model[1:], versions)
        response = call.rpc.response_type()
        response.model.CopyFrom(self._resources.shown(Kind.MODEL, model))
        response.model.model_version.CopyFrom(self._resources.shown(Kind.MODEL_VERSION, keys[-1]))
        return response
