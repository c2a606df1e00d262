"""Probes of the catalogue of instance types, and of what fits on them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from clarifai_emulator.conformance import scenes
from clarifai_emulator.conformance.deploying import (
    CPU_INSTANCE,
    answered,
    cloud_cluster,
    cpu_nodepool,
    gpu_nodepool,
)
from clarifai_emulator.conformance.platform_client import PlatformClient
from clarifai_emulator.conformance.probe import probe
from clarifai_emulator.conformance.probes.replica_probes import deployed, witness
from clarifai_emulator.conformance.scenes import MadeModel, MadeNodepool


def listed(client: PlatformClient, provider: str, region: str) -> list[Any]:
    """Return the instance types of a region."""
    answer = client.do("ListInstanceTypes", cloud_provider={"id": provider}, region=region)
    return list(answer.message.instance_types)


def size_of(message: Any) -> str:
    """Say in one line what an instance type has: CPUs, memory, accelerators and their memory."""
    info = message.compute_info
    accelerators = f" {info.num_accelerators}x{info.accelerator_memory}" if info.num_accelerators else ""
    kinds = " ".join(info.accelerator_type)
    return f"{info.cpu_limit} {info.cpu_memory}{accelerators} {kinds}".strip()


def clouds(client: PlatformClient) -> dict[str, str]:
    """Return the providers that rent machines out, with the first region of each."""
    providers = [each.id for each in client.do("ListCloudProviders").message.cloud_providers]
    regions = {
        each: client.do("ListCloudRegions", cloud_provider={"id": each}).message.regions for each in providers
    }
    return {each: found[0] for each, found in regions.items() if found and each != "local"}


@probe("instances.sizes-and-prices")
def sizes_and_prices(client: PlatformClient) -> Any:
    """List the instance types of each cloud."""
    return {
        provider: {each.id: f"{size_of(each)} at {each.price}" for each in listed(client, provider, region)}
        for provider, region in clouds(client).items()
    }


@probe("instances.contact-us")
def without_price(client: PlatformClient) -> Any:
    """Look which instance types have no price."""
    return {
        provider: [each.id for each in listed(client, provider, region) if not each.price or not float(each.price)]
        for provider, region in clouds(client).items()
    }


@probe("instances.azure")
def azure(client: PlatformClient) -> Any:
    """List what there is of Azure."""
    providers = client.do("ListCloudProviders").message.cloud_providers
    regions = client.call("ListCloudRegions", cloud_provider={"id": "azure"})
    types = client.call("ListInstanceTypes", cloud_provider={"id": "azure"}, region="eastus")
    return {
        "providers": [each.id for each in providers],
        "regions": regions.pick("regions"),
        "types": {"status": types, "ids": [each.id for each in types.message.instance_types]},
    }


@probe("instances.regions")
def regions(client: PlatformClient) -> Any:
    """List the regions of each provider, and of one that is not there."""

    def of(provider: str) -> Any:
        answer = client.call("ListCloudRegions", cloud_provider={"id": provider})
        return list(answer.message.regions) if answer.succeeded else answer

    providers = client.do("ListCloudProviders").message.cloud_providers
    unknown = client.call("ListInstanceTypes", cloud_provider={"id": "aws"}, region="nowhere-1")
    return {**{each.id: of(each.id) for each in providers}, "nonsense": of("nonsense"), "no such region": unknown}


def kept_size(client: PlatformClient, instance: str) -> Any:
    """Make an empty nodepool of an instance type with a size of one's own; the size that it has."""
    cloud, info = {"id": "aws"}, {"cpu_limit": "3", "cpu_memory": "5Gi"}
    types = [{"id": instance, "cloud_provider": cloud, "region": "us-east-1", "compute_info": info}]
    cluster = client.shared(cloud_cluster)
    made = {"id": client.name("pool"), "instance_types": types, "max_instances": 1}
    capacity = {"capacity_types": [1]}
    pools = [{**made, "node_capacity_type": capacity}]
    answer = client.call("PostNodepools", compute_cluster_id=cluster, nodepools=pools)
    return size_of(answer.message.nodepools[0].instance_types[0]) if answer.succeeded else answer


@probe("instances.known-id")
def own_sizes(client: PlatformClient) -> Any:
    """Make nodepools of a known and an unknown instance type, each with a size of one's own."""
    return {"known": kept_size(client, CPU_INSTANCE), "unknown": kept_size(client, "t9.imaginary")}


@probe("instances.shared-nodepools")
def shared_nodepools(client: PlatformClient) -> Any:
    """List the clusters and nodepools that Clarifai shares."""
    clusters = client.call("ListComputeClusters", user="clarifai")
    found = clusters.message.compute_clusters if clusters.succeeded else ()
    pools = {each.id: client.call("ListNodepools", user="clarifai", compute_cluster_id=each.id) for each in found}
    return {
        "clusters": clusters,
        "nodepools": {name: sorted(pool.id for pool in answer.message.nodepools) for name, answer in pools.items()},
    }


def needing(client: PlatformClient, needs: str) -> MadeModel:
    """Upload a model that asks for this."""
    head = "model: {id: witness, model_type_id: any-to-any}"
    return witness(client, config=f"{head}\ninference_compute_info: {{{needs}}}\n")


def tried(client: PlatformClient, place: MadeNodepool, needs: str) -> Any:
    """Deploy a model that asks for this, and call it; the answer."""
    model = needing(client, needs)
    with deployed(client, model, place) as deployment:
        selector = {"deployment": {"id": deployment, "user_id": client.user_id}}
        return answered(client, model, "name", **selector)


def each_tried(client: PlatformClient, place: MadeNodepool, needs: Iterable[str]) -> Any:
    """Return what came of each."""
    return {each: tried(client, place, each) for each in needs}


@probe("instances.compute-info", level="deploys")
def sizes_that_fit(client: PlatformClient) -> Any:
    """Deploy models that ask for less and for more than the instance has, as limits and as requests."""
    needs = (
        "cpu_limit: '1', cpu_memory: 1Gi",
        "cpu_limit: '64', cpu_memory: 1Gi",
        "cpu_limit: '1', cpu_memory: 640Gi",
        "cpu_requests: '64', cpu_memory: 1Gi",
        "cpu_limit: '1', cpu_requests: '64', cpu_memory: 1Gi",
    )
    return each_tried(client, cpu_nodepool(client), needs)


@probe("instances.accelerator-type-without-number")
def accelerator_without_number(client: PlatformClient) -> Any:
    """Post a version that names an accelerator and asks for none, and one that asks for one."""
    model = scenes.model(client)

    def posted(**info: Any) -> Any:
        versions = [{"inference_compute_info": {"cpu_limit": "1", "cpu_memory": "1Gi", **info}}]
        return client.call("PostModelVersions", app=model.app, model_id=model.id, model_versions=versions)

    named = ["NVIDIA-T4"]
    return {
        "without a number": posted(accelerator_type=named),
        "with one": posted(accelerator_type=named, num_accelerators=1, accelerator_memory="1Gi"),
    }


@probe("instances.size-not-stated", level="deploys")
def size_not_stated(client: PlatformClient) -> Any:
    """Deploy a model on an instance type whose memory nobody knows."""
    half: dict[str, Any] = {"id": "t9.imaginary", "compute_info": {"cpu_limit": "4"}}
    types = [{**half, "cloud_provider": {"id": "aws"}, "region": "us-east-1"}]
    return tried(client, cpu_nodepool(client, instance_types=types), "cpu_limit: '1', cpu_memory: 1Gi")


@probe("instances.local")
def local_instance(client: PlatformClient) -> Any:
    """List the instance types of the user's own machine."""
    regions = client.do("ListCloudRegions", cloud_provider={"id": "local"}).message.regions
    types = [each for region in regions for each in listed(client, "local", region)]
    return [{"id": each.id, "price": each.price} for each in types]


@probe("instances.never-fits", level="deploys")
def created_though_too_large(client: PlatformClient) -> Any:
    """Deploy a model that is too large for its nodepool, and look at its deployment."""
    model, place = needing(client, "cpu_limit: '64', cpu_memory: 1Gi"), cpu_nodepool(client)
    served = {"id": model.id, "app_id": model.app, "user_id": client.user_id}
    made = {"id": client.name("deployment"), "worker": {"model": served}, "nodepools": [place.message(client)]}
    scale = {"min_replicas": 0, "max_replicas": 1}
    return client.call("PostDeployments", deployments=[{**made, "autoscale_config": scale}])


@probe("instances.cpu-model-on-accelerators", level="gpu")
def model_without_accelerator(client: PlatformClient) -> Any:
    """Deploy a model that asks for no accelerator on an instance that has one."""
    return tried(client, gpu_nodepool(client), "cpu_limit: '1', cpu_memory: 1Gi")


@probe("instances.accelerator-type", level="gpu")
def accelerator_types(client: PlatformClient) -> Any:
    """Deploy models that name the accelerator of the instance in several ways."""
    names = ("NVIDIA-T4", "nvidia-t4", "NVIDIA-*", "[NVIDIA*]", "T4", "NVIDIA-A10G")
    head = "cpu_limit: '1', cpu_memory: 1Gi, num_accelerators: 1, accelerator_memory: 1Gi"
    place = gpu_nodepool(client)
    return {name: tried(client, place, f"{head}, accelerator_type: ['{name}']") for name in names}
