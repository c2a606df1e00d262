"""Probes of which models fit on an instance, by what they ask for."""

from __future__ import annotations

from typing import Any

from clarifai_emulator.conformance.deploying import answered, cpu_nodepool, gpu_nodepool
from clarifai_emulator.conformance.platform_client import PlatformClient
from clarifai_emulator.conformance.probe import probe
from clarifai_emulator.conformance.probes.replica_probes import deployed, witness
from clarifai_emulator.conformance.scenes import MadeNodepool


def tried(client: PlatformClient, place: MadeNodepool, needs: str) -> Any:
    """Deploy a model that asks for this, and call it; the answer."""
    head = "model: {id: witness, model_type_id: any-to-any}"
    model = witness(client, config=f"{head}\ninference_compute_info: {{{needs}}}\n")
    with deployed(client, model, place) as deployment:
        selector = {"deployment": {"id": deployment, "user_id": client.user_id}}
        return answered(client, model, "name", **selector)


@probe("instances.compute-info", part="sizes", level="deploys")
def sizes_that_fit(client: PlatformClient) -> Any:
    """Deploy models that ask for less and for more than the instance has, as limits and as requests."""
    place = cpu_nodepool(client)
    needs = (
        "cpu_limit: '1', cpu_memory: 1Gi",
        "cpu_limit: '64', cpu_memory: 1Gi",
        "cpu_limit: '1', cpu_memory: 640Gi",
        "cpu_limit: '1', cpu_requests: '64', cpu_memory: 1Gi",
    )
    return {each: tried(client, place, each) for each in needs}


@probe("instances.accelerator-type", part="fits", level="gpu")
def accelerators_that_fit(client: PlatformClient) -> Any:
    """Deploy models that name the accelerator of the instance in several ways."""
    names = ("NVIDIA-T4", "nvidia-t4", "NVIDIA-*", "[NVIDIA*]", "T4", "NVIDIA-A10G")
    head = "cpu_limit: '1', cpu_memory: 1Gi, num_accelerators: 1, accelerator_memory: 1Gi"
    place = gpu_nodepool(client)
    return {name: tried(client, place, f"{head}, accelerator_type: ['{name}']") for name in names}
