"""Workflows in topology files: made with the models that they are of, and changed by an edit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.errors import ConfigError
from flow.driver import MODELS, Client, running

BASE = f"""
apps: [{{id: flows}}]
models:
  - {{path: {MODELS / "hello"}, deploy: {{nodepool: cpu, min_replicas: 0}}}}
  - {{id: general, app_id: main, user_id: clarifai}}
workflows:
  - id: greet
    app_id: flows
    description: says it twice
    nodes:
      - {{id: first, model: {{model_id: hello, app_id: demo}}}}
      - {{id: second, model: {{id: hello, app_id: demo}}, node_inputs: [{{node_id: first}}]}}
      - {{id: hosted, model: {{model_id: general}}}}
"""
ASKED: dict[str, Any] = {"user_app_id": {"user_id": "me", "app_id": "flows"}, "workflow_id": "greet"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "topology.yaml"
    path.write_text(BASE)
    return path


@pytest.fixture
def emulator(file: Path) -> Iterator[EmulatorThread]:
    with running(topology=(file,)) as emulator:
        yield emulator


def shown(emulator: EmulatorThread) -> Any:
    with closing(Client(emulator.url)) as client:
        return client.call("GetWorkflow", **ASKED)


def versions(emulator: EmulatorThread) -> int:
    with closing(Client(emulator.url)) as client:
        return len(client.call("ListWorkflowVersions", **ASKED).workflow_versions)


def test_a_workflow_is_there_with_its_models(emulator: EmulatorThread) -> None:
    workflow = shown(emulator).workflow
    assert workflow.description == "says it twice"
    models = [f"{node.model.user_id}/{node.model.app_id}/{node.model.id}" for node in workflow.nodes]
    assert models == ["me/demo/hello", "me/demo/hello", "clarifai/main/general"]
    assert workflow.nodes[0].model.model_version.method_signatures


def test_an_edit_of_nodes_is_a_version_and_one_of_words_is_none(emulator: EmulatorThread, file: Path) -> None:
    file.write_text(BASE.replace("says it twice", "says it again"))
    assert emulator.reload_topology().message == "workflow greet: other description"
    assert (shown(emulator).workflow.description, versions(emulator)) == ("says it again", 1)
    file.write_text(BASE.replace("id: hosted", "id: other"))
    assert emulator.reload_topology().message == "workflow greet: other nodes, description"
    assert [node.id for node in shown(emulator).workflow.nodes] == ["first", "second", "other"]
    assert versions(emulator) == 2
    file.write_text(BASE.partition("workflows:")[0])
    assert emulator.reload_topology().message == "nothing to do; stays until the next start: workflow greet"


def test_an_edit_that_makes_no_graph_changes_nothing(emulator: EmulatorThread, file: Path) -> None:
    file.write_text(BASE.replace("node_id: first", "node_id: second").replace("says it twice", "other"))
    outcome = emulator.reload_topology()
    assert outcome.state == "refused"
    assert "second → second is a circle" in outcome.problems[0]
    assert shown(emulator).workflow.description == "says it twice"


def test_what_is_wrong_is_said_with_its_line_before_anything_listens(file: Path) -> None:
    file.write_text(BASE.replace("model_id: general", "model_id: generall"))
    with pytest.raises(ConfigError) as refused, running(topology=(file,)):
        pass
    (problem,) = refused.value.problems
    assert f"{file}:7: workflows[0].nodes[2].model: the model me/flows/models/generall of node 'hosted'" in problem


def test_a_restored_one_is_compared_with_the_file(file: Path, tmp_path: Path) -> None:
    kept: dict[str, Any] = {"topology": (file,), "data_dir": tmp_path / "state"}
    with running(**kept) as emulator:
        first = shown(emulator).workflow.version.id
    with running(**kept) as emulator:
        assert (shown(emulator).workflow.version.id, versions(emulator)) == (first, 1)
    file.write_text(BASE.replace("id: hosted", "id: other"))
    with running(**kept) as emulator:
        assert (shown(emulator).workflow.nodes[2].id, versions(emulator)) == ("other", 2)


def test_one_that_somebody_deleted_is_made_again_by_an_edit(emulator: EmulatorThread, file: Path) -> None:
    with closing(Client(emulator.url)) as client:
        client.call("DeleteWorkflow", **ASKED)
    assert shown(emulator).status.code == StatusCode.CONN_DOES_NOT_EXIST
    file.write_text(BASE.replace("id: hosted", "id: other"))
    assert emulator.reload_topology().message == "workflow greet is new"
    assert shown(emulator).workflow.nodes[2].id == "other"
