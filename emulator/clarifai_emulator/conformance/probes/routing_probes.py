"""Probes of which deployment, nodepool or runner a request goes to."""

from __future__ import annotations

from typing import Any

from clarifai_emulator.conformance import scenes
from clarifai_emulator.conformance.platform_client import PlatformClient
from clarifai_emulator.conformance.probe import probe


@probe("routing.nodepool-without-deployment")
def nodepool_without_deployment(client: PlatformClient) -> Any:
    """Name a nodepool in which nothing serves the model."""
    model, place = scenes.version(client), scenes.nodepool(client)
    selector = place.selector(client)
    inputs = [scenes.said("hi")]
    return client.call("PostModelOutputs", **model.address, inputs=inputs, runner_selector=selector)
