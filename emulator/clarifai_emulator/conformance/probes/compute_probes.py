"""Probes of compute clusters and nodepools. All of them are empty: no machine starts."""

from __future__ import annotations

from typing import Any

from clarifai_emulator.conformance import deploying, scenes
from clarifai_emulator.conformance.platform_client import PlatformClient
from clarifai_emulator.conformance.probe import probe

_IN_THE_CLOUD = {
    "cloud_provider": {"id": "aws"},
    "region": "us-east-1",
    "managed_by": "clarifai",
    "cluster_type": "dedicated",
}


def posted(client: PlatformClient, **fields: Any) -> Any:
    """Post a cluster in the cloud, but for these fields."""
    cluster = {"id": client.name("cluster"), **_IN_THE_CLOUD, "key": {"id": client.account.pat}, **fields}
    return client.call("PostComputeClusters", compute_clusters=[cluster])


def nodepool(client: PlatformClient, **fields: Any) -> Any:
    """Post an empty nodepool into a cluster in the cloud."""
    made = {
        "id": client.name("nodepool"),
        "node_capacity_type": {"capacity_types": [1]},
        "instance_types": [{"id": "t3a.medium"}],
        "min_instances": 0,
        "max_instances": 1,
        **fields,
    }
    return client.call("PostNodepools", compute_cluster_id=client.shared(deploying.cloud_cluster), nodepools=[made])


@probe("clusters.region")
def region(client: PlatformClient) -> Any:
    """Post clusters in regions that no provider has."""
    return {
        "local": posted(
            client, cloud_provider={"id": "local"}, region="us-east-1", managed_by="user", cluster_type="local-dev"
        ),
        "in the cloud": posted(client, region="nowhere-1"),
        "none": posted(client, region=""),
    }


@probe("clusters.provider")
def provider(client: PlatformClient) -> Any:
    """Post clusters of a provider that is not there."""
    other: dict[str, Any] = {"cloud_provider": {"id": "my-own-rack"}}
    return {
        "managed by clarifai": posted(client, **other),
        "managed by the user": posted(client, **other, managed_by="user"),
        "none": posted(client, cloud_provider={}),
    }


@probe("clusters.shared")
def shared_cluster(client: PlatformClient) -> Any:
    """Post a shared cluster, and ones that leave out what they are."""
    return {
        "shared": posted(client, cluster_type="shared"),
        "no type": posted(client, cluster_type=""),
        "no manager": posted(client, managed_by=""),
    }


@probe("clusters.key")
def key_of_a_cluster(client: PlatformClient) -> Any:
    """Get a cluster that has a key."""
    cluster = scenes.cluster(client, key={"id": client.account.pat})
    return client.call("GetComputeCluster", compute_cluster_id=cluster).pick("compute_cluster.key.id")


@probe("clusters.key-of-another")
def key_of_another(client: PlatformClient) -> Any:
    """Post clusters with a key that is a stranger's, and one that is nobody's."""
    made = {"description": client.name("key"), "type": "personal_access_token", "scopes": ["Apps_Get"]}
    theirs = client.other.do("PostKeys", keys=[made]).message.keys[0].id
    return {
        "somebody else's": posted(client, key={"id": theirs}),
        "nobody's": posted(client, key={"id": "0" * 32}),
        "none": posted(client, key={}),
    }


@probe("clusters.key-deleted")
def delete_the_key_of_a_cluster(client: PlatformClient) -> Any:
    """Delete the key that a cluster names, and look at the cluster."""
    made = {"description": client.name("key"), "type": "personal_access_token", "scopes": ["Apps_Get"]}
    key = client.do("PostKeys", keys=[made]).message.keys[0].id
    cluster = scenes.cluster(client, key={"id": key})
    deleted = client.call("DeleteKey", key_id=key)
    return {"delete": deleted, "the cluster": client.call("GetComputeCluster", compute_cluster_id=cluster)}


@probe("clusters.delete")
def delete_under_a_deployment(client: PlatformClient) -> Any:
    """Delete a nodepool and a cluster in which a deployment is."""
    model = scenes.version(client)
    first, second = (scenes.nodepool(client, cluster=scenes.cluster(client)) for _ in range(2))
    both = scenes.deployment(client, model, first, second)
    only = scenes.deployment(client, model, second)
    deleted = client.call("DeleteNodepools", compute_cluster_id=first.cluster, ids=[first.id])
    left = client.call("GetDeployment", deployment_id=both)
    nodepools = left.fields.get("deployment", {}).get("nodepools", [])
    return {
        "delete a nodepool": deleted,
        "a deployment in two": {"status": left, "nodepools": len(nodepools)},
        "delete the other's cluster": client.call("DeleteComputeClusters", ids=[second.cluster]),
        "its nodepool": client.call("GetNodepool", **second.place),
        "a deployment in one": client.call("GetDeployment", deployment_id=only),
        "the deployment in two": client.call("GetDeployment", deployment_id=both),
    }


@probe("nodepools.catalogue-sizes")
def sizes(client: PlatformClient) -> Any:
    """Post a nodepool of a known type with sizes that are not its own."""
    wrong = {"id": "g5.xlarge", "compute_info": {"cpu_limit": "1", "cpu_memory": "1Mi"}, "price": "1"}
    answer = nodepool(client, instance_types=[wrong])
    return answer.pick("nodepools.0.instance_types.0.compute_info", "nodepools.0.instance_types.0.price")


@probe("nodepools.cpu-t3a")
def older_name(client: PlatformClient) -> Any:
    """Post a nodepool of a type that the CLI names as an older catalogue did."""
    answer = nodepool(client, instance_types=[{"id": "cpu-t3a-2xlarge"}])
    return answer.pick("nodepools.0.instance_types.0.id", "nodepools.0.instance_types.0.compute_info.cpu_memory")


@probe("nodepools.unknown-instance-type")
def unknown_type(client: PlatformClient) -> Any:
    """Post nodepools of a type that is not there."""
    own = {"id": "my-own-machine", "compute_info": {"cpu_limit": "1", "cpu_memory": "1Gi"}}
    place = {"compute_cluster_id": client.shared(scenes.cluster)}
    made: dict[str, Any] = {"id": client.name("own"), "instance_types": [own], "max_instances": 1}
    made["node_capacity_type"] = {"capacity_types": [1]}
    return {
        "in the cloud": nodepool(client, instance_types=[{"id": "my-own-machine"}]),
        "with sizes, local-dev": client.call("PostNodepools", **place, nodepools=[made]),
        "none": nodepool(client, instance_types=[]),
    }


@probe("nodepools.capacity-type")
def capacity_type(client: PlatformClient) -> Any:
    """Post a nodepool that says nothing of its capacity."""
    return nodepool(client, node_capacity_type={}).pick("nodepools.0.node_capacity_type")


@probe("nodepools.instances")
def instances(client: PlatformClient) -> Any:
    """Post a nodepool with more instances at least than at most, and look at one that is right."""
    fine = nodepool(client)
    paths = ("enforced_min_instances", "enforced_max_instances", "status")
    return {
        "more at least": nodepool(client, min_instances=2, max_instances=1),
        "right": fine.pick(*(f"nodepools.0.{path}" for path in paths)),
    }
