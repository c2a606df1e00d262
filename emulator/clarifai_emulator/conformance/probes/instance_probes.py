"""Probes of instance types, and of what fits them."""

from __future__ import annotations

from typing import Any

from clarifai_emulator.conformance import deploying, scenes
from clarifai_emulator.conformance.platform_client import PlatformClient
from clarifai_emulator.conformance.probe import probe
from clarifai_emulator.conformance.routing_scenes import ask, named, served

_FAIL = 1
# In a cluster that its user runs, where the platform rents nothing.
_OWN_T4 = {
    "id": "own-t4",
    "compute_info": {
        "cpu_limit": "4",
        "cpu_memory": "8Gi",
        "num_accelerators": 1,
        "accelerator_type": ["NVIDIA-T4"],
        "accelerator_memory": "16Gi",
    },
}


def _types(client: PlatformClient, provider: str, region: str) -> dict[str, Any]:
    answer = client.do("ListInstanceTypes", cloud_provider={"id": provider}, region=region)
    return {each.id: each for each in answer.message.instance_types}


def _asked(client: PlatformClient, needs: dict[str, Any], **nodepool: Any) -> Any:
    """Ask a deployment of a model with these needs, in a nodepool of the smallest CPU instance."""
    model = scenes.version(client, pretrained_model_config=None, inference_compute_info=needs)
    deployment = scenes.deployment(client, model, deploying.cpu_nodepool(client, **nodepool))
    return ask(client, model, deployment=named(client, deployment))


@probe("instances.sizes-and-prices")
def sizes_and_prices(client: PlatformClient) -> Any:
    """Look at an instance type of each size, and of each kind."""
    found = {**_types(client, "aws", "us-east-1"), **_types(client, "gcp", "us-east4")}
    found |= {**_types(client, "gcp", "us-central1"), **_types(client, "vultr", "chicago")}
    wanted = ("t3a.medium", "g5.2xlarge", "g6e.12xlarge", "a3-highgpu-1g", "ct5p-hightpu-4t")
    return {name: found[name] for name in (*wanted, "vbm-256c-2048gb-8-mi300x-gpu") if name in found}


@probe("instances.contact-us")
def contact_us(client: PlatformClient) -> Any:
    """Look at prices that are not published."""
    found = {**_types(client, "oracle", "us-chicago-1"), **_types(client, "lambda", "us-south-3")}
    return {name: each.price for name, each in found.items()}


@probe("instances.azure")
def azure(client: PlatformClient) -> Any:
    """List what Azure and DigitalOcean have."""
    return {
        "azure": sorted(_types(client, "azure", "eastus")),
        "digitalocean": sorted(_types(client, "digitalocean", "nyc1")),
    }


@probe("instances.regions")
def regions(client: PlatformClient) -> Any:
    """List the regions of each cloud."""
    providers = client.do("ListCloudProviders").message.cloud_providers
    return {
        each.id: list(client.do("ListCloudRegions", cloud_provider={"id": each.id}).message.regions)
        for each in providers
    }


@probe("instances.all")
def all_at_once(client: PlatformClient) -> Any:
    """List all instance types at once, with the documentation's curl."""
    answer = client.rest("GET", "/v2/cloud_providers/all/regions/all/instance_types/")
    found = (answer.json or {}).get("instance_types", [])
    providers = {each["cloud_provider"]["id"] for each in found}
    return {
        "status": answer,
        "providers": providers,
        "g5.2xlarge": any(each["id"] == "g5.2xlarge" for each in found),
    }


@probe("instances.known-id")
def known_id(client: PlatformClient) -> Any:
    """Make a nodepool with sizes of its own for a known and an unknown instance type."""
    sizes = {"cpu_limit": "1", "cpu_memory": "1Gi"}

    def shown(name: str) -> Any:
        instance = {"id": name, "compute_info": sizes}
        place = scenes.nodepool(client, instance_types=[instance])
        answer = client.call("GetNodepool", compute_cluster_id=place.cluster, nodepool_id=place.id)
        return answer.pick("nodepool.instance_types.0.compute_info", "nodepool.instance_types.0.price")

    return {"known": shown("g5.2xlarge"), "unknown": shown("my-own-rack")}


@probe("instances.compute-info", level="deploys")
def compute_info(client: PlatformClient) -> Any:
    """Ask for more as a request than an instance has, with and without a limit that fits."""
    return {"request alone": _asked(client, {"cpu_requests": "64", "cpu_memory_requests": "1Gi"})}


@probe("instances.accelerator-type")
def accelerator_type(client: PlatformClient) -> Any:
    """Make versions with each form of a wildcard."""
    model = scenes.model(client)

    def made(name: str) -> Any:
        needs = {"num_accelerators": 1, "accelerator_type": [name], "accelerator_memory": "1Gi"}
        version = {"pretrained_model_config": {"local_dev": True}, "inference_compute_info": needs}
        return client.call("PostModelVersions", **model.address, model_versions=[version])

    return {name: made(name) for name in ("NVIDIA-*", "[NVIDIA*]", "nvidia-a10g")}


@probe("instances.accelerator-type", part="routed")
def accelerators_that_are_looked_for(client: PlatformClient) -> Any:
    """Ask a deployment that is to fail where two nodepools are equal, with each form of a name: it fails so where
    both have what the model asks for, and nothing has to run."""
    own = scenes.cluster(client, cluster_type="dedicated")
    places = [scenes.nodepool(client, cluster=own, instance_types=[_OWN_T4]) for _ in range(2)]

    def asked_for(name: str) -> Any:
        needs = {"num_accelerators": 1, "accelerator_type": [name], "accelerator_memory": "1Gi"}
        model = scenes.version(client, pretrained_model_config=None, inference_compute_info=needs)
        deployment = scenes.deployment(client, model, *places, scheduling_choice=_FAIL)
        return ask(client, model, deployment=named(client, deployment))

    names = ("NVIDIA-T4", "nvidia-t4", "NVIDIA-*", "[NVIDIA*]", "T4", "NVIDIA-A10G")
    return {name: asked_for(name) for name in names}


@probe("instances.accelerator-type-without-number")
def accelerator_type_without_number(client: PlatformClient) -> Any:
    """Make a version that asks for a type of accelerator, and for none of it."""
    needs = {"cpu_limit": "100m", "accelerator_type": ["NVIDIA-*"]}
    version = {"pretrained_model_config": {"local_dev": True}, "inference_compute_info": needs}
    return client.call("PostModelVersions", **scenes.model(client).address, model_versions=[version])


@probe("instances.size-not-stated", level="deploys")
def size_not_stated(client: PlatformClient) -> Any:
    """Deploy where the instance type does not say how much memory it has."""
    instance = {"id": client.name("rack"), "compute_info": {"cpu_limit": "1"}}
    return _asked(client, {"cpu_memory": "1Gi"}, instance_types=[instance])


@probe("instances.never-fits", level="deploys")
def never_fits(client: PlatformClient) -> Any:
    """Make a deployment that can never start."""
    needs = {"cpu_limit": "512", "cpu_memory": "4Ti"}
    model = scenes.version(client, pretrained_model_config=None, inference_compute_info=needs)
    worker = served(client, model)
    place = deploying.cpu_nodepool(client).message(client)
    made = {"id": client.name("deployment"), "worker": worker, "nodepools": [place]}
    return client.call("PostDeployments", deployments=[made])


@probe("instances.local")
def local(client: PlatformClient) -> Any:
    """Look at the instance type `local`."""
    answer = client.do("ListInstanceTypes", cloud_provider={"id": "all"}, region="all")
    each = next(each for each in answer.message.instance_types if each.id == "local")
    return {
        "description": each.description,
        "price": each.price,
        "region": each.region,
        "group": each.feature_flag_group,
        "provider": each.cloud_provider.id,
    }


@probe("instances.cpu-model-on-accelerators", level="gpu")
def cpu_model_on_accelerators(client: PlatformClient) -> Any:
    """Run a model without a GPU on an instance with one."""
    model, place = deploying.uploaded(client), deploying.gpu_nodepool(client)
    deployment = scenes.deployment(client, model, place)
    return deploying.answered(client, model, deployment=named(client, deployment))
