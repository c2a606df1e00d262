"""A model runs a workflow with the credential of its replica, and a workflow that comes back to it is told so."""

from __future__ import annotations

from pathlib import Path

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import Client, inference_request, text_of, write_model
from flow.workflow_scenes import ASKS, deploy, make


def test_a_model_runs_a_workflow_in_its_owners_name_and_events_show_one_tree(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    deploy(emulator, tmp_path, "shout")
    emulator.deploy(write_model(tmp_path, "asks", ASKS))
    make(client, {"id": "a", "model": "shout"}, {"id": "b", "model": "shout", "of": ["a"]})

    response = client.call("PostModelOutputs", inference_request("asks", text="hi"))

    assert text_of(response) == "HI", response.status
    finished = [each.fields for each in emulator.events("request.finished")]
    outer = next(each for each in finished if each["rpc"] == "PostModelOutputs" and "depth" not in each)
    flow = next(each for each in finished if each["rpc"] == "PostWorkflowResults")
    nodes = [each for each in finished if "workflow_node" in each]
    assert [each["workflow_node"] for each in nodes] == ["a", "b"]
    assert (flow["parent_id"], flow["depth"]) == (outer["request_id"], 1)
    assert {(each["parent_id"], each["trace_id"], each["depth"]) for each in nodes} == {
        (flow["request_id"], outer["request_id"], 2)
    }


def test_a_workflow_that_asks_the_model_that_runs_it_ends_with_the_reason(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    emulator.deploy(write_model(tmp_path, "asks", ASKS))
    make(client, {"id": "again", "model": "asks"})

    answer = client.call("PostModelOutputs", inference_request("asks", text="hi"), timeout=60)

    assert answer.status.code != StatusCode.SUCCESS
    assert "again" in answer.status.details
    assert "(model me/demo/models/asks)" in answer.status.details
    assert answer.ByteSize() < 1024 * 1024  # what each says of the one below it does not add up
