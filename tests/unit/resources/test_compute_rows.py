"""Tests compute clusters, nodepools and runners, as clients see them."""

from __future__ import annotations

from typing import Any

import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.store import Kind
from resource_api import ResourceApi, refusal

CLUSTER = {
    "id": "c",
    "cloud_provider": {"id": "aws"},
    "region": "us-east-1",
    "cluster_type": "dedicated",
    "managed_by": "clarifai",
}
NODEPOOL = {"id": "n", "instance_types": [{"id": "t3a.medium"}], "max_instances": 1}


def cluster_refusal(api: ResourceApi, **fields: Any) -> tuple[int, str]:
    return refusal(api, "PostComputeClusters", compute_clusters=[{**CLUSTER, **fields}])


def nodepool_refusal(api: ResourceApi, **fields: Any) -> tuple[int, str]:
    return refusal(api, "PostNodepools", compute_cluster_id="cluster", nodepools=[{**NODEPOOL, **fields}])


class TestComputeClusters:
    def test_the_key_is_kept_but_not_shown(self, api: ResourceApi) -> None:
        shown = api.cluster(key={"id": "0123456789abcdef", "description": "ci"})
        assert (shown.key.id, shown.key.description) == ("****", "ci")
        assert api("ListComputeClusters").compute_clusters[0].key.id == "****"
        kept: Any = api.store.get(Kind.COMPUTE_CLUSTER, ("ada", "cluster"))
        assert kept.key.id == "0123456789abcdef"

    def test_a_cluster_without_a_key_shows_none(self, api: ResourceApi) -> None:
        assert not api.cluster().HasField("key")

    def test_a_cluster_that_comes_back_as_it_was_shown_keeps_its_key(self, api: ResourceApi) -> None:
        shown = api.cluster(key={"id": "0123456789abcdef"})
        shown.description = "new"
        api("PatchComputeClusters", compute_clusters=[shown], action="overwrite")
        kept: Any = api.store.get(Kind.COMPUTE_CLUSTER, ("ada", "cluster"))
        assert (kept.key.id, kept.description) == ("0123456789abcdef", "new")

    def test_a_key_of_another_user(self, api: ResourceApi) -> None:
        key = api("PostKeys", "bob", keys=[{"type": "personal_access_token"}]).keys[0]
        code, message = cluster_refusal(api, key={"id": key.id})
        assert code == StatusCode.COMPUTE_CLUSTER_INVALID_ARGUMENT
        assert (
            message
            == "compute_clusters[0].key: belongs to user 'bob'; a cluster of 'ada' needs a key of that user."
        )

    @pytest.mark.parametrize(
        ("fields", "problem"),
        [
            ({"region": ""}, "region: must not be empty"),
            ({"cluster_type": "big"}, "cluster_type: 'big' is none of dedicated, local-dev, shared"),
            ({"cluster_type": "shared"}, "cluster_type: only Clarifai has shared clusters"),
            ({"managed_by": ""}, "managed_by: '' is none of clarifai, user"),
            ({"cloud_provider": {}}, "cloud_provider.id: must not be empty; There are 'aws', "),
            (
                {"cloud_provider": {"id": "asw"}},
                "'asw' is not a cloud provider of the platform. Did you mean 'aws'",
            ),
        ],
    )
    def test_what_is_refused(self, api: ResourceApi, fields: dict[str, Any], problem: str) -> None:
        code, message = cluster_refusal(api, **fields)
        assert code == StatusCode.COMPUTE_CLUSTER_INVALID_ARGUMENT
        assert problem in message

    def test_own_machines_may_be_of_any_provider_and_region(self, api: ResourceApi) -> None:
        api.cluster("k8s", cloud_provider={"id": "kubernetes"}, region="cellar", managed_by="user")
        api.cluster("west", region="us-west-2")

    def test_clarifai_has_shared_clusters(self, api: ResourceApi) -> None:
        api.cluster("shared", "clarifai", cluster_type="shared")

    def test_deleting_one_deletes_all_in_it(self, api: ResourceApi) -> None:
        api.ready_to_deploy()
        api.deployment()
        worker = {"model": {"id": "model", "app_id": "app"}}
        api("PostRunners", compute_cluster_id="cluster", nodepool_id="pool", runners=[{"worker": worker}])

        api("DeleteComputeClusters", ids=["cluster"])
        for kind in (Kind.NODEPOOL, Kind.RUNNER, Kind.DEPLOYMENT):
            assert api.store.count(kind) == 0
        assert api.store.count(Kind.MODEL_VERSION) == 1


class TestNodepools:
    @pytest.fixture(autouse=True)
    def _cluster(self, api: ResourceApi) -> None:
        api.cluster()

    def test_what_the_server_fills(self, api: ResourceApi) -> None:
        nodepool = api.nodepool(min_instances=1, max_instances=2, status=3, node_count=7)
        assert (nodepool.enforced_min_instances, nodepool.enforced_max_instances) == (1, 2)
        assert nodepool.status == nodepool.NODEPOOL_STATUS_READY
        assert nodepool.node_count == 0
        assert nodepool.compute_cluster.region == "us-east-1"
        assert nodepool.instance_types[0].compute_info.cpu_limit == "1545m"

    def test_the_cluster_may_be_named_in_the_nodepool_only(self, api: ResourceApi) -> None:
        item = {**NODEPOOL, "compute_cluster": {"id": "cluster", "user_id": "ada"}}
        assert api("PostNodepools", nodepools=[item]).nodepools[0].compute_cluster.id == "cluster"

    def test_without_capacity_types_it_is_on_demand(self, api: ResourceApi) -> None:
        nodepool = api("PostNodepools", compute_cluster_id="cluster", nodepools=[NODEPOOL]).nodepools[0]
        assert list(nodepool.node_capacity_type.capacity_types) == [1]

    def test_a_cluster_that_does_not_exist(self, api: ResourceApi) -> None:
        assert refusal(api, "PostNodepools", compute_cluster_id="cluter", nodepools=[NODEPOOL]) == (
            StatusCode.CONN_DOES_NOT_EXIST,
            "ComputeCluster with ID 'cluter' not found. Check your request fields. Did you mean 'cluster'?",
        )
        assert refusal(api, "PostNodepools", nodepools=[NODEPOOL]) == (
            StatusCode.NODEPOOL_INVALID_ARGUMENT,
            "nodepools[0].compute_cluster_id: must not be empty.",
        )

    @pytest.mark.parametrize(
        ("fields", "problem"),
        [
            ({"instance_types": []}, "instance_types: must name at least one instance type"),
            ({"instance_types": [{}]}, "instance_types[0].id: must not be empty"),
            ({"min_instances": 2}, "min_instances: 2 is more than max_instances 1"),
            ({"node_capacity_type": {"capacity_types": [0]}}, "0 is neither 1 (on demand) nor 2 (spot)"),
            (
                {"compute_cluster": {"id": "other"}},
                "compute_cluster.id: is 'other', but the request is about",
            ),
            ({"compute_cluster": {"user_id": "bob"}}, "compute_cluster.user_id: is 'bob'; a nodepool belongs to"),
        ],
    )
    def test_what_is_refused(self, api: ResourceApi, fields: dict[str, Any], problem: str) -> None:
        code, message = nodepool_refusal(api, **fields)
        assert code == StatusCode.NODEPOOL_INVALID_ARGUMENT
        assert problem in message

    def test_an_instance_type_that_is_not_known(self, api: ResourceApi) -> None:
        code, message = nodepool_refusal(api, instance_types=[{"id": "t3a.mediun"}])
        assert code == StatusCode.INSTANCE_TYPE_DOES_NOT_EXIST
        assert message == (
            "nodepools[0].instance_types[0].id: instance type 't3a.mediun' is not known. "
            "Did you mean 't3a.medium'? Or give its compute_info."
        )

    def test_the_id_that_the_cli_deploys_to_by_default(self, api: ResourceApi) -> None:
        [instance] = api.nodepool(instance_types=[{"id": "cpu-t3a-2xlarge"}]).instance_types
        assert instance.id == "cpu-t3a-2xlarge"
        assert instance.compute_info.cpu_limit == "7525m"

    def test_an_instance_type_with_its_own_sizes(self, api: ResourceApi) -> None:
        nodepool = api.nodepool(instance_types=[{"id": "own", "compute_info": {"cpu_limit": "2"}}])
        assert nodepool.instance_types[0].compute_info.cpu_limit == "2"

    def test_a_patch_moves_what_is_enforced(self, api: ResourceApi) -> None:
        api.nodepool()
        patch = {"id": "pool", "max_instances": 4}
        [nodepool] = api(
            "PatchNodepools", compute_cluster_id="cluster", nodepools=[patch], action="overwrite"
        ).nodepools
        assert (nodepool.max_instances, nodepool.enforced_max_instances) == (4, 4)

    def test_lists_of_one_cluster_and_of_all(self, api: ResourceApi) -> None:
        api.cluster("other")
        api.nodepool("one")
        api.nodepool("two", "other")
        assert [each.id for each in api("ListNodepools", compute_cluster_id="other").nodepools] == ["two"]
        assert [each.id for each in api("ListNodepools").nodepools] == ["two", "one"]

    def test_only_those_in_use(self, api: ResourceApi) -> None:
        api.ready_to_deploy_in("used")
        api.nodepool("idle")
        runner = {"worker": {"model": {"id": "model", "app_id": "app"}}, "num_replicas": 1}
        api("PostRunners", compute_cluster_id="cluster", nodepool_id="used", runners=[runner])
        assert [each.id for each in api("ListNodepools", active_usage=True).nodepools] == ["used"]

    def test_deployments_leave_a_nodepool_that_is_deleted(self, api: ResourceApi) -> None:
        api.ready_to_deploy_in("pool")
        api.nodepool("spare")
        refs = [{"id": name, "compute_cluster": {"id": "cluster"}} for name in ("pool", "spare")]
        api.deployment("both", nodepools=refs)
        api.deployment("one")

        api("DeleteNodepools", compute_cluster_id="cluster", ids=["pool"])
        [left] = api("ListDeployments").deployments
        assert left.id == "both"
        assert [each.id for each in left.nodepools] == ["spare"]


class TestRunners:
    @pytest.fixture(autouse=True)
    def _version(self, api: ResourceApi) -> str:
        return api.ready_to_deploy()

    def post(self, api: ResourceApi, **fields: Any) -> Any:
        runner = {"worker": {"model": {"id": "model", "app_id": "app"}}, **fields}
        return api("PostRunners", compute_cluster_id="cluster", nodepool_id="pool", runners=[runner]).runners[0]

    def test_one_without_an_id_gets_one(self, api: ResourceApi) -> None:
        runner = self.post(api)
        assert len(runner.id) == 32
        assert runner.worker.model.user_id == "ada"
        assert runner.nodepool.compute_cluster.region == "us-east-1"
        assert (runner.runner_metrics.pods_total, runner.runner_metrics.pods_running) == (3, 2)

    def test_the_nodepool_may_be_named_in_the_runner_only(self, api: ResourceApi) -> None:
        nodepool = {"id": "pool", "compute_cluster": {"id": "cluster"}}
        runner = {"worker": {"model": {"id": "model", "app_id": "app"}}, "nodepool": nodepool}
        assert api("PostRunners", runners=[runner]).runners[0].nodepool.id == "pool"

    def test_a_nodepool_that_does_not_exist(self, api: ResourceApi) -> None:
        code, message = refusal(
            api, "PostRunners", compute_cluster_id="cluster", nodepool_id="pol", runners=[{"id": "r"}]
        )
        assert code == StatusCode.CONN_DOES_NOT_EXIST
        assert message == "Nodepool not found. Check your request fields. Did you mean 'pool'?"

    def test_deleting_one_that_does_not_exist(self, api: ResourceApi) -> None:
        fields: dict[str, Any] = {
            "compute_cluster_id": "cluster",
            "nodepool_id": "pool",
            "ids": ["none", "nor this"],
        }
        assert refusal(api, "DeleteRunners", **fields) == (
            StatusCode.RUNNER_INVALID_REQUEST,
            "Some of the runner ids provided (none, nor this) do not exist. There is no runner yet.",
        )

    def test_one_is_found_by_its_id_alone(self, api: ResourceApi) -> None:
        runner = self.post(api)
        assert api("GetRunner", runner_id=runner.id).runner.id == runner.id
        assert refusal(api, "GetRunner", runner_id="none")[0] == StatusCode.RUNNER_DOES_NOT_EXIST

    def test_filters(self, api: ResourceApi) -> None:
        api.nodepool("other")
        version = api.version()
        worker = {"model": {"id": "model", "app_id": "app", "model_version": {"id": version}}}
        pinned = self.post(api, worker=worker, num_replicas=4).id
        loose = self.post(api).id

        def listed(**fields: Any) -> list[str]:
            return [each.id for each in api("ListRunners", **fields).runners]

        assert listed() == [loose, pinned]
        assert listed(nodepool_id="pool") == [loose, pinned]
        assert listed(nodepool_id="other") == []
        assert listed(compute_cluster_id="cluster", nodepool_id="pool", model_version_ids=[version]) == [pinned]
        assert listed(min_replicas=3) == [loose, pinned]  # so many run
        assert listed(min_replicas=4) == [pinned]  # so many its user said

    def test_patch_and_delete(self, api: ResourceApi) -> None:
        runner = self.post(api)
        where = {"compute_cluster_id": "cluster", "nodepool_id": "pool"}
        api("PatchRunners", **where, runners=[{"id": runner.id, "num_replicas": 3}], action="overwrite")
        assert api("GetRunner", runner_id=runner.id).runner.num_replicas == 3
        api("DeleteRunners", **where, ids=[runner.id])
        assert not api("ListRunners").runners

    def test_others_do_not_see_runners(self, api: ResourceApi) -> None:
        runner = self.post(api)
        assert refusal(api, "GetRunner", "bob", user_id="ada", runner_id=runner.id)[0] == (
            StatusCode.RUNNER_DOES_NOT_EXIST
        )
