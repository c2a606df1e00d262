"""The genuine runner works in a nutshell; with CLARIFAI_TEST_RUNNER=genuine every flow test runs on it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import MODELS, Client, inference_request, running, wait_for


@pytest.fixture(scope="module")
def _genuine() -> Iterator[EmulatorThread]:
    with running(runner="genuine") as emulator:
        yield emulator


@pytest.fixture
def genuine(_genuine: EmulatorThread) -> EmulatorThread:
    _genuine.reset()
    return _genuine


@pytest.fixture
def client(genuine: EmulatorThread) -> Iterator[Client]:
    client = Client(genuine.url)
    yield client
    client.close()


def text(response: Any) -> str:
    return response.outputs[0].data.parts[0].data.string_value


def test_it_answers_as_the_lean_runner_does(genuine: EmulatorThread, client: Client) -> None:
    with running(runner="lean") as other:
        lean = Client(other.url)
        answers: list[list[Any]] = []
        for emulator, caller in ((genuine, client), (other, lean)):
            emulator.deploy(MODELS / "hello")
            emulator.deploy(MODELS / "crash_method")
            answers.append(
                [
                    caller.call("PostModelOutputs", inference_request("hello", prompt="x", n=2)),
                    caller.call("PostModelOutputs", inference_request("hello", "nope")),
                    caller.call("PostModelOutputs", inference_request("crash_method", prompt="x")),
                    *caller.generate(inference_request("hello", "generate", prompt="a b")),
                    *caller.generate(inference_request("crash_method", "generate", chunks=2)),
                    *caller.stream(iter([inference_request("hello", "stream", prompts="a")])),
                ]
            )
        lean.close()
    for mine, theirs in zip(*answers, strict=True):
        for response in (mine, theirs):
            response.status.req_id = ""
        assert mine == theirs


def test_a_stream_is_answered_while_it_is_still_being_sent(genuine: EmulatorThread, client: Client) -> None:
    genuine.deploy(MODELS / "hello")
    answered = threading.Event()

    def requests() -> Iterator[Any]:
        yield inference_request("hello", "stream", prompts="first")
        assert answered.wait(10)
        yield inference_request("hello", "stream", prompts="second")

    answers = client.stream(requests())
    assert text(next(answers)) == "Hello, first!"
    answered.set()
    assert [text(answer) for answer in answers] == ["Hello, second!"]


def test_a_client_that_goes_away_is_told_to_the_model(genuine: EmulatorThread, client: Client) -> None:
    genuine.deploy(MODELS / "aborting")
    answers = client.generate(inference_request("aborting", "generate", chunks=200))
    next(answers)
    answers.cancel()
    wait_for(lambda: genuine.events("work.cancelled"))

    def finished() -> int:
        response = client.call("PostModelOutputs", inference_request("aborting", "finished_items"))
        return response.outputs[0].data.int_value

    wait_for(lambda: finished() == 1)


def test_a_replica_that_dies_fails_its_request_and_comes_back(genuine: EmulatorThread, client: Client) -> None:
    genuine.deploy(MODELS / "crash_method")
    answers = list(client.generate(inference_request("crash_method", "generate_then_exit", chunks=3)))
    assert answers[-1].status.code == StatusCode.RUNNER_PROCESSING_FAILED
    response = client.call("PostModelOutputs", inference_request("crash_method", "echo", prompt="again"))
    assert text(response) == "again"


def test_a_model_takes_as_many_requests_at_once_as_its_config_says(genuine: EmulatorThread, client: Client) -> None:
    genuine.deploy(MODELS / "slow")
    request = inference_request("slow", seconds=0.5)
    threads = [threading.Thread(target=client.call, args=("PostModelOutputs", request)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts = client.call("PostModelOutputs", inference_request("slow", "counts"))
    assert counts.outputs[0].data.struct_value["most_running"] == 8


def test_a_reader_that_is_slower_than_its_model_gets_every_chunk(genuine: EmulatorThread, client: Client) -> None:
    genuine.deploy(MODELS / "large")
    answers = client.generate(inference_request("large", "generate", size=1000, chunks=2000))
    assert sum(1 for _ in answers) == 2000
