"""Deployments' targets are read from the store."""

from __future__ import annotations

from typing import Any

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Deployment, Workflow

from clarifai_emulator.nodepools.deployment_targets import Targets, served_model
from clarifai_emulator.store import Kind
from resource_api import ResourceApi
from scripted_replicas import SOURCE

CLUSTER = {"id": "cluster"}


class Scene:
    def __init__(self) -> None:
        self.api = ResourceApi()
        self.targets = Targets(self.api.store)
        self.api.cluster()
        self.api.nodepool("pool")
        self.api.nodepool("other")
        self.api.model()
        self.version = self.api.version()

    def target(self, **fields: Any) -> Any:
        self.api.deployment(**fields)
        return self.targets.of_deployment("ada", "deployment")


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_target_has_model_version_code_and_nodepools(scene: Scene) -> None:
    scene.api.store.put(Kind.SOURCE, ("ada", "app", "model", scene.version), SOURCE)
    target = scene.target()
    assert (target.model.id, target.version.id, target.source) == ("model", scene.version, SOURCE)
    assert [(key, nodepool.id) for key, nodepool in target.nodepools] == [(("ada", "cluster", "pool"), "pool")]
    assert not target.is_user_run


def test_a_model_that_is_known_by_name_only_has_no_code(scene: Scene) -> None:
    assert scene.target().source is None


def test_a_pinned_version_is_kept_and_the_latest_is_followed(scene: Scene) -> None:
    pinned = {"model": {"id": "model", "app_id": "app", "model_version": {"id": scene.version}}}
    scene.api.deployment("pinned", worker=pinned)
    scene.api.deployment("latest", worker=pinned, deploy_latest_version=True)
    newer = scene.api.version()
    versions = {name: scene.targets.of_deployment("ada", name) for name in ("pinned", "latest")}
    assert {name: target.version.id for name, target in versions.items() if target} == {
        "pinned": scene.version,
        "latest": newer,
    }


def test_the_worker_that_is_desired_counts(scene: Scene) -> None:
    scene.api.model("wanted")
    version = scene.api.version("wanted")
    target = scene.target(desired_worker={"model": {"id": "wanted", "app_id": "app"}})
    assert (target.model.id, target.version.id) == ("wanted", version)


def test_nodepools_come_by_priority_and_those_that_are_gone_do_not(scene: Scene) -> None:
    listed = [("pool", 1), ("other", 9)]
    target = scene.target(
        nodepools=[],
        deployment_nodepools=[{"id": id, "compute_cluster": CLUSTER, "priority": rank} for id, rank in listed],
    )
    assert [key[2] for key, _ in target.nodepools] == ["other", "pool"]
    scene.api.store.delete(Kind.NODEPOOL, ("ada", "cluster", "other"))
    target = scene.targets.of_deployment("ada", "deployment")
    assert target is not None
    assert [key[2] for key, _ in target.nodepools] == ["pool"]


def test_nothing_is_wanted_by_a_deployment_that_is_gone_or_disabled_or_serves_nothing(scene: Scene) -> None:
    assert scene.targets.of_deployment("ada", "unknown") is None
    assert scene.target(status=Deployment.DISABLED) is None
    scene.api.store.put(Kind.DEPLOYMENT, ("ada", "empty"), Deployment(id="empty", user_id="ada"))
    assert scene.targets.of_deployment("ada", "empty") is None


@pytest.mark.parametrize("kind", [Kind.MODEL, Kind.MODEL_VERSION])
def test_nothing_is_wanted_when_the_model_or_its_version_is_gone(scene: Scene, kind: Kind) -> None:
    assert scene.target() is not None
    (key,) = scene.api.store.keys(kind)
    scene.api.store.delete(kind, key)
    assert scene.targets.of_deployment("ada", "deployment") is None


def test_a_workflow_is_no_model() -> None:
    deployment = Deployment(id="x")
    deployment.worker.workflow.CopyFrom(Workflow(id="w"))
    assert served_model(deployment) is None


def test_runners_in_a_local_dev_cluster_are_their_users(scene: Scene) -> None:
    scene.api.cluster("laptop", cluster_type="local-dev")
    scene.api.nodepool("desk", "laptop")
    local = {"id": "desk", "compute_cluster": {"id": "laptop"}}
    assert scene.target(nodepools=[local]).is_user_run
    scene.api.deployment("mixed", nodepools=[local, {"id": "pool", "compute_cluster": CLUSTER}])
    mixed = scene.targets.of_deployment("ada", "mixed")
    assert mixed is not None
    assert not mixed.is_user_run


def test_shared_compute_has_no_deployment_and_default_autoscaling(scene: Scene) -> None:
    target = scene.targets.on_shared(("ada", "cluster", "pool"), ("ada", "app", "model"), scene.version)
    assert (target.deployment, target.version.id) == (None, scene.version)
    assert target.name == "shared nodepool 'pool'"


def test_deployments_are_found_by_what_they_serve_and_by_what_touches_them(scene: Scene) -> None:
    scene.api.deployment("first")
    scene.api.deployment("second", nodepools=[{"id": "other", "compute_cluster": CLUSTER}])
    serving = scene.targets.serving(("ada", "app", "model"))
    assert [deployment.id for deployment in serving] == ["first", "second"]
    assert scene.targets.serving(("ada", "app", "another")) == []
    touched = scene.targets.deployments_touched_by
    assert touched(Kind.NODEPOOL, ("ada", "cluster", "other")) == [("ada", "second")]
    for kind in (Kind.MODEL_VERSION, Kind.SOURCE):
        key = ("ada", "app", "model", scene.version)
        assert touched(kind, key) == [("ada", "first"), ("ada", "second")]
