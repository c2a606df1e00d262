"""The scenarios of the SDK's `runners/test_model_runner_unit.py`: the status of an answer, made of its outputs'.

Upstream the runner's methods are called with items that are made up; here they come through the emulator.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import Client, inference_request, running, write_model

# Each letter of the text is an output: s succeeds, f fails. The answer says something else of itself.
CODE = """
from clarifai.runners.models.model_class import ModelClass
from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

CODES = {"s": StatusCode.SUCCESS, "f": StatusCode.MODEL_PREDICTION_FAILED}


def answer(text):
    response = service_pb2.MultiOutputResponse()
    response.status.details = "left over"
    for letter in text:
        response.outputs.add().status.code = CODES[letter]
    return response


class Statuses(ModelClass):
    def PostModelOutputs(self, request: service_pb2.PostModelOutputsRequest) -> service_pb2.MultiOutputResponse:
        return answer(request.inputs[0].data.text.raw)

    def generate_wrapper(self, request):  # what the SDK makes of a method that yields
        for text in request.inputs[0].data.text.raw.split():
            yield answer(text)

    def stream_wrapper(self, requests):
        for request in requests:
            yield answer(request.inputs[0].data.text.raw)
"""
SUCCESS, MIXED, FAILURE = StatusCode.SUCCESS, StatusCode.MIXED_STATUS, StatusCode.FAILURE


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorThread]:
    with running(hold_seconds=20) as emulator:
        emulator.deploy(write_model(tmp_path_factory.mktemp("statuses"), "statuses", CODE))
        yield emulator


@pytest.fixture
def caller(serving: EmulatorThread) -> Iterator[Client]:
    with closing(Client(serving.url)) as client:
        yield client


def asking(text: str) -> Any:
    request = inference_request("statuses")
    request.inputs[0].data.Clear()
    request.inputs[0].data.text.raw = text
    return request


@pytest.mark.parametrize(("text", "code"), [("", SUCCESS), ("ss", SUCCESS), ("sf", MIXED), ("f", FAILURE)])
def test_the_status_of_an_answer_is_made_of_its_outputs(caller: Client, text: str, code: int) -> None:
    status = caller.call("PostModelOutputs", asking(text)).status
    assert (status.code, "left over" in status.details) == (code, False)


def test_the_status_of_a_stream_is_that_of_its_outputs(caller: Client) -> None:
    texts = ("ss", "s", "sf", "ff", "f")
    generated = [each.status.code for each in caller.generate(asking(" ".join(texts)))]
    assert generated == [SUCCESS, SUCCESS, MIXED, FAILURE, FAILURE]
    streamed = [each.status.code for each in caller.stream(iter([asking(text) for text in texts]))]
    failed = StatusCode.RUNNER_PROCESSING_FAILED  # as the SDK of 12.5 has it for this kind of call alone
    assert streamed == [SUCCESS, SUCCESS, MIXED, failed, failed]
    assert list(caller.generate(asking(""))) == []
