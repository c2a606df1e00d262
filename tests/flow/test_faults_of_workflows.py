"""A fault for the calls of one model concerns the nodes of a workflow that this model runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.faults import Fault
from flow.driver import Client, inference_request, text_of, write_model
from flow.workflow_scenes import ASKS, deploy, make, request

STATUS = "MODEL_PREDICTION_FAILED"


@pytest.fixture
def workflow(emulator: EmulatorThread, client: Client, tmp_path: Path) -> EmulatorThread:
    """Deploy a model that runs a workflow, whose nodes are another model."""
    deploy(emulator, tmp_path, "shout")
    emulator.deploy(write_model(tmp_path, "asks", ASKS))
    make(client, {"id": "a", "model": "shout"}, {"id": "b", "model": "shout", "of": ["a"]})
    return emulator


@pytest.mark.parametrize("concerned", [{"model": "shout"}, {"rpc": "PostWorkflowResults"}])
def test_nodes_are_asked_by_the_model_that_runs_the_workflow(
    workflow: EmulatorThread, client: Client, concerned: dict[str, str]
) -> None:
    added = workflow.faults.add(Fault(**concerned, caller="asks", status=STATUS, message="Not today"))
    assert client.call("PostWorkflowResults", request({"text": {"raw": "hi"}})).status.code == StatusCode.SUCCESS
    assert (added.seen, added.injected) == (0, 0), "a client runs it"
    assert "Not today" in client.call("PostModelOutputs", inference_request("asks", text="hi")).status.details
    assert added.injected == 1


@pytest.mark.parametrize("caller", ["shout", "flow"])
def test_a_node_and_a_workflow_are_no_models_that_ask(
    workflow: EmulatorThread, client: Client, caller: str
) -> None:
    added = workflow.faults.add(Fault(model="shout", caller=caller, status=STATUS))
    assert text_of(client.call("PostModelOutputs", inference_request("asks", text="hi"))) == "HI"
    assert client.call("PostWorkflowResults", request({"text": {"raw": "hi"}})).status.code == StatusCode.SUCCESS
    assert added.seen == 0
