"""Probes of how many replicas a deployment has."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from clarifai_emulator.conformance import scenes
from clarifai_emulator.conformance.platform_client import PlatformClient
from clarifai_emulator.conformance.probe import probe
from clarifai_emulator.conformance.probes.replica_probes import deployed, question, told, witness
from clarifai_emulator.conformance.probes.rollout_probes import disabled
from clarifai_emulator.conformance.scenes import MadeModel

_START_SECONDS = 900.0
# A replica takes one request at a time.
_ONE_AT_A_TIME = """
model: {id: witness, model_type_id: any-to-any}
inference_compute_info: {cpu_limit: 100m, cpu_memory: 100Mi, num_accelerators: 0}
num_threads: 1
"""
_QUICK = {"traffic_history_seconds": 1, "scale_down_delay_seconds": 1, "scale_up_delay_seconds": 1}


def narrow_witness(client: PlatformClient) -> MadeModel:
    """Upload a model whose replicas take one request at a time."""
    return witness(client, config=_ONE_AT_A_TIME)


@contextmanager
def scaled(client: PlatformClient, **config: Any) -> Generator[tuple[MadeModel, str]]:
    """Deploy it with an autoscale configuration, while the block runs, and wait until it serves."""
    model = client.shared(narrow_witness)
    with deployed(client, model, autoscale_config=config) as deployment:
        told(client, model, deployment, "name")
        yield model, deployment


def most_for(client: PlatformClient, model: MadeModel, deployment: str, count: int) -> int:
    """Ask for so many things at once; the most replicas that were wanted meanwhile."""
    request = question(client, model, deployment, "sleep 2")
    calls = [client.start("PostModelOutputs", timeout=_START_SECONDS, **request) for _ in range(count)]
    most = 0
    while not all(call.ended(0.02) for call in calls):
        most = max(most, replicas(client, deployment)[0])
    return most


def replicas(client: PlatformClient, deployment: str) -> tuple[int, int]:
    """Return how many replicas a deployment should have, and has."""
    metrics = client.do("GetDeployment", deployment_id=deployment).message.deployment.deployment_metrics
    return metrics.desired_replicas, metrics.live_replicas


def reached(
    client: PlatformClient, deployment: str, wanted: tuple[int, int], *, seconds: float = _START_SECONDS
) -> bool:
    """Tell whether it comes to have so many, in that time."""
    ends = time.monotonic() + seconds
    while replicas(client, deployment) != wanted:
        if time.monotonic() > ends:
            return False
        time.sleep(0.05 if seconds < 60 else 0.2)
    return True


@probe("autoscaling.defaults")
def defaults(client: PlatformClient) -> Any:
    """Make deployments without an autoscale configuration, and with one of zeros."""
    model = scenes.version(client)
    place = client.shared(scenes.nodepool)

    def shown(**fields: Any) -> Any:
        deployment = scenes.deployment(client, model, place, id=client.name("scaled"), **fields)
        return client.do("GetDeployment", deployment_id=deployment).pick("deployment.autoscale_config")

    return {
        "with none": shown(autoscale_config=None),
        "with zeros": shown(autoscale_config={"min_replicas": 0, "max_replicas": 0}),
        "with some": shown(autoscale_config={"min_replicas": 0, "max_replicas": 2, "scale_up_delay_seconds": 7}),
    }


@probe("autoscaling.floor", level="deploys")
def floor(client: PlatformClient) -> Any:
    """Deploy with a least number of replicas, and a soft one."""
    seen: dict[str, Any] = {}
    for least, soft, most in ((1, 1, 3), (1, 2, 2), (2, 0, 3)):
        with scaled(client, min_replicas=least, soft_min_replicas=soft, max_replicas=most) as (_, deployment):
            wanted = min(least + soft, most)
            seen[f"{least} and {soft}, at most {most}"] = reached(client, deployment, (wanted, wanted))
    return seen


@probe("autoscaling.wanted", level="deploys")
def wanted(client: PlatformClient) -> Any:
    """Ask a deployment of replicas that take one request each for one thing, and for many at once."""
    with scaled(client, min_replicas=0, max_replicas=4) as (model, deployment):
        return {f"{count} requests": most_for(client, model, deployment, count) for count in (1, 12)}


@probe("autoscaling.up", level="deploys")
def up(client: PlatformClient) -> Any:
    """Ask for one thing more than there are slots, twice, and then for many things."""
    with scaled(client, min_replicas=1, max_replicas=5, scale_up_delay_seconds=600) as (model, deployment):
        return {f"{count} requests": most_for(client, model, deployment, count) for count in (2, 3, 8)}


@probe("autoscaling.down", level="deploys")
def down(client: PlatformClient) -> Any:
    """Look what becomes of replicas that a burst has started, with short delays and with a long one."""
    seen: dict[str, Any] = {}
    with scaled(client, min_replicas=1, max_replicas=3, **_QUICK) as (model, deployment):
        most_for(client, model, deployment, 4)
        seen["short delays"] = reached(client, deployment, (1, 1), seconds=60)
    with scaled(client, min_replicas=1, max_replicas=3, **{**_QUICK, "scale_down_delay_seconds": 600}) as (
        model,
        slow,
    ):
        most_for(client, model, slow, 4)
        seen["a long one"] = "stay" if not reached(client, slow, (1, 1), seconds=3) else "go"
    return seen


@probe("autoscaling.to-zero", level="deploys")
def to_zero(client: PlatformClient) -> Any:
    """Leave deployments alone: one that may have no replica, and one that has to have one."""
    soon = {**_QUICK, "scale_to_zero_delay_seconds": 1}
    with scaled(client, min_replicas=0, max_replicas=1, **soon) as (_, idle):
        gone = reached(client, idle, (0, 0), seconds=120)
    with scaled(client, min_replicas=1, max_replicas=1, **soon) as (_, kept):
        stays = not reached(client, kept, (0, 0), seconds=3)
    return {"least 0 goes": gone, "least 1 stays": stays}


@probe("autoscaling.disabled-deployment", level="deploys")
def disabled_deployment(client: PlatformClient) -> Any:
    """Disable a deployment that has a replica."""
    with scaled(client, min_replicas=1, max_replicas=1) as (_, deployment):
        patched = disabled(client, deployment)
        return {"patched": patched, "no replica": reached(client, deployment, (0, 0), seconds=120)}


@probe("autoscaling.crashed-replica", level="deploys")
def crashed(client: PlatformClient) -> Any:
    """End a replica twice, and look whether another one comes at once."""
    times: list[float] = []
    with scaled(client, min_replicas=1, max_replicas=1) as (model, deployment):
        for _ in range(2):
            told(client, model, deployment, "name")
            began = time.monotonic()
            client.call("PostModelOutputs", **question(client, model, deployment, "exit 3"))
            reached(client, deployment, (1, 1))
            times.append(time.monotonic() - began)
    return {"comes again": len(times), "at once": min(times) < 0.4}
