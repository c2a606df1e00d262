"""Models and their versions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import Model, ModelVersion
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode
from clarifai_grpc.grpc.api.status.status_pb2 import Status

from clarifai_emulator.api.chain import Call, Handler
from clarifai_emulator.api.handlers.listing import sorted_as_asked, text_matches
from clarifai_emulator.api.handlers.verbs import require_owner, serve, target
from clarifai_emulator.models.versions import TRAINED, newest_usable
from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.resources.rows import Draft, Match, Parent, Problem, Resource
from clarifai_emulator.store import Key, Kind, Store

_ACTIONS = ("merge", "overwrite", "remove")
_IN_APP = Parent(Kind.APP, "user_app_id.app_id", "app_id")


def handlers(resources: Resources) -> dict[str, Handler]:
    """The RPCs of models and model versions, but for the upload of one."""
    rows = _Models(resources)
    found = {**serve(resources, _model_row(rows)), **serve(resources, _version_row(rows))}
    return {
        **found,
        "GetModel": rows.get_model,
        "GetModelOutputInfo": rows.get_model,
        "GetModelVersion": rows.get_version,
        "PostModelVersions": rows.post_versions,
    }


def deployments_of_model(store: Store, model: Key, version_id: str = "") -> list[Key]:
    """Keys of the deployments that serve a model, or that are pinned to one version of it."""
    return [
        key
        for key in store.keys(Kind.DEPLOYMENT)
        for item in (store.get(Kind.DEPLOYMENT, key),)
        if item is not None
        for serves in (item.desired_worker.model,)
        if (serves.user_id, serves.app_id, serves.id) == model and version_id in ("", serves.model_version.id)
    ]


def _model_row(rows: _Models) -> Resource:
    return Resource(
        kind=Kind.MODEL,
        stem="Model",
        name="model",
        message=Model,
        in_request="model_id",
        parents=(_IN_APP,),
        does_not_exist=StatusCode.MODEL_DOES_NOT_EXIST,
        invalid_argument=StatusCode.MODEL_INVALID_ARGUMENT,
        not_found_text="Model does not exist",
        read_only=("app_id", "model_version", "version_count", "is_starred", "star_count", "replica_count"),
        actions=_ACTIONS,
        filters=("name", "query", "search", "visibility", "model_type_id", "model_version_ids", "trained_only",
                 "sort_ascending", "sort_by_name", "sort_by_created_at", "sort_by_modified_at"),
        ignored_filters=("additional_fields", "dont_fetch_from_main", "show_replicas", "filter_by_user_id"),
        prepare=rows.prepare_model,
        show=rows.show_model,
        before_delete=rows.before_delete_model,
        matches=rows.model_matches,
        order=sorted_as_asked,
    )  # fmt: skip


def _version_row(rows: _Models) -> Resource:
    return Resource(
        kind=Kind.MODEL_VERSION,
        stem="ModelVersion",
        name="model_version",
        message=ModelVersion,
        in_request="version_id",
        parents=(_IN_APP, Parent(Kind.MODEL, "model_id")),
        does_not_exist=StatusCode.MODEL_DOES_NOT_EXIST,
        invalid_argument=StatusCode.MODEL_INVALID_ARGUMENT,
        assigns_id=True,
        inherits_visibility=True,
        read_only=("app_id",),
        actions=_ACTIONS,
        filters=(
            "trained_only",
            "sort_ascending",
            "sort_by_status_code",
            "sort_by_description",
            "sort_by_created_at",
        ),
        prepare=rows.prepare_version,
        validate=_validate_version,
        before_delete=rows.before_delete_version,
        matches=_version_matches,
        order=sorted_as_asked,
    )


class _Models:
    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._store = resources.store

    def get_model(self, call: Call, request: Any) -> Any:
        """GetModel: with the version that is asked for, else with the newest."""
        key = target(self._resources, self._resources.row(Kind.MODEL), call, request)
        response = call.rpc.response_type()
        response.model.CopyFrom(self._resources.shown(Kind.MODEL, key, call.caller.user_id))
        if request.version_id:
            response.model.model_version.CopyFrom(self._version(call, (*key, request.version_id)))
        return response

    def get_version(self, call: Call, request: Any) -> Any:
        """GetModelVersion: without a version id, the newest. Clients ask so before the first call of a method."""
        model = target(self._resources, self._resources.row(Kind.MODEL), call, request)
        response = call.rpc.response_type()
        version_id = request.version_id or self._newest(model, call.caller.user_id) or "(newest)"
        response.model_version.CopyFrom(self._version(call, (*model, version_id)))
        return response

    def _newest(self, model: Key, viewer: str) -> str:
        """Id of the newest version that ``viewer`` may see and that is built; empty when there is none."""
        keys = self._store.keys(Kind.MODEL_VERSION, model)
        visible = (key for key in keys if self._resources.visible(Kind.MODEL_VERSION, key, viewer))
        newest = newest_usable(self._resources.stored(Kind.MODEL_VERSION, key) for key in visible)
        return newest.id if newest is not None else ""

    def _version(self, call: Call, key: Key) -> Any:
        """The version as the caller sees it. Raises ``CallerError`` when there is none that it may see."""
        caller = call.caller.user_id
        if not self._resources.visible(Kind.MODEL_VERSION, key, caller):
            raise self._resources.missing(Kind.MODEL_VERSION, key, caller)
        return self._resources.shown(Kind.MODEL_VERSION, key, caller)

    def post_versions(self, call: Call, request: Any) -> Any:
        """PostModelVersions: answers the model, with the (last) new version in it."""
        require_owner(self._resources, call, request)
        model = target(self._resources, self._resources.row(Kind.MODEL), call, request)
        versions = list(request.model_versions) or [ModelVersion()]
        for version in versions:
            version.description = version.description or request.description
        keys = self._resources.post(Kind.MODEL_VERSION, model[0], model[1:], versions)
        response = call.rpc.response_type()
        response.model.CopyFrom(self._resources.shown(Kind.MODEL, model))
        response.model.model_version.CopyFrom(self._resources.shown(Kind.MODEL_VERSION, keys[-1]))
        return response

    def prepare_model(self, draft: Draft) -> None:
        model = draft.message
        model.app_id = draft.key[1]
        model.name = model.name or model.id  # clients index a listing by name

    def show_model(self, key: Key, model: Model, viewer: str) -> None:
        newest = self._newest(key, viewer)
        if newest:
            model.model_version.CopyFrom(self._resources.stored(Kind.MODEL_VERSION, (*key, newest)))
        model.version_count = self._store.count(Kind.MODEL_VERSION, key)

    def before_delete_model(self, key: Key) -> None:
        self._resources.delete(Kind.DEPLOYMENT, deployments_of_model(self._store, key))
        self._resources.delete(Kind.MODEL_VERSION, list(self._store.keys(Kind.MODEL_VERSION, key)))

    def model_matches(self, request: Any) -> Match:
        wanted = set(request.model_version_ids)

        def match(key: Key, model: Any) -> bool:
            versions = (each[-1] for each in self._store.keys(Kind.MODEL_VERSION, key))
            return (
                text_matches(request, model)
                and request.visibility.gettable in (0, model.visibility.gettable)
                and request.model_type_id in ("", model.model_type_id)
                and (not wanted or not wanted.isdisjoint(versions))
                and (not request.trained_only or self._trained(key))
            )

        return match

    def _trained(self, model: Key) -> bool:
        versions = self._store.list(Kind.MODEL_VERSION, model)
        return any(version.status.code == StatusCode.MODEL_TRAINED for version in versions)

    def prepare_version(self, draft: Draft) -> None:
        version = draft.message
        version.app_id = draft.key[1]
        if not version.status.code:
            version.status.CopyFrom(Status(code=StatusCode.MODEL_TRAINED, description=TRAINED))
        if version.status.code == StatusCode.MODEL_TRAINED and not version.HasField("completed_at"):
            version.completed_at.CopyFrom(self._resources.now())

    def before_delete_version(self, key: Key) -> None:
        self._resources.delete(Kind.DEPLOYMENT, deployments_of_model(self._store, key[:-1], key[-1]))
        self._store.delete(Kind.SOURCE, key)


def _version_matches(request: Any) -> Match:
    return lambda _key, version: not request.trained_only or version.status.code == StatusCode.MODEL_TRAINED


def _validate_version(draft: Draft) -> Iterator[Problem]:
    needs = draft.message.inference_compute_info
    if needs.accelerator_type and not needs.num_accelerators:
        yield Problem(
            "inference_compute_info.accelerator_type",
            f"{', '.join(needs.accelerator_type)} is given but num_accelerators is 0; set num_accelerators",
        )
    if draft.old is not None:
        had = draft.old.inference_compute_info.accelerator_type
        if had and sorted(had) != sorted(needs.accelerator_type):
            yield Problem(
                "inference_compute_info.accelerator_type",
                f"cannot change from {', '.join(had)} on an existing version; upload a new version",
            )
