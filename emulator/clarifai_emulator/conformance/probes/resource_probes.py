"""Probes of what is the same for every kind of resource: ids, batches, reading, listing and patches."""

from __future__ import annotations

from typing import Any

from clarifai_emulator.conformance import scenes
from clarifai_emulator.conformance.platform_client import PlatformClient
from clarifai_emulator.conformance.probe import probe


@probe("ids.taken")
def taken_id(client: PlatformClient) -> Any:
    """Make an app twice."""
    return client.call("PostApps", apps=[{"id": client.shared(scenes.app)}])


@probe("ids.me")
def me_as_id(client: PlatformClient) -> Any:
    """Name an app as the caller is named."""
    return client.call("PostApps", apps=[{"id": "me"}], odd_ids=True)


@probe("batches.all-or-none")
def half_a_batch(client: PlatformClient) -> Any:
    """Post a good and a bad app, and delete a deployment that is there with one that is not."""
    good = client.name("good")
    posted = client.call("PostApps", apps=[{"id": good}, {"id": client.shared(scenes.app)}])
    return {"post": posted, "the good one is there": client.call("GetApp", app=good)}


@probe("reading.missing-app-secret-key")
def missing(client: PlatformClient) -> Any:
    """Get what is not there."""
    name = client.name("missing")
    return {
        "app": client.call("GetApp", app=name),
        "secret": client.call("GetSecret", id=name),
        "key": client.call("GetKey", key_id="0" * 32),
    }


@probe("reading.missing-model")
def missing_model(client: PlatformClient) -> Any:
    """Get a model that is not there."""
    answer = client.call("GetModel", app=client.shared(scenes.app), model_id=client.name("missing"))
    return answer.pick("status.description", "status.details")


@probe("listing.paging")
def paging(client: PlatformClient) -> Any:
    """List two models, in pages."""
    app = scenes.app(client)
    for word in ("older", "newer"):
        scenes.model(client, app=app, id=client.name(word))

    def page(**fields: Any) -> Any:
        answer = client.call("ListModels", app=app, **fields)
        return {"status": answer.status, "ids": [model.id for model in answer.message.models]}

    return {
        "all": page(),
        "first": page(page=1, per_page=1),
        "second": page(page=2, per_page=1),
        "past the end": page(page=3, per_page=1),
        "too many": page(per_page=1001),
    }
