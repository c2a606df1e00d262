"""Edits of topology files are found by identity, and patched field by field."""

from __future__ import annotations

from pathlib import Path

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Deployment

from clarifai_emulator.topology.file_changes import changes, fields_said, fields_to_set, name_of, settings_of
from clarifai_emulator.topology.files import Topology, load_topology

BASE = """
compute_clusters:
  - {id: c, cloud_provider: {id: aws}, region: us-east-1, managed_by: clarifai, cluster_type: dedicated}
nodepools:
  - {id: small, instance_types: [{id: t3a.medium}], max_instances: 1}
  - {id: other, instance_types: [{id: t3a.medium}], max_instances: 1}
models:
  - {id: m, app_id: a}
deployments:
  - id: d
    nodepools: [{id: small}]
    autoscale_config: {min_replicas: 1, max_replicas: 2}
    worker: {model: {id: m, app_id: a}}
faults:
  - {status: MODEL_DEPLOYING, times: 1}
"""


def read(folder: Path, text: str) -> Topology:
    file = folder / "topology.yaml"
    file.write_text(text)
    return load_topology([file])


@pytest.fixture
def base(tmp_path: Path) -> Topology:
    return read(tmp_path, BASE)


def test_comments_and_lines_are_no_change(base: Topology, tmp_path: Path) -> None:
    assert not any(changes(base, read(tmp_path, "# a comment\n\n" + BASE)).values())


def test_what_is_new_differs_or_is_gone_is_found_by_its_identity(base: Topology, tmp_path: Path) -> None:
    text = BASE.replace("min_replicas: 1", "min_replicas: 2").replace("id: other", "id: another")
    found = changes(base, read(tmp_path, text))
    assert [name_of(each) for each in found["nodepools"].new] == ["another"]
    assert [name_of(each) for each in found["nodepools"].gone] == ["other"]
    ((before, after),) = found["deployments"].changed
    assert settings_of(before.message, after.message) == ["autoscale_config"]
    assert [kind for kind, change in found.items() if change] == ["nodepools", "deployments"]


def test_fields_that_are_gone_from_the_file_are_among_those_that_differ(base: Topology, tmp_path: Path) -> None:
    text = BASE.replace("    autoscale_config: {min_replicas: 1, max_replicas: 2}\n", "").replace(
        "[{id: small}]", "[{id: small}, {id: other}]"
    )
    ((before, after),) = changes(base, read(tmp_path, text))["deployments"].changed
    names = settings_of(before.message, after.message)
    assert names == ["autoscale_config", "nodepools"]
    assert fields_to_set(names) == ("autoscale_config", "nodepools"), "what it runs stays, and with it its replicas"


def test_what_a_deployment_runs_is_set_as_a_whole() -> None:
    assert set(fields_to_set(["deploy_latest_version"])) == {"deploy_latest_version", "worker", "desired_worker"}


def test_faults_may_have_no_name_so_one_that_differs_changes_all(base: Topology, tmp_path: Path) -> None:
    found = changes(base, read(tmp_path, BASE.replace("times: 1", "times: 2")))
    assert (len(found["faults"].new), len(found["faults"].gone)) == (1, 1)


def test_a_model_without_a_version_is_no_other_than_the_one_that_runs(base: Topology) -> None:
    (wanted,) = (each.message for each in base.deployments)
    wanted.desired_worker.model.CopyFrom(wanted.worker.model)
    running = Deployment(id="d", autoscale_config=wanted.autoscale_config)
    running.desired_worker.model.CopyFrom(wanted.worker.model)
    running.desired_worker.model.model_version.id = "chosen"
    assert fields_said(wanted, running) == ["autoscale_config", "nodepools"]
    running.desired_worker.model.id = "another"
    assert fields_said(wanted, running) == ["autoscale_config", "nodepools", "worker", "desired_worker"]
