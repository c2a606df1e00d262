"""The nodes of a workflow fit each other, or that is told: when it is saved, and when a model of it is deployed."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import ModelTypeField
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.rpc import rpc_table
from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.errors import CallerError
from flow.driver import Client, logged, running, wait_for, write_model
from flow.uploading import Uploader, archive_of, config, parts

IN_APP = {"user_id": "me", "app_id": "demo"}
SAYS = """
from clarifai.runners.models.model_class import ModelClass
from clarifai.runners.utils.data_types import Image


class Says(ModelClass):
    @ModelClass.method
    def predict(self, it: {takes}) -> str:
        return str(it)
"""
NODES = [
    {"id": "first", "model": {"id": "first"}},
    {"id": "second", "model": {"id": "second"}, "node_inputs": [{"node_id": "first"}]},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("first", "second"):
        write_model(tmp_path, name, SAYS.replace("{takes}", "str"))
    return tmp_path


def edited(folder: Path, name: str, takes: str) -> Path:
    (folder / name / "1" / "model.py").write_text(SAYS.replace("{takes}", takes))
    return folder / name


def deployed(emulator: EmulatorThread, folder: Path) -> list[str]:
    """Deploy a directory that needs no replica yet; return what its progress said."""
    said: list[str] = []
    emulator.deploy(folder, min_replicas=0, progress=said.append)
    return said


@pytest.fixture
def with_models(emulator: EmulatorThread, folder: Path) -> EmulatorThread:
    for name in ("first", "second"):
        deployed(emulator, folder / name)
    return emulator


def save(client: Client, nodes: Any = NODES) -> tuple[Any, dict[str, str]]:
    request = rpc_table()["PostWorkflows"].request_type(
        user_app_id=IN_APP, workflows=[{"id": "flow", "nodes": nodes}]
    )
    return client.call_with_trailers("PostWorkflows", request)


def found(emulator: EmulatorThread) -> list[str]:
    return [event.fields["message"] for event in emulator.events("contract.finding")]


BROKEN = "Workflow 'flow', node 'second': its argument 'it' (Image) takes image; 'first' gives text."


def test_what_does_not_fit_is_in_the_log_and_in_the_trailers_of_the_save(
    with_models: EmulatorThread, client: Client, folder: Path
) -> None:
    answer, trailers = save(client)
    assert "x-clarifai-emulator-finding" not in trailers
    client.call("DeleteWorkflow", user_app_id=IN_APP, workflow_id="flow")
    deployed(with_models, edited(folder, "second", "Image"))
    answer, trailers = save(client)
    assert answer.status.code == StatusCode.SUCCESS
    assert trailers["x-clarifai-emulator-finding"] == f"workflow-edge: {BROKEN}"
    assert found(with_models) == [BROKEN]


def test_a_deploy_that_breaks_a_workflow_says_so_before_it_is_made(
    with_models: EmulatorThread, client: Client, folder: Path
) -> None:
    save(client)
    said = deployed(with_models, edited(folder, "second", "Image"))
    assert f"warning: workflow-edge: {BROKEN} " in "\n".join(said)
    assert found(with_models) == [BROKEN]
    assert not any(each.startswith("warning: ") for each in deployed(with_models, edited(folder, "second", "str")))


def test_an_upload_that_breaks_a_workflow_has_it_in_its_log(
    with_models: EmulatorThread, client: Client, folder: Path
) -> None:
    save(client)
    archive = archive_of(str(edited(folder, "second", "Image")))
    Uploader(with_models.url).send([config(len(archive), "second"), *parts(archive)])
    wait_for(lambda: found(with_models), seconds=60)
    assert found(with_models) == [BROKEN]
    assert f"warning: workflow-edge: {BROKEN} " in "\n".join(logged(with_models, "builder"))


def test_where_contracts_are_strict_neither_is_taken(folder: Path) -> None:
    with running(contract="strict") as emulator, closing(Client(emulator.url)) as client:
        for name in ("first", "second"):
            deployed(emulator, folder / name)
        assert save(client)[0].status.code == StatusCode.SUCCESS
        before = client.call("GetModel", user_app_id=IN_APP, model_id="second").model.model_version
        with pytest.raises(CallerError, match="workflow-edge: Workflow 'flow', node 'second'"):
            deployed(emulator, edited(folder, "second", "Image"))
        after = client.call("GetModel", user_app_id=IN_APP, model_id="second").model.model_version
        assert (after.id, after.method_signatures) == (before.id, before.method_signatures)
        client.call("DeleteWorkflow", user_app_id=IN_APP, workflow_id="flow")
        deployed(emulator, edited(folder, "second", "Image"))
        refused, _ = save(client)
        assert refused.status.code == StatusCode.WORKFLOW_INVALID_GRAPH
        assert BROKEN in refused.status.details
        assert client.call("ListWorkflows", user_app_id=IN_APP).workflows == []


@pytest.mark.parametrize(("mode", "state", "taken"), [("record", "ready", True), ("strict", "failed", False)])
def test_an_edit_in_the_dev_loop_is_told_of_and_not_taken_where_that_is_strict(
    folder: Path, mode: str, state: str, taken: bool
) -> None:
    with running(contract=mode) as emulator, closing(Client(emulator.url)) as client:
        deployed(emulator, folder / "first")
        emulator.dev(folder / "second")
        save(client)
        assert emulator.reload(edited(folder, "second", "Image")).state == state
        assert BROKEN in found(emulator)
        shown = client.call("GetModel", user_app_id=IN_APP, model_id="second").model.model_version
        assert (shown.method_signatures[0].input_fields[0].type == ModelTypeField.DataType.IMAGE) is taken
