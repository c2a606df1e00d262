"""Probes of how many replicas a deployment has while it is asked for much, and after that."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from clarifai_emulator.conformance.platform_client import PlatformClient
from clarifai_emulator.conformance.probe import probe
from clarifai_emulator.conformance.probes.replica_probes import deployed, question, told, witness
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


@probe("autoscaling.wanted", level="deploys")
def wanted(client: PlatformClient) -> Any:
    """Ask a deployment of replicas that take one request each for one thing, and for many at once."""
    with scaled(client, min_replicas=0, max_replicas=4) as (model, deployment):
        return {f"{count} requests": most_for(client, model, deployment, count) for count in (1, 12)}


@probe("autoscaling.up", part="burst", level="deploys")
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
