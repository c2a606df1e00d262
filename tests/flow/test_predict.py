"""A prediction goes all the way: the unmodified SDK, the emulator's routing, the genuine runner, and back."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from clarifai_emulator.api.rpc import rpc_table
from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import MODELS, Client, inference_request, sdk_model, wait_for, write_model

ROUTES = {
    "explicit_deployment": {"deployment_id": "deploy-hello"},
    "explicit_nodepool": {"compute_cluster_id": "local", "nodepool_id": "cpu"},
    "owner_default": {},
}


@pytest.mark.parametrize(("rule", "selector"), ROUTES.items())
def test_predict_generate_and_stream_answer_by_every_way_to_the_deployment(
    emulator: EmulatorThread, rule: str, selector: dict[str, str]
) -> None:
    emulator.deploy(MODELS / "hello")
    model = sdk_model("hello", **selector)

    assert model.predict(prompt="world", n=3) == "Hello, world!!!"
    assert list(model.generate(prompt="you there")) == ["Hello,", "you", "there!"]
    assert list(model.stream(iter(["a", "b"]))) == ["Hello, a!", "Hello, b!"]

    assert {event.fields["rule"] for event in emulator.events("route.decided")} == {rule}


def test_the_answer_names_the_rule_the_replica_and_the_request(emulator: EmulatorThread, client: Client) -> None:
    emulator.deploy(MODELS / "hello")

    response, trailers = client.call_with_trailers("PostModelOutputs", inference_request("hello", prompt="x"))

    replica = emulator.status()["deployments"][0]["versions"][0]["replicas"][0]
    assert trailers["x-clarifai-emulator-rule"] == "owner_default"
    assert trailers["x-clarifai-emulator-replica"] == replica["replica_id"]
    assert response.status.req_id == trailers["x-clarifai-request-id"]


def test_what_the_runner_logs_of_a_request_is_found_by_its_id(emulator: EmulatorThread, client: Client) -> None:
    emulator.deploy(MODELS / "hello")

    response = client.call("PostModelOutputs", inference_request("hello", prompt="x"))

    def runner_log() -> list[str]:
        entries = client.call("ListLogEntries", log_type="runner", page=1, per_page=1000).log_entries
        return [entry.message for entry in entries if response.status.req_id in entry.message]

    assert wait_for(runner_log), "no line of the runner's log names the request"


def test_the_first_message_of_a_stream_is_answered_before_the_second_is_sent(emulator: EmulatorThread) -> None:
    emulator.deploy(MODELS / "hello")
    answered = threading.Event()

    def prompts() -> Any:
        yield "first"
        assert answered.wait(10), "the answer to the first message did not come before the second was sent"
        yield "second"

    answers = sdk_model("hello").stream(prompts())
    assert next(answers) == "Hello, first!"
    answered.set()
    assert list(answers) == ["Hello, second!"]


def test_a_batch_is_one_request_with_as_many_outputs(emulator: EmulatorThread) -> None:
    emulator.deploy(MODELS / "batch")
    inputs = [{"text": f"item {number}"} for number in range(20)]
    assert sdk_model("batch").predict(inputs) == [f"item {number}" for number in range(20)]
    assert len(emulator.events("work.done")) == 1


def test_with_proto_gives_the_message_too(emulator: EmulatorThread) -> None:
    emulator.deploy(MODELS / "hello")
    value, response = sdk_model("hello").predict(prompt="x", with_proto=True)
    assert value == "Hello, x!"
    assert response.status.req_id.startswith("sdk-python-")


OLDER = """
from clarifai.runners.models.model_class import ModelClass
from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode


class Older(ModelClass):
    def PostModelOutputs(self, request: service_pb2.PostModelOutputsRequest) -> service_pb2.MultiOutputResponse:
        answer = service_pb2.MultiOutputResponse()
        answer.status.code = StatusCode.SUCCESS
        for each in request.inputs:
            output = answer.outputs.add()
            output.status.code = StatusCode.SUCCESS
            output.data.text.raw = each.data.text.raw.upper()
        return answer
"""


def test_an_older_model_that_answers_messages_has_no_signatures_and_serves(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    emulator.deploy(write_model(tmp_path, "older", OLDER))
    request = rpc_table()["PostModelOutputs"].request_type(model_id="older")
    request.user_app_id.user_id, request.user_app_id.app_id = "me", "demo"
    request.inputs.add().data.text.raw = "as it was"
    answer = client.call("PostModelOutputs", request)
    assert answer.outputs[0].data.text.raw == "AS IT WAS"
    versions = client.call("ListModelVersions", user_app_id=request.user_app_id, model_id="older").model_versions
    assert [list(each.method_signatures) for each in versions] == [[]]


def test_what_a_method_raises_reaches_the_client_with_its_traceback(emulator: EmulatorThread) -> None:
    emulator.deploy(MODELS / "crash_method")
    with pytest.raises(Exception, match="cannot answer") as raised:
        sdk_model("crash_method").predict(prompt="x")
    assert "model.py" in str(raised.value)


def test_an_unknown_method_is_named_by_the_runner(emulator: EmulatorThread, client: Client) -> None:
    emulator.deploy(MODELS / "hello")
    response = client.call("PostModelOutputs", inference_request("hello", "nope", prompt="x"))
    assert response.status.details == "Method nope not found in model class"


def test_ten_mebibytes_go_in_and_come_out(emulator: EmulatorThread) -> None:
    emulator.deploy(MODELS / "large")
    model = sdk_model("large")
    size = 10 * 1024 * 1024
    assert model.length(data=b"x" * size) == size
    assert len(model.predict(size=size)) == size


def test_an_item_may_be_as_large_as_the_runner_takes(emulator: EmulatorThread, client: Client) -> None:
    emulator.deploy(MODELS / "large")
    size = 127 * 1024 * 1024
    response = client.call("PostModelOutputs", inference_request("large", "length", data=b"x" * size))
    assert response.outputs[0].data.parts[0].data.int_value == size


def test_many_clients_at_once_each_get_their_own_answer(emulator: EmulatorThread) -> None:
    emulator.deploy(MODELS / "hello")
    answers: dict[int, str] = {}

    def ask(number: int) -> None:
        answers[number] = sdk_model("hello").predict(prompt=str(number))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: f"Hello, {number}!" for number in range(40)}
