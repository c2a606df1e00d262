"""Probes of ids, pages and patches, beyond those of ``resource_probes``."""

from __future__ import annotations

import re
from typing import Any

from clarifai_emulator.conformance import scenes
from clarifai_emulator.conformance.platform_client import PlatformClient
from clarifai_emulator.conformance.probe import probe

_LONGEST = 48
_HEX = re.compile(r"[0-9a-f]{32}")


@probe("ids.characters-and-length")
def characters_and_length(client: PlatformClient) -> Any:
    """Name apps in ways that are allowed, and in others."""
    base = client.name("id")

    def posted(name: str) -> Any:
        return client.call("PostApps", apps=[{"id": name}], odd_ids=True)

    long = base + "x" * (_LONGEST - len(base))
    too_long = posted(f"{long}y")
    return {
        "48 characters": posted(long),
        "49 characters": too_long,
        "the text": "id must be between 1 and 48 characters long" in too_long.details,
        "a dot": posted(f"{base}.a"),
        "a space": posted(f"{base} a"),
        "an underscore": posted(f"{base}_a"),
        "a hyphen at the end": posted(f"{base}-b-"),
    }


@probe("ids.used-again")
def used_again(client: PlatformClient) -> Any:
    """Delete a cluster and make one of the same id at once."""
    name = scenes.cluster(client)
    deleted = client.call("DeleteComputeClusters", ids=[name])
    again = {
        "cloud_provider": {"id": "local"},
        "region": "local",
        "managed_by": "user",
        "cluster_type": "local-dev",
    }
    posted = client.call("PostComputeClusters", compute_clusters=[{"id": name, **again}])
    return {"deleted": deleted, "made again": posted}


@probe("ids.hexadecimal")
def ids_of_the_platform(client: PlatformClient) -> Any:
    """Look at the ids of a version and a runner that were given none, and of a version that was given one."""
    model, place = scenes.version(client), client.shared(scenes.nodepool)
    worker = {"model": {"id": model.id, "app_id": model.app, "model_version": {"id": model.version}}}
    runner = client.do("PostRunners", **place.place, runners=[{"worker": worker}]).message.runners[0].id
    given = "0123456789abcdef" * 2
    return {
        "version": bool(_HEX.fullmatch(model.version)),
        "runner": bool(_HEX.fullmatch(runner)),
        "a given one is kept": scenes.version(client, model, id=given).version == given,
    }


@probe("batches.all-or-none", part="delete")
def half_a_deletion(client: PlatformClient) -> Any:
    """Delete a cluster that is there together with one that is not."""
    name = scenes.cluster(client)
    deleted = client.call("DeleteComputeClusters", ids=[name, client.name("missing")])
    return {"delete": deleted, "the one is there": client.call("GetComputeCluster", compute_cluster_id=name)}


@probe("batches.all-or-none", part="no ids")
def delete_without_ids(client: PlatformClient) -> Any:
    """Delete without saying what."""
    answer = client.call("DeleteComputeClusters")
    return {"status": answer, "the text": "Must supply a list of 'ids' to delete." in answer.details}


@probe("listing.past-the-end")
def past_the_end(client: PlatformClient) -> Any:
    """List a page past the end, over REST."""
    app = client.shared(scenes.app)
    answer = client.rest("GET", f"/v2/users/{{me}}/apps/{app}/models?page=1000&per_page=500")
    return {"status": answer, "fields": sorted(answer.json), "models": answer.json.get("models")}


@probe("listing.without-user")
def without_user(client: PlatformClient) -> Any:
    """List models without naming a user."""
    client.shared(scenes.model)
    answer = client.call("ListModels", user_app_id={}, per_page=2)
    return {"status": answer, "any": bool(answer.message.models)}


@probe("listing.paging", part="changed")
def order_of_changes(client: PlatformClient) -> Any:
    """List three models of which the first was changed last, and the second got a version last."""
    app = scenes.app(client)
    first, second, _ = (
        scenes.model(client, app=app, id=client.name(word)) for word in ("first", "second", "third")
    )
    client.do("PatchModels", app=app, models=[{"id": first.id, "description": "d"}], action="overwrite")
    scenes.version(client, second)
    return [each.id for each in client.do("ListModels", app=app).message.models]


@probe("listing.unknown-filter")
def unknown_filter(client: PlatformClient) -> Any:
    """List by filters that are not there, or that are rare."""
    app = client.shared(scenes.app)
    return {
        "featured_only": client.call("ListModels", app=app, featured_only=True),
        "toolkits": client.call("ListModels", app=app, toolkits=["nothing"]),
    }


@probe("listing.active-usage")
def active_usage(client: PlatformClient) -> Any:
    """List nodepools in use: one with a runner of one replica, one with a runner of none."""
    model, cluster = scenes.version(client), scenes.cluster(client)
    worker = {"model": {"id": model.id, "app_id": model.app, "model_version": {"id": model.version}}}
    used, unused = (scenes.nodepool(client, cluster=cluster, id=client.name(word)) for word in ("used", "unused"))
    for place, replicas in ((used, 1), (unused, 0)):
        client.do("PostRunners", **place.place, runners=[{"worker": worker, "num_replicas": replicas}])

    def listed(**fields: Any) -> list[str]:
        return [each.id for each in client.do("ListNodepools", compute_cluster_id=cluster, **fields).nodepools]

    return {"active": listed(active_usage=True), "all": listed()}


@probe("patch.actions")
def actions(client: PlatformClient) -> Any:
    """Patch with each action, and one that is not there."""
    cluster, secret = client.shared(scenes.cluster), client.name("secret")
    client.do("PostSecrets", secrets=[{"id": secret, "value": "v"}])
    deployment = scenes.deployment(client, scenes.version(client), client.shared(scenes.nodepool))
    merged = client.call("PatchDeployments", deployments=[{"id": deployment, "description": "d"}], action="merge")

    def patched(action: str) -> Any:
        return {
            "app": client.call("PatchApps", apps=[{"id": client.shared(scenes.app)}], action=action),
            "cluster": client.call("PatchComputeClusters", compute_clusters=[{"id": cluster}], action=action),
            "secret": client.call("PatchSecrets", secret=[{"id": secret, "description": "d"}], action=action),
        }

    supported = "Invalid action: Unrecognized action 'merge'. Supported actions: overwrite"
    return {
        **{action: patched(action) for action in ("overwrite", "merge", "remove", "nonsense")},
        "deployment, merge": merged,
        "its text": supported in f"{merged.description} {merged.details}",
    }


@probe("patch.merge")
def merge(client: PlatformClient) -> Any:
    """Merge method signatures into a version that has one of the same name."""
    model = scenes.version(client, method_signatures=[{"name": "predict", "description": "old"}])
    signatures = [{"name": "predict", "description": "new"}, {"name": "generate"}]
    version = {"id": model.version, "method_signatures": signatures}
    answer = client.call("PatchModelVersions", **model.address, model_versions=[version], action="merge")
    found = answer.fields.get("model_versions", [{}])[0].get("method_signatures", [])
    return {"status": answer, "signatures": [[each["name"], each.get("description")] for each in found]}


@probe("patch.without-action")
def without_action(client: PlatformClient) -> Any:
    """Patch without an action."""
    return client.call("PatchApps", apps=[{"id": client.shared(scenes.app), "description": "d"}])


@probe("patch.zero-values")
def zero_values(client: PlatformClient) -> Any:
    """Overwrite a description with nothing."""
    app = scenes.app(client, description="said")
    client.do("PatchApps", apps=[{"id": app, "description": ""}], action="overwrite")
    return client.call("GetApp", app=app).pick("app.description")
