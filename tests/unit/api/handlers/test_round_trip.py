"""Every field that a user can set comes back, but for the few that are said not to."""

from __future__ import annotations

from typing import Any

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import ComputeCluster, Deployment, Nodepool

from resource_api import ResourceApi

SPECIAL = [{"id": "s", "reason": 1, "done": True}]
CLUSTER = {
    "id": "cluster",
    "description": "where",
    "cloud_provider": {"id": "gcp", "name": "Google", "special_handling": SPECIAL},
    "region": "us-central1",
    "user_id": "ada",
    "visibility": {"gettable": 50},
    "cluster_type": "dedicated",
    "managed_by": "user",
    "key": {"description": "ci"},
}
NODEPOOL = {
    "id": "pool",
    "description": "nodes",
    "compute_cluster": {"id": "cluster", "user_id": "ada"},
    "node_capacity_type": {"capacity_types": [1, 2]},
    "instance_types": [
        {
            "id": "own",
            "description": "under the desk",
            "compute_info": {
                "cpu_limit": "8",
                "cpu_memory": "16Gi",
                "cpu_requests": "500m",
                "cpu_memory_requests": "500Mi",
                "num_accelerators": 1,
                "accelerator_memory": "24Gi",
                "accelerator_type": ["NVIDIA-L4"],
                "accelerator_topology": ["2x2"],
            },
            "price": "1",
            "cloud_provider": {"id": "gcp"},
            "region": "us-central1",
            "architecture": "linux/amd64",
        }
    ],
    "min_instances": 1,
    "max_instances": 4,
    "warm_instances": 2,
    "visibility": {"gettable": 30},
    "metadata": {"team": "search", "budget": {"eur": 5}},
    "special_handling": SPECIAL,
}
DEPLOYMENT = {
    "id": "deployment",
    "user_id": "ada",
    "autoscale_config": {
        "min_replicas": 1,
        "max_replicas": 3,
        "traffic_history_seconds": 10,
        "scale_down_delay_seconds": 20,
        "scale_up_delay_seconds": 30,
        "disable_packing": True,
        "scale_to_zero_delay_seconds": 40,
        "soft_min_replicas": 1,
    },
    "scheduling_choice": 7,
    "visibility": {"gettable": 50},
    "metadata": {"team": ["search"]},
    "description": "chat",
    "deploy_latest_version": True,
    "special_handling": SPECIAL,
    "email_reminder_after": {"seconds": 3600},
    "graceful_deploy": True,
    "deployment_nodepools": [{"id": "pool", "compute_cluster": {"id": "cluster", "user_id": "ada"}, "priority": 3}],
    "status": 1,
}
# What the server fills, hides or keeps in another field, and why: docs/fidelity.md.
FILLED = {"created_at", "modified_at"}
NODEPOOL_FILLED = FILLED | {
    "enforced_min_instances",
    "enforced_max_instances",
    "node_count",
    "status",
    "status_description",
}
DEPLOYMENT_ELSEWHERE = FILLED | {"nodepools", "worker", "desired_worker", "deployment_metrics"}


def fields_of(message: Any) -> set[str]:
    return {field.name for field, _ in message.ListFields()}


@pytest.mark.parametrize(
    ("message", "given", "left_out"),
    [
        (ComputeCluster, CLUSTER, FILLED),
        (Nodepool, NODEPOOL, NODEPOOL_FILLED),
        (Deployment, DEPLOYMENT, DEPLOYMENT_ELSEWHERE),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_the_samples_below_set_every_field_there_is(message: Any, given: Any, left_out: set[str]) -> None:
    assert set(given) == set(message.DESCRIPTOR.fields_by_name) - left_out


def test_every_field_comes_back(api: ResourceApi) -> None:
    cluster = api("PostComputeClusters", compute_clusters=[CLUSTER]).compute_clusters[0]
    nodepool = api("PostNodepools", compute_cluster_id="cluster", nodepools=[NODEPOOL]).nodepools[0]
    api.model()
    version = api.version()
    worker = {"model": {"id": "model", "app_id": "app", "user_id": "ada"}}
    api("PostDeployments", deployments=[{**DEPLOYMENT, "worker": worker}])
    deployment = api("GetDeployment", deployment_id="deployment").deployment

    expected_cluster = ComputeCluster(**CLUSTER)
    for name in FILLED:
        getattr(expected_cluster, name).seconds = int(api.clock.seconds)
    assert cluster == expected_cluster

    expected_nodepool = Nodepool(**NODEPOOL)
    expected_nodepool.compute_cluster.CopyFrom(expected_cluster)
    for name in NODEPOOL_FILLED & fields_of(nodepool):
        nodepool.ClearField(name)
    assert nodepool == expected_nodepool

    assert deployment.worker.model.model_version.id == version
    [reference] = deployment.deployment_nodepools
    assert reference.nodepool.metadata["budget"]["eur"] == 5
    reference.ClearField("nodepool")
    reference.compute_cluster.Clear()
    reference.compute_cluster.id, reference.compute_cluster.user_id = "cluster", "ada"
    for name in DEPLOYMENT_ELSEWHERE & fields_of(deployment):
        deployment.ClearField(name)
    assert deployment == Deployment(**DEPLOYMENT)
