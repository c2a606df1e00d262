"""Probes of who may see and change what."""

from __future__ import annotations

from typing import Any

from clarifai_emulator.conformance import scenes
from clarifai_emulator.conformance.platform_client import PlatformClient
from clarifai_emulator.conformance.probe import probe
from clarifai_emulator.conformance.scenes import MadeModel

_PRIVATE, _PUBLIC = {"gettable": 10}, {"gettable": 50}


def public_model(client: PlatformClient) -> MadeModel:
    """Make a PUBLIC model in a PUBLIC app."""
    return scenes.model(client, app=scenes.app(client, visibility=_PUBLIC), visibility=_PUBLIC)


@probe("reading.private-of-another")
def private_of_another(client: PlatformClient) -> Any:
    """Get a stranger's private app, model and version."""
    model, other = scenes.version(client), client.other
    theirs: dict[str, Any] = {"user": client.user_id, "app": model.app}
    return {
        "app": other.call("GetApp", **theirs),
        "model": other.call("GetModel", **theirs, model_id=model.id),
        "version": other.call("GetModelVersion", **theirs, model_id=model.id, version_id=model.version),
        "models of the app": other.call("ListModels", **theirs),
    }


@probe("reading.public-within-public")
def public_in_private(client: PlatformClient) -> Any:
    """Get a stranger's PUBLIC model, in a PRIVATE and in a PUBLIC app."""
    hidden = scenes.model(client, app=scenes.app(client, visibility=_PRIVATE), visibility=_PUBLIC)
    shown = public_model(client)

    def seen(model: MadeModel) -> Any:
        return client.other.call("GetModel", user=client.user_id, **model.address)

    return {"in a private app": seen(hidden), "in a public app": seen(shown)}


@probe("reading.deployment-nodepool-ids")
def nodepools_of_a_public_deployment(client: PlatformClient) -> Any:
    """Get a stranger's PUBLIC deployment in a PRIVATE nodepool."""
    place = scenes.nodepool(client, description="hidden")
    deployment = scenes.deployment(client, scenes.version(client, public_model(client)), place, visibility=_PUBLIC)
    answer = client.other.call("GetDeployment", user=client.user_id, deployment_id=deployment)
    return answer.pick("deployment.nodepools.0.id", "deployment.nodepools.0.description")


@probe("reading.version-follows-model")
def version_without_visibility(client: PlatformClient) -> Any:
    """Post a version that says nothing of its visibility to a PUBLIC model."""
    model = scenes.version(client, public_model(client))
    own = client.call("GetModelVersion", **model.address_of_version)
    return {
        "own": own.pick("model_version.visibility"),
        "others": client.other.call("GetModelVersion", user=client.user_id, **model.address_of_version),
    }


@probe("reading.own-only")
def what_is_for_the_owner(client: PlatformClient) -> Any:
    """List a stranger's runners, keys and secrets."""
    client.do("PostSecrets", secrets=[{"id": client.name("secret"), "value": "v"}])

    def listed(rpc: str, field: str) -> Any:
        answer = client.other.call(rpc, user=client.user_id)
        return {"status": answer, "count": len(getattr(answer.message, field, ()))}

    return {
        "secrets": listed("ListSecrets", "secrets"),
        "keys": listed("ListKeys", "keys"),
        "runners": listed("ListRunners", "runners"),
    }


@probe("reading.unknown-user")
def unknown_user(client: PlatformClient) -> Any:
    """Get and list of a user that is not there."""
    nobody = f"{client.scope.prefix}nobody"
    return {
        "GetUser": client.call("GetUser", user=nobody),
        "ListApps": client.call("ListApps", user=nobody),
        "ListComputeClusters": client.call("ListComputeClusters", user=nobody),
    }


@probe("reading.missing-version")
def missing_version(client: PlatformClient) -> Any:
    """Get a version that is not there."""
    model = client.shared(scenes.model)
    return client.call("GetModelVersion", **model.address, version_id="0" * 32)


@probe("reading.write-for-another")
def write_for_another(client: PlatformClient) -> Any:
    """Make and change things of a stranger."""
    model, other = scenes.model(client), client.other
    theirs: dict[str, Any] = {"user": client.user_id}
    return {
        "post an app": other.call("PostApps", **theirs, apps=[{"id": client.name("app")}]),
        "patch a model": other.call(
            "PatchModels", **theirs, app=model.app, models=[{"id": model.id}], action="overwrite"
        ),
        "delete a model": other.call("DeleteModel", **theirs, **model.address),
        "post a secret": other.call("PostSecrets", **theirs, secrets=[{"id": client.name("S"), "value": "v"}]),
    }
