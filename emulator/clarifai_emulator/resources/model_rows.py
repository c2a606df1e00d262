"""Describes models and their versions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import Model, ModelVersion, Visibility
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode
from clarifai_grpc.grpc.api.status.status_pb2 import Status

from clarifai_emulator.models.versions import TRAINED, newest_usable
from clarifai_emulator.resources.filters import sorted_as_asked, text_matches
from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.resources.rows import IN_APP, Draft, Match, ParentField, Problem, Resource
from clarifai_emulator.store import Key, Kind, Store

_ACTIONS = ("merge", "overwrite", "remove")
_PUBLISHED = ("clarifai", "main")


def published_model(resources: Resources, model_id: str, viewer: str) -> Key | None:
    """Return the key of the model with this id that Clarifai itself publishes, where ``viewer`` may see one."""
    key = (*_PUBLISHED, model_id)
    there = resources.store.get(Kind.MODEL, key) is not None
    return key if there and resources.visible(Kind.MODEL, key, viewer) else None


def newest_visible(resources: Resources, model: Key, viewer: str) -> str:
    """Return the id of the newest version that ``viewer`` may see and that is built; empty when there is none."""
    keys = resources.store.keys(Kind.MODEL_VERSION, model)
    visible = (key for key in keys if resources.visible(Kind.MODEL_VERSION, key, viewer))
    newest = newest_usable(resources.stored(Kind.MODEL_VERSION, key) for key in visible)
    return newest.id if newest is not None else ""


def deployments_of_model(store: Store, model: Key, version_id: str = "") -> list[Key]:
    """Return the keys of the deployments that serve a model, or that are pinned to one version of it."""
    return [
        key
        for key in store.keys(Kind.DEPLOYMENT)
        for item in (store.get(Kind.DEPLOYMENT, key),)
        if item is not None
        for serves in (item.desired_worker.model,)
        if (serves.user_id, serves.app_id, serves.id) == model and version_id in ("", serves.model_version.id)
    ]


def _prepare_model(_: Resources, draft: Draft) -> None:
    model = draft.message
    model.name = model.name or model.id  # clients index a listing by name


def _show_model(resources: Resources, key: Key, model: Model, viewer: str) -> None:
    newest = newest_visible(resources, key, viewer)
    if newest:
        model.model_version.CopyFrom(resources.shown(Kind.MODEL_VERSION, (*key, newest), viewer))
    model.version_count = resources.store.count(Kind.MODEL_VERSION, key)


def _before_delete_model(resources: Resources, key: Key) -> None:
    resources.delete(Kind.DEPLOYMENT, deployments_of_model(resources.store, key))


def _model_matches(resources: Resources, request: Any) -> Match:
    wanted = set(request.model_version_ids)

    def match(key: Key, model: Any) -> bool:
        versions = (each[-1] for each in resources.store.keys(Kind.MODEL_VERSION, key))
        return (
            text_matches(request, model)
            and request.visibility.gettable in (0, model.visibility.gettable)
            and request.model_type_id in ("", model.model_type_id)
            and (not wanted or not wanted.isdisjoint(versions))
            and (not request.trained_only or _trained(resources, key))
        )

    return match


def _trained(resources: Resources, model: Key) -> bool:
    versions = resources.store.list(Kind.MODEL_VERSION, model)
    return any(version.status.code == StatusCode.MODEL_TRAINED for version in versions)


def _prepare_version(resources: Resources, draft: Draft) -> None:
    version = draft.message
    if not version.status.code:
        version.status.CopyFrom(Status(code=StatusCode.MODEL_TRAINED, description=TRAINED))
    if version.status.code == StatusCode.MODEL_TRAINED and not version.HasField("completed_at"):
        version.completed_at.CopyFrom(resources.now())


def private_by_itself(version: ModelVersion) -> ModelVersion:
    """Return a version that a client made, PRIVATE unless it says otherwise, whatever its model is
    (clarifai-python #1038). One that the emulator makes of a directory says nothing, and follows its model."""
    if not version.visibility.gettable:
        version.visibility.gettable = Visibility.PRIVATE
    return version


def _show_version(resources: Resources, key: Key, version: ModelVersion, _viewer: str) -> None:
    if not version.visibility.gettable:
        version.visibility.CopyFrom(resources.stored(Kind.MODEL, key[:-1]).visibility)


def _before_delete_version(resources: Resources, key: Key) -> None:
    resources.delete(Kind.DEPLOYMENT, deployments_of_model(resources.store, key[:-1], key[-1]))
    resources.store.delete(Kind.SOURCE, key)


def _version_matches(_: Resources, request: Any) -> Match:
    return lambda _key, version: not request.trained_only or version.status.code == StatusCode.MODEL_TRAINED


def _validate_version(_: Resources, draft: Draft) -> Iterator[Problem]:
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


MODEL = Resource(
    kind=Kind.MODEL,
    message=Model,
    parents=(IN_APP,),
    not_found_text="Model {id!r} does not exist.",
    read_only=("model_version", "version_count", "is_starred", "star_count", "replica_count"),
    actions=_ACTIONS,
    listed_by_change=True,
    filters=("name", "query", "search", "visibility", "model_type_id", "model_version_ids", "trained_only",
             "sort_ascending", "sort_by_name", "sort_by_created_at", "sort_by_modified_at"),
    ignored_filters=("additional_fields", "dont_fetch_from_main", "show_replicas", "filter_by_user_id"),
    prepare=_prepare_model,
    show=_show_model,
    before_delete=_before_delete_model,
    matches=_model_matches,
    order=sorted_as_asked,
)  # fmt: skip


MODEL_VERSION = Resource(
    kind=Kind.MODEL_VERSION,
    message=ModelVersion,
    in_request="version_id",
    parents=(IN_APP, ParentField(Kind.MODEL, "model_id")),
    does_not_exist=StatusCode.MODEL_DOES_NOT_EXIST,
    invalid_argument=StatusCode.MODEL_INVALID_ARGUMENT,
    assigns_id=True,
    inherits_visibility=True,
    actions=_ACTIONS,
    filters=(
        "trained_only",
        "sort_ascending",
        "sort_by_status_code",
        "sort_by_description",
        "sort_by_created_at",
    ),
    prepare=_prepare_version,
    validate=_validate_version,
    show=_show_version,
    before_delete=_before_delete_version,
    matches=_version_matches,
    order=sorted_as_asked,
)
