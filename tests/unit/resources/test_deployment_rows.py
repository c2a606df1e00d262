"""Tests deployments, as clients see them: what runs where, pinned to which version, scaled how."""

from __future__ import annotations

from typing import Any

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Deployment
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.resources.deployment_rows import NodepoolRef, nodepool_refs
from clarifai_emulator.resources.workers import served_version
from clarifai_emulator.store import Kind
from resource_api import ResourceApi, refusal

INVALID = StatusCode.DEPLOYMENT_INVALID_ARGUMENT
NO_POOL = StatusCode.NODEPOOL_DOES_NOT_EXIST
POOL = {"id": "pool", "compute_cluster": {"id": "cluster"}}


@pytest.fixture
def version(api: ResourceApi) -> str:
    return api.ready_to_deploy()


def deployment_refusal(api: ResourceApi, **fields: Any) -> tuple[int, str]:
    given = {"id": "d", "worker": {"model": {"id": "model", "app_id": "app"}}, "nodepools": [POOL], **fields}
    return refusal(api, "PostDeployments", deployments=[given])


def patch(api: ResourceApi, **fields: Any) -> Any:
    given = {"id": "deployment", **fields}
    return api("PatchDeployments", deployments=[given], action="overwrite").deployments[0]


def model_worker(version_id: str = "", **fields: str) -> dict[str, Any]:
    return {"model": {"id": "model", "app_id": "app", "model_version": {"id": version_id}, **fields}}


def stored(api: ResourceApi, deployment_id: str = "deployment") -> Any:
    return api.store.get(Kind.DEPLOYMENT, ("ada", deployment_id))


class TestVersion:
    def test_the_newest_is_pinned_when_none_is_given(self, api: ResourceApi, version: str) -> None:
        shown = api.deployment()
        api.version()
        for worker in (shown.worker, shown.desired_worker, stored(api).desired_worker):
            assert worker.model.model_version.id == version
        assert served_version(api.store, stored(api)) == version

    def test_a_given_one_is_pinned(self, api: ResourceApi, version: str) -> None:
        api.version()
        assert api.deployment(worker=model_worker(version)).worker.model.model_version.id == version

    def test_deploy_latest_version_follows(self, api: ResourceApi, version: str) -> None:
        assert api.deployment(deploy_latest_version=True).worker.model.model_version.id == version
        newer = api.version()
        shown = api("GetDeployment", deployment_id="deployment").deployment
        assert shown.worker.model.model_version.id == newer
        assert served_version(api.store, stored(api)) == newer

    def test_a_model_without_a_version_is_followed(self, api: ResourceApi, version: str) -> None:
        api.model("empty")
        shown = api.deployment(worker={"model": {"id": "empty", "app_id": "app"}})
        assert shown.deploy_latest_version
        assert served_version(api.store, stored(api)) == ""
        newer = api.version("empty")
        assert served_version(api.store, stored(api)) == newer

    def test_desired_worker_wins_over_worker(self, api: ResourceApi, version: str) -> None:
        newer = api.version()
        shown = api.deployment(worker=model_worker(version), desired_worker=model_worker(newer))
        assert shown.worker.model.model_version.id == newer

    def test_a_patch_of_desired_worker_moves_both(self, api: ResourceApi, version: str) -> None:
        api.deployment()
        newer = api.version()
        shown = patch(api, desired_worker=model_worker(newer))
        assert shown.worker.model.model_version.id == newer
        assert shown.desired_worker.model.model_version.id == newer

    def test_a_patch_of_worker_moves_nothing_and_the_log_says_so(
        self, api: ResourceApi, version: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        api.deployment()
        shown = patch(api, worker=model_worker(api.version()), description="new")
        assert shown.description == "new"
        assert shown.worker.model.model_version.id == version
        assert shown.desired_worker.model.model_version.id == version
        assert "deployment ada/deployment changes nothing of what it runs" in caplog.text
        assert caplog.text.rstrip().endswith("Set `desired_worker`.")

    def test_a_patch_of_both_takes_desired_worker(
        self, api: ResourceApi, version: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        api.deployment()
        newer = api.version()
        shown = patch(api, worker=model_worker(version), desired_worker=model_worker(newer))
        assert shown.worker.model.model_version.id == newer
        assert caplog.text == ""

    def test_a_patch_with_a_version_ends_following(self, api: ResourceApi, version: str) -> None:
        api.deployment(deploy_latest_version=True)
        api.version()
        shown = patch(api, desired_worker=model_worker(version))
        assert not shown.deploy_latest_version
        assert shown.worker.model.model_version.id == version

    def test_a_patch_of_something_else_keeps_the_version(self, api: ResourceApi, version: str) -> None:
        api.deployment()
        api.version()
        assert patch(api, description="new").worker.model.model_version.id == version


class TestModel:
    def test_the_app_is_found_when_only_one_has_the_model(self, api: ResourceApi, version: str) -> None:
        assert api.deployment(worker={"model": {"id": "model"}}).worker.model.app_id == "app"
        api.model("model", "second")
        code, message = deployment_refusal(api, worker={"model": {"id": "model"}})
        assert code == INVALID
        assert message == "deployments[0].worker.model.app_id: must not be empty."

    def test_a_public_model_of_another_user(self, api: ResourceApi, version: str) -> None:
        public = {"gettable": 50}
        api("PostApps", "openai", apps=[{"id": "chat", "visibility": public}])
        api.model("gpt", "chat", "openai", visibility=public)
        api.model("secret", "chat", "openai")
        shown = api.deployment(worker={"model": {"id": "gpt", "app_id": "chat", "user_id": "openai"}})
        assert (shown.user_id, shown.worker.model.user_id) == ("ada", "openai")
        hidden = {"model": {"id": "secret", "app_id": "chat", "user_id": "openai"}}
        assert deployment_refusal(api, worker=hidden)[0] == StatusCode.MODEL_DOES_NOT_EXIST

    @pytest.mark.parametrize(
        ("worker", "code", "problem"),
        [
            ({}, INVALID, "worker: must name the model to run"),
            ({"workflow": {"id": "w"}}, StatusCode.NOT_IMPLEMENTED, "the emulator runs models only"),
            ({"model": {"id": "none", "app_id": "app"}}, StatusCode.MODEL_DOES_NOT_EXIST,
             "model 'none' does not exist in app 'app' of user 'ada'; upload it, or name it in a topology file"),
            (model_worker("f" * 32), StatusCode.MODEL_DOES_NOT_EXIST, f"model 'model' has no version '{'f' * 32}'"),
        ],
    )  # fmt: skip
    def test_what_is_refused(
        self, api: ResourceApi, version: str, worker: dict[str, Any], code: int, problem: str
    ) -> None:
        found, message = deployment_refusal(api, worker=worker)
        assert found == code
        assert problem in message


class TestNodepools:
    def test_answers_hold_whole_nodepools(self, api: ResourceApi, version: str) -> None:
        [nodepool] = api.deployment().nodepools
        assert nodepool.instance_types[0].id == "t3a.medium"
        assert nodepool.compute_cluster.cloud_provider.id == "aws"

    def test_priorities_are_answered_in_deployment_nodepools(self, api: ResourceApi, version: str) -> None:
        shown = api.deployment(nodepools=[], deployment_nodepools=[{**POOL, "priority": 9}])
        assert not shown.nodepools
        [nodepool] = shown.deployment_nodepools
        assert (nodepool.id, nodepool.priority, nodepool.nodepool.id) == ("pool", 9, "pool")
        assert nodepool_refs(stored(api)) == [NodepoolRef("cluster", "pool", 9)]

    def test_without_any_priority_they_are_answered_in_nodepools(self, api: ResourceApi, version: str) -> None:
        shown = api.deployment(nodepools=[], deployment_nodepools=[POOL])
        assert not shown.deployment_nodepools
        assert [each.id for each in shown.nodepools] == ["pool"]

    def test_a_patch_may_change_from_one_field_to_the_other(self, api: ResourceApi, version: str) -> None:
        api.deployment()
        api.nodepool("spare")
        spare = {"id": "spare", "compute_cluster": {"id": "cluster"}}
        patched = patch(api, deployment_nodepools=[{**POOL, "priority": 1}, spare])
        assert [(each.id, each.priority) for each in patched.deployment_nodepools] == [("pool", 1), ("spare", 0)]
        assert [each.id for each in patch(api, nodepools=[spare]).nodepools] == ["spare"]

    def test_the_cluster_is_found_when_only_one_has_the_nodepool(self, api: ResourceApi, version: str) -> None:
        assert api.deployment(nodepools=[{"id": "pool"}]).nodepools[0].compute_cluster.id == "cluster"
        api.cluster("other")
        api.nodepool("pool", "other")
        code, message = deployment_refusal(api, nodepools=[{"id": "pool"}])
        assert code == INVALID
        assert message == (
            "deployments[0].nodepools[0].compute_cluster.id: must say in which cluster nodepool 'pool' is."
        )

    @pytest.mark.parametrize(
        ("fields", "code", "problem"),
        [
            ({"nodepools": []}, INVALID, "nodepools: must name at least one nodepool"),
            ({"deployment_nodepools": [POOL]}, INVALID,
             "deployment_nodepools: cannot be set together with nodepools"),
            ({"nodepools": [POOL, POOL]}, INVALID, "nodepool 'pool' is listed twice"),
            ({"nodepools": [{"id": "pol", "compute_cluster": {"id": "cluster"}}]}, NO_POOL,
             "nodepools[0]: nodepool 'pol' does not exist in compute cluster 'cluster' of user 'ada'. "
             "Did you mean 'pool'?"),
            ({"nodepools": [{"id": "x"}]}, NO_POOL,
             "nodepool 'x' does not exist in any compute cluster of user 'ada'. There is 'pool'"),
            ({"nodepools": [{"id": "pool", "compute_cluster": {"id": "none"}}]},
             StatusCode.COMPUTE_CLUSTER_DOES_NOT_EXIST,
             "compute cluster 'none' does not exist for user 'ada'. There is 'cluster'"),
            ({"nodepools": [{"id": "pool", "compute_cluster": {"id": "cluster", "user_id": "bob"}}]},
             INVALID,
             "compute_cluster.user_id: is 'bob', but nodepools must belong to the deployment's user 'ada'"),
            ({"nodepools": [], "deployment_nodepools": [{**POOL, "priority": 10}]},
             INVALID,
             "deployment_nodepools[0].priority: 10 is not between 0 and 9"),
        ],
    )  # fmt: skip
    def test_what_is_refused(
        self, api: ResourceApi, version: str, fields: dict[str, Any], code: int, problem: str
    ) -> None:
        found, message = deployment_refusal(api, **fields)
        assert problem in message
        assert found == code


class TestScaling:
    def test_defaults(self, api: ResourceApi, version: str) -> None:
        scaling = api.deployment().autoscale_config
        assert (scaling.min_replicas, scaling.max_replicas) == (0, 5)
        assert scaling.traffic_history_seconds == 300
        assert scaling.scale_up_delay_seconds == 300
        assert scaling.scale_down_delay_seconds == 300
        assert scaling.scale_to_zero_delay_seconds == 1800

    def test_defaults_give_way_to_what_is_given(self, api: ResourceApi, version: str) -> None:
        given = {"min_replicas": 7, "scale_down_delay_seconds": 3600}
        scaling = api.deployment(autoscale_config=given).autoscale_config
        assert (scaling.max_replicas, scaling.scale_to_zero_delay_seconds) == (7, 3600)

    @pytest.mark.parametrize(
        ("scaling", "problem"),
        [
            ({"min_replicas": 2, "max_replicas": 1}, "min_replicas: 2 is more than max_replicas 1"),
            ({"scale_to_zero_delay_seconds": 10},
             "autoscale_config.scale_to_zero_delay_seconds: 10 is less than scale_down_delay_seconds 300"),
        ],
    )  # fmt: skip
    def test_what_is_refused(self, api: ResourceApi, version: str, scaling: dict[str, int], problem: str) -> None:
        code, message = deployment_refusal(api, autoscale_config=scaling)
        assert code == INVALID
        assert problem in message

    def test_a_patch_of_the_config_replaces_it(self, api: ResourceApi, version: str) -> None:
        api.deployment(autoscale_config={"min_replicas": 1, "max_replicas": 2})
        scaling = patch(api, autoscale_config={"max_replicas": 3}).autoscale_config
        assert (scaling.min_replicas, scaling.max_replicas) == (0, 3)


class TestTheRest:
    def test_metrics_are_filled_at_reading(self, api: ResourceApi, version: str) -> None:
        shown = api.deployment(deployment_metrics={"live_replicas": 9})
        assert (shown.deployment_metrics.desired_replicas, shown.deployment_metrics.live_replicas) == (3, 2)
        assert not stored(api).HasField("deployment_metrics")

    def test_disable_and_enable(self, api: ResourceApi, version: str) -> None:
        api.deployment()
        assert patch(api, status=Deployment.DISABLED).status == Deployment.DISABLED
        assert patch(api, description="still").status == Deployment.DISABLED
        assert patch(api, status=Deployment.ENABLED).status == Deployment.ENABLED

    def test_numbers_that_are_no_choice(self, api: ResourceApi, version: str) -> None:
        _, message = deployment_refusal(api, scheduling_choice=99)
        assert "scheduling_choice: 99 is none of 0 UNKNOWN_SCHEDULING_CHOICE, 1 FAIL" in message

    def test_only_overwrite(self, api: ResourceApi, version: str) -> None:
        api.deployment()
        assert refusal(api, "PatchDeployments", deployments=[{"id": "deployment"}], action="merge") == (
            INVALID,
            "Invalid action: Unrecognized action 'merge'. Supported actions: overwrite",
        )

    def test_several_of_one_model_in_one_nodepool(self, api: ResourceApi, version: str) -> None:
        api.deployment("one")
        api.deployment("two")

    def test_filters(self, api: ResourceApi, version: str) -> None:
        api.nodepool("spare")
        newer = api.version()
        spare = {"id": "spare", "compute_cluster": {"id": "cluster"}, "priority": 3}
        api.deployment("old", worker=model_worker(version))
        api.deployment("new", nodepools=[], deployment_nodepools=[spare], deploy_latest_version=True)

        def listed(**fields: Any) -> list[str]:
            return [each.id for each in api("ListDeployments", **fields).deployments]

        assert listed() == ["new", "old"]
        assert listed(nodepool_id="spare") == ["new"]
        assert listed(nodepool_id="pool", compute_cluster_id="other") == []
        assert listed(compute_cluster_id="cluster") == ["new", "old"]
        assert listed(model_version_ids=[version]) == ["old"]
        assert listed(model_version_ids=[newer]) == ["new"]
        assert listed(scheduling_priorities=[3, 4]) == ["new"]
        assert listed(workflow_version_ids=["x"]) == []

    def test_deleting_the_model_or_the_pinned_version_deletes_the_deployment(
        self, api: ResourceApi, version: str
    ) -> None:
        api.version()
        api.deployment("pinned", worker=model_worker(version))
        api.deployment("latest", deploy_latest_version=True)
        api("DeleteModelVersion", app_id="app", model_id="model", version_id=version)
        assert [each.id for each in api("ListDeployments").deployments] == ["latest"]
        api("DeleteModel", app_id="app", model_id="model")
        assert not api("ListDeployments").deployments
