"""Probes of apps, models and versions."""

from __future__ import annotations

from typing import Any

from clarifai_emulator.conformance import scenes
from clarifai_emulator.conformance.platform_client import PlatformClient
from clarifai_emulator.conformance.probe import probe
from clarifai_emulator.conformance.scenes import MadeModel

_GPU = {"num_accelerators": 1, "accelerator_type": ["NVIDIA-A10G"], "accelerator_memory": "1Gi"}


@probe("apps.made-when-named")
def app_that_is_only_named(client: PlatformClient) -> Any:
    """Get an app that is not there, and post a model into it."""
    name = client.name("app")
    got = client.call("GetApp", app=name)
    model = {"id": client.name("model"), "model_type_id": "any-to-any"}
    posted = client.call("PostModels", app=name, models=[model])
    return {"get": got, "post a model": posted, "then": client.call("GetApp", app=name)}


@probe("models.name")
def name_of_a_model(client: PlatformClient) -> Any:
    """Make a model without a name."""
    model = client.shared(scenes.model)
    answer = client.call("GetModel", **model.address)
    return {"status": answer, "it is the id": answer.message.model.name == model.id}


@probe("models.post")
def both_fields(client: PlatformClient) -> Any:
    """Post models in both fields, and two versions at once."""
    app = client.shared(scenes.app)
    one, two = ({"id": client.name(word), "model_type_id": "any-to-any"} for word in ("one", "two"))
    posted = client.call("PostModels", app=app, model=one, models=[two])
    described = [{"description": "a"}, {"description": "b"}]
    versions = client.call("PostModelVersions", app=app, model_id=one["id"], model_versions=described)
    return {
        "models": posted.pick("model.id"),
        "the second": client.call("GetModel", app=app, model_id=two["id"]),
        "versions": versions.pick("model.model_version.description", "model.version_count"),
    }


@probe("models.status")
def status_of_a_version(client: PlatformClient) -> Any:
    """Post a version that says nothing of its status."""
    answer = client.call("GetModelVersion", **scenes.version(client).address_of_version)
    return answer.pick("model_version.status.code", "model_version.status.description")


@probe("models.accelerators")
def accelerators_of_a_version(client: PlatformClient) -> Any:
    """Ask for a type of accelerator and none of them, and for another one later."""
    model = scenes.model(client)
    none: dict[str, Any] = {**_GPU, "num_accelerators": 0}
    refused = client.call("PostModelVersions", **model.address, model_versions=[{"inference_compute_info": none}])
    version = scenes.version(client, model, inference_compute_info=_GPU)
    other = {"id": version.version, "inference_compute_info": {**_GPU, "accelerator_type": ["NVIDIA-L40S"]}}
    patched = client.call("PatchModelVersions", **model.address, model_versions=[other], action="overwrite")
    return {"none": refused, "another": patched}


@probe("models.newest")
def newest_version(client: PlatformClient) -> Any:
    """Get the version of a model without saying which."""
    older = scenes.version(client)
    before = client.call("GetModelVersion", **older.address)
    newer = scenes.version(client, older)
    answer = client.call("GetModelVersion", **older.address)
    empty = client.call("GetModelVersion", **scenes.model(client).address)
    return {
        "the first": before.message.model_version.id == older.version,
        "the second": answer.message.model_version.id == newer.version,
        "of none": empty,
    }


@probe("models.delete")
def delete_under_a_deployment(client: PlatformClient) -> Any:
    """Delete a version that a deployment is pinned to, and the model of a deployment that follows the newest."""
    place = client.shared(scenes.nodepool)
    first, second = scenes.version(client), scenes.version(client)
    pinned = scenes.deployment(client, first, place)
    other = scenes.deployment(client, MadeModel(second.app, second.id), place, deploy_latest_version=True)
    return {
        "delete the version": client.call("DeleteModelVersion", **first.address_of_version),
        "its deployment": client.call("GetDeployment", deployment_id=pinned),
        "delete the model": client.call("DeleteModel", **second.address),
        "that deployment": client.call("GetDeployment", deployment_id=other),
    }
