"""The scenarios of the SDK's `cli/test_compute_orchestration.py`: clusters, nodepools and deployments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from clarifai.client.compute_cluster import ComputeCluster
from clarifai.client.nodepool import Nodepool
from clarifai.client.user import User
from clarifai.runners.models.model_builder import deploy_model
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import MODELS, Client, inference_request
from flow.upstream.commands import Commands

CLUSTER: dict[str, Any] = {
    "id": "of-the-file", "description": "My AWS cluster", "cloud_provider": {"id": "aws"}, "region": "us-east-1",
    "managed_by": "clarifai", "cluster_type": "dedicated", "visibility": {"gettable": 10},
}  # fmt: skip
NODEPOOL: dict[str, Any] = {
    "id": "of-the-file", "compute_cluster": {"id": "of-the-file"}, "max_instances": 1, "min_instances": 0,
    "instance_types": [{"id": "t3a.medium", "compute_info": {"cpu_limit": "1", "cpu_memory": "2Gi"}}],
    "node_capacity_type": {"capacity_types": [1]},
}  # fmt: skip
DEPLOYMENT: dict[str, Any] = {
    "id": "of-the-file", "scheduling_choice": 4,
    "nodepools": [{"id": "pool", "compute_cluster": {"id": "cluster"}}],
    "worker": {"model": {"id": "hello", "app_id": "demo", "user_id": "me"}},
    "autoscale_config": {"min_replicas": 0, "max_replicas": 1, "scale_down_delay_seconds": 30,
                         "scale_to_zero_delay_seconds": 50},
}  # fmt: skip


@pytest.fixture
def cli(emulator: EmulatorThread, tmp_path: Path) -> Commands:
    return Commands(emulator.url, tmp_path)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """Write the three config files that users have, and give their paths."""
    paths: dict[str, str] = {}
    for name, content in {"compute_cluster": CLUSTER, "nodepool": NODEPOOL, "deployment": DEPLOYMENT}.items():
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump({name: content}))
        paths[name] = str(path)
    return paths


def test_each_is_created_from_its_file_listed_and_deleted(
    emulator: EmulatorThread, cli: Commands, files: dict[str, str], client: Client
) -> None:
    emulator.deploy(MODELS / "hello", min_replicas=0)
    cli.ok("computecluster", "create", "cluster", "--config", files["compute_cluster"])
    cli.ok("nodepool", "create", "cluster", "pool", "--config", files["nodepool"])
    cli.ok("deployment", "create", "pool", "serves", "--config", files["deployment"])
    for words, ids in (
        (("computecluster", "list"), ("cluster", "me")),
        (("nodepool", "list", "cluster"), ("pool", "me")),
        (("deployment", "list", "pool"), ("serves", "hello")),
    ):
        said = cli.ok(*words)
        assert "USER_ID" in said or "MODEL_ID" in said, said
        assert all(each in said for each in ids), said
    answer = client.call("PostModelOutputs", inference_request("hello", deployment="serves", prompt="you"))
    assert answer.status.code == StatusCode.SUCCESS
    cli.ok("deployment", "delete", "serves")
    cli.ok("nodepool", "delete", "cluster", "pool")
    cli.ok("computecluster", "delete", "cluster")
    assert "cluster" not in [row[0] for row in cli.rows("computecluster", "list")]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("deployment", "delete", "gone"), "gone"),
        (("nodepool", "delete", "gone", "gone"), "gone"),
        (("computecluster", "delete", "gone"), "gone"),
        (("computecluster", "create", "cluster", "--config", "/no/such/file"), "does not exist"),
    ],
)
def test_what_is_not_there_is_refused(cli: Commands, words: tuple[str, ...], says: str) -> None:
    assert says in cli.refused(*words)


def test_the_sdk_does_the_same(emulator: EmulatorThread, files: dict[str, str]) -> None:
    emulator.deploy(MODELS / "hello", min_replicas=0)
    user = User(user_id="me")
    cluster = user.create_compute_cluster(compute_cluster_id="cluster", config_filepath=files["compute_cluster"])
    pool = cluster.create_nodepool(nodepool_id="pool", config_filepath=files["nodepool"])
    made = pool.create_deployment(deployment_id="serves", config_filepath=files["deployment"])
    assert (made.id, made.autoscale_config.scale_to_zero_delay_seconds) == ("serves", 50)
    assert [each.id for each in pool.list_deployments()] == ["serves"]
    assert "pool" in [
        each.id for each in ComputeCluster(compute_cluster_id="cluster", user_id="me").list_nodepools()
    ]
    pool.delete_deployments(["serves"])
    cluster.delete_nodepools(["pool"])
    user.delete_compute_clusters(["cluster"])
    assert "cluster" not in [each.id for each in user.list_compute_clusters()]


def test_deploy_model_of_the_sdk_deploys_what_was_uploaded(
    emulator: EmulatorThread, files: dict[str, str], client: Client
) -> None:
    """The second half of `runners/test_model_upload.py::test_model_uploader_flow`."""
    deployed = emulator.deploy(MODELS / "hello", min_replicas=0)
    user = User(user_id="me")
    cluster = user.create_compute_cluster(compute_cluster_id="cluster", config_filepath=files["compute_cluster"])
    cluster.create_nodepool(nodepool_id="pool", config_filepath=files["nodepool"])
    assert deploy_model(
        model_id="hello", app_id="demo", user_id="me", deployment_id="by-the-sdk", cluster_user_id="me",
        model_version_id=deployed.version_id, nodepool_id="pool", compute_cluster_id="cluster", min_replicas=1,
    )  # fmt: skip
    answer = client.call("PostModelOutputs", inference_request("hello", deployment="by-the-sdk", prompt="you"))
    assert answer.status.code == StatusCode.SUCCESS
    Nodepool(user_id="me", nodepool_id="pool").delete_deployments(["by-the-sdk"])
