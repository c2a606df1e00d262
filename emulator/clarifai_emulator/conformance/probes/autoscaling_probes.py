"""Probes of how many replicas there are."""

from __future__ import annotations

import time
from typing import Any

from clarifai_emulator.conformance import deploying, scenes
from clarifai_emulator.conformance.platform_client import PlatformClient
from clarifai_emulator.conformance.probe import probe
from clarifai_emulator.conformance.routing_scenes import named, served

# Longer than a deployment needs to learn that it is disabled.
_SOON = 30.0


def _replicas(client: PlatformClient, deployment: str) -> tuple[int, int]:
    """Return how many replicas the deployment wants, and how many are live."""
    metrics = client.do("GetDeployment", deployment_id=deployment).message.deployment.deployment_metrics
    return metrics.desired_replicas, metrics.live_replicas


@probe("autoscaling.defaults")
def defaults(client: PlatformClient) -> Any:
    """Deploy without a word about scaling."""
    model = scenes.version(client)
    deployment = scenes.deployment(client, model, scenes.nodepool(client), autoscale_config={})
    return client.call("GetDeployment", deployment_id=deployment).pick("deployment.autoscale_config")


@probe("autoscaling.floor")
def floor(client: PlatformClient) -> Any:
    """Ask for two replicas at the least, one of them softly."""
    model = scenes.version(client)
    scaling = {"min_replicas": 1, "soft_min_replicas": 1, "max_replicas": 3}
    deployment = scenes.deployment(client, model, scenes.nodepool(client), autoscale_config=scaling)

    def wanted() -> int:
        return _replicas(client, deployment)[0]

    return client.wait(wanted, seconds=30, what="a number of replicas that is wanted")


@probe("autoscaling.up", level="deploys")
def up(client: PlatformClient) -> Any:
    """Ask a deployment that has no replica."""
    model, place = deploying.uploaded(client), deploying.cpu_nodepool(client)
    deployment = scenes.deployment(client, model, place)
    before = _replicas(client, deployment)
    answer = deploying.answered(client, model, deployment=named(client, deployment))
    return {"live before": before[1], "answer": answer, "live after": _replicas(client, deployment)[1]}


@probe("autoscaling.to-zero", level="deploys")
def to_zero(client: PlatformClient) -> Any:
    """Wait until a deployment that nobody asks has no replica any more."""
    model, place = deploying.uploaded(client), deploying.cpu_nodepool(client)
    scaling = {"max_replicas": 1, "scale_down_delay_seconds": 5, "scale_to_zero_delay_seconds": 5}
    deployment = scenes.deployment(client, model, place, autoscale_config=scaling)
    deploying.answered(client, model, deployment=named(client, deployment))
    live = _replicas(client, deployment)[1]
    client.wait(lambda: _replicas(client, deployment)[1] == 0, seconds=600, what="the end of the last replica")
    return {"live after a request": live, "live in the end": 0}


@probe("autoscaling.to-zero-after-down")
def to_zero_after_down(client: PlatformClient) -> Any:
    """Let the last replica go before the others."""
    model, place = scenes.version(client), scenes.nodepool(client)
    made = {
        "id": client.name("deployment"),
        "worker": served(client, model),
        "nodepools": [place.message(client)],
        "autoscale_config": {"scale_down_delay_seconds": 60, "scale_to_zero_delay_seconds": 30},
    }
    return client.call("PostDeployments", deployments=[made])


@probe("autoscaling.disabled-deployment")
def disabled_deployment(client: PlatformClient) -> Any:
    """Disable a deployment that wants a replica."""
    model = scenes.version(client)
    scaling = {"min_replicas": 1, "max_replicas": 1}
    deployment = scenes.deployment(client, model, scenes.nodepool(client), autoscale_config=scaling)
    client.wait(lambda: _replicas(client, deployment)[0], seconds=30, what="a replica that is wanted")
    client.do("PatchDeployments", deployments=[{"id": deployment, "status": 1}], action="overwrite")
    ends = time.monotonic() + _SOON
    while (wanted := _replicas(client, deployment)[0]) and time.monotonic() < ends:
        time.sleep(0.05)
    return {"wanted": wanted}


@probe("autoscaling.crashed-replica", level="deploys")
def crashed_replica(client: PlatformClient) -> Any:
    """Ask again after the replica has ended."""
    model, place = deploying.uploaded(client), deploying.cpu_nodepool(client)
    deployment = named(client, scenes.deployment(client, model, place))
    return {
        "before": deploying.answered(client, model, deployment=deployment),
        "its end": deploying.answered(client, model, "exit 3", deployment=deployment),
        "after": deploying.answered(client, model, deployment=deployment),
    }
