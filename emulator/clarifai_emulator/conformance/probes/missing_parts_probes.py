"""Probes of requests that name what is not there beside what is: a runner of a deployment, a model of no app."""

from __future__ import annotations

from typing import Any

from clarifai_emulator.conformance import scenes
from clarifai_emulator.conformance.platform_client import PlatformClient
from clarifai_emulator.conformance.probe import probe


@probe("refusals.missing", part="runner-of-deployment")
def missing_runner(client: PlatformClient) -> Any:
    """Name a deployment, and a runner that is in none of its nodepools."""
    model = scenes.version(client)
    deployment = scenes.deployment(client, model, scenes.nodepool(client))
    selector = {"deployment": {"id": deployment, "user_id": client.user_id}, "runner": {"id": "0" * 32}}
    return client.call("PostModelOutputs", **model.address, inputs=[scenes.said("hi")], runner_selector=selector)


@probe("refusals.missing", part="no-app")
def model_of_no_app(client: PlatformClient) -> Any:
    """Name a model without its app."""
    return client.call("PostModelOutputs", model_id=client.name("model"), inputs=[scenes.said("hi")])
