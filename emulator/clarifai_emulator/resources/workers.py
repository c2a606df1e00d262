"""Reads what a deployment or runner runs: a model, and which version of it."""

from __future__ import annotations

from collections.abc import Iterator

from clarifai_grpc.grpc.api.resources_pb2 import Deployment, Model, ModelVersion, Worker
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.models.versions import build_failed, newest_usable
from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.resources.rows import Problem
from clarifai_emulator.store import Key, Kind, Store


def model_key(worker: Worker) -> Key:
    """The key of the model that a worker runs."""
    return worker.model.user_id, worker.model.app_id, worker.model.id


def newest_version(store: Store, worker: Worker) -> str:
    """Id of the newest version of the worker's model that is built; empty when it has no version."""
    newest = newest_usable(store.list(Kind.MODEL_VERSION, model_key(worker)))
    return newest.id if newest is not None else ""


def served_version(store: Store, deployment: Deployment) -> str:
    """Id of the model version that a deployment serves now: the pinned one, or the newest with
    ``deploy_latest_version``; empty when the model has no version yet."""
    worker = deployment.desired_worker
    pinned = worker.model.model_version.id
    return newest_version(store, worker) if deployment.deploy_latest_version else pinned


def prepare_worker(worker: Worker, owner: str, store: Store) -> None:
    """Fill in what a worker leaves out: the model's user (the owner) and, when only one of that user's apps has
    a model of this id, the app."""
    if worker.WhichOneof("worker") != "model":
        return
    model = worker.model
    if model.user_id in ("", "me"):
        model.user_id = owner
    if not model.app_id:
        apps = [key[1] for key in store.keys(Kind.MODEL, (model.user_id,)) if key[2] == model.id]
        if len(apps) == 1:
            model.app_id = apps[0]


def show_worker(resources: Resources, worker: Worker, viewer: str) -> None:
    """Show the whole model and version that a worker runs, as far as the viewer may see them (Clarifai/docs
    ``get_deployment_output.txt``)."""
    key, version_id = model_key(worker), worker.model.model_version.id
    if worker.WhichOneof("worker") != "model" or not _is_seen(resources, Kind.MODEL, key, viewer):
        return
    worker.model.CopyFrom(resources.shown(Kind.MODEL, key, viewer))
    worker.model.ClearField("model_version")
    if not version_id:
        return
    if _is_seen(resources, Kind.MODEL_VERSION, (*key, version_id), viewer):
        worker.model.model_version.CopyFrom(resources.shown(Kind.MODEL_VERSION, (*key, version_id), viewer))
    else:
        worker.model.model_version.id = version_id


def _is_seen(resources: Resources, kind: Kind, key: Key, viewer: str) -> bool:
    return resources.store.get(kind, key) is not None and resources.visible(kind, key, viewer)


def validate_worker(worker: Worker, owner: str, resources: Resources) -> Iterator[Problem]:
    """Yield what is wrong with a worker of ``owner``: no model, or a model or version that does not exist for
    it."""
    kind = worker.WhichOneof("worker")
    if kind is None:
        yield Problem("worker", "must name the model to run")
        return
    if kind != "model":
        yield Problem(
            f"worker.{kind}", "the emulator runs models only, no workflows or users", StatusCode.NOT_IMPLEMENTED
        )
        return
    model = worker.model
    for name in ("id", "app_id"):
        if not getattr(model, name):
            yield Problem(f"worker.model.{name}", "must not be empty")
            return
    key = model_key(worker)
    if resources.store.get(Kind.MODEL, key) is None or not resources.visible(Kind.MODEL, key, owner):
        yield Problem(
            "worker.model",
            f"model {model.id!r} does not exist in app {model.app_id!r} of user {model.user_id!r}; "
            "upload it, or name it in a topology file",
            StatusCode.MODEL_DOES_NOT_EXIST,
        )
    elif model.model_version.id:
        yield from _version_problems(model, resources.store.get(Kind.MODEL_VERSION, (*key, model.model_version.id)))


def _version_problems(model: Model, version: ModelVersion | None) -> Iterator[Problem]:
    where, named = "worker.model.model_version.id", f"version {model.model_version.id!r}"
    if version is None:
        yield Problem(where, f"model {model.id!r} has no {named}", StatusCode.MODEL_DOES_NOT_EXIST)
    elif build_failed(version):
        text = f"{named} of model {model.id!r} was not built: {version.status.description}"
        yield Problem(where, text, StatusCode.MODEL_INVALID_REQUEST)
