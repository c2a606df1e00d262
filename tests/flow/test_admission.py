"""A model is asked whether it admits a request, and whether it is alive, whatever runs it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import RUNNERS, Client, inference_request, live_replicas, running, text_of, wait_for, write_model

pytestmark = pytest.mark.of_processes("names the ways to run a model itself; containers: tests/docker")

ADMITTING = """
import os, threading, time
from clarifai.runners.models.model_class import ModelClass

HERE = "FOLDER"


class Admits(ModelClass):
    admission_control_backoff = 0.01

    def load_model(self):
        self.counting = threading.Lock()
        self.now = 0

    def check_admission(self):
        with open(os.path.join(HERE, "asked"), "a") as file:
            file.write("x")
        return os.path.exists(os.path.join(HERE, "open"))

    @ModelClass.method
    def predict(self, text: str) -> str:
        with self.counting:
            self.now += 1
            now = self.now
        time.sleep(0.3)
        with self.counting:
            self.now -= 1
        return str(now)
"""


@pytest.fixture(params=["lean", "genuine", "inprocess"])
def emulator(request: pytest.FixtureRequest) -> Iterator[Any]:
    settings: dict[str, Any] = {**RUNNERS["lean"], **RUNNERS[request.param]}
    with running(**settings, probe_seconds=0.2) as emulator:
        yield emulator


@pytest.fixture
def client(emulator: EmulatorThread) -> Iterator[Client]:
    client = Client(emulator.url)
    yield client
    client.close()


def model(tmp_path: Path, source: str) -> Path:
    return write_model(tmp_path, "admits", source.replace("FOLDER", str(tmp_path)))


def ask_at_once(client: Client, count: int) -> list[int]:
    """Make requests at once; return how many the model worked on when each of them came to it."""
    with ThreadPoolExecutor(count) as workers:
        request = inference_request("admits", text="a")
        answers = [workers.submit(client.call, "PostModelOutputs", request) for _ in range(count)]
        return sorted(int(text_of(each.result())) for each in answers)


def test_a_model_that_admits_nothing_gets_one_request_at_a_time(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    emulator.deploy(model(tmp_path, ADMITTING), max_replicas=1)
    asked = tmp_path / "asked"
    assert ask_at_once(client, 3) == [1, 1, 1]
    assert asked.stat().st_size > 10
    (tmp_path / "open").touch()
    wait_for(lambda: max(ask_at_once(client, 3)) > 1)
    (tmp_path / "open").unlink()
    wait_for(lambda: ask_at_once(client, 3) == [1, 1, 1])


LIVING = """
import os
from clarifai.runners.models.model_class import ModelClass

HERE = "FOLDER"


class Admits(ModelClass):
    def handle_liveness_probe(self):
        with open(os.path.join(HERE, "probed"), "a") as file:
            file.write("x")
        return not os.path.exists(os.path.join(HERE, "dead"))

    def handle_readiness_probe(self):
        return not os.path.exists(os.path.join(HERE, "unready"))

    @ModelClass.method
    def predict(self, text: str) -> str:
        return text
"""


def test_a_model_that_says_three_times_that_it_is_not_alive_is_replaced(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    emulator.deploy(model(tmp_path, LIVING), min_replicas=1)
    assert text_of(client.call("PostModelOutputs", inference_request("admits", text="a"))) == "a"
    (replica,) = live_replicas(emulator, "deploy-admits")
    probed = tmp_path / "probed"
    wait_for(lambda: probed.exists() and probed.stat().st_size > 2)
    assert [each["replica_id"] for each in live_replicas(emulator, "deploy-admits")] == [replica["replica_id"]]
    (tmp_path / "dead").touch()
    crash = wait_for(lambda: list(emulator.events("replica.crashed")))[0]
    assert (
        "its liveness probe failed 3 times in a row (its handle_liveness_probe() returned False)"
        in crash.fields["message"]
    )
    (tmp_path / "dead").unlink()
    wait_for(lambda: live_replicas(emulator, "deploy-admits"))
    assert text_of(client.call("PostModelOutputs", inference_request("admits", text="b"))) == "b"


def test_a_model_that_is_not_ready_is_said_to_be_and_goes_on(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    emulator.deploy(model(tmp_path, LIVING), min_replicas=1)
    assert text_of(client.call("PostModelOutputs", inference_request("admits", text="a"))) == "a"
    wait_for(lambda: (tmp_path / "probed").exists())
    (tmp_path / "unready").touch()

    def lines() -> list[str]:
        return emulator.run(lambda each: [entry.message for entry in each.logbook.entries("runner")])

    said = "[emulator] its readiness probe failed 3 times in a row (its handle_readiness_probe() returned False)"
    wait_for(lambda: said in lines())
    assert text_of(client.call("PostModelOutputs", inference_request("admits", text="b"))) == "b"
    assert list(emulator.events("replica.crashed")) == []


HANGING = """
import ctypes
from clarifai.runners.models.model_class import ModelClass


class Admits(ModelClass):
    @ModelClass.method
    def predict(self, text: str) -> str:
        return text

    @ModelClass.method
    def hang(self, text: str) -> str:
        ctypes.PyDLL(None).sleep(1000)  # in C code, with the lock of the interpreter
        return text
"""


@pytest.mark.parametrize("runner", ["lean", "genuine"])
def test_a_replica_that_does_not_answer_at_all_is_replaced(tmp_path: Path, runner: str) -> None:
    with running(**RUNNERS[runner], probe_seconds=0.3) as emulator:
        client = Client(emulator.url)
        emulator.deploy(write_model(tmp_path, "admits", HANGING), min_replicas=1)
        assert text_of(client.call("PostModelOutputs", inference_request("admits", text="a"))) == "a"
        time.sleep(0.7)  # it is asked meanwhile: nothing counts before it has answered once
        answer = client.call("PostModelOutputs", inference_request("admits", "hang", text=""))
        assert "its liveness probe failed 3 times in a row (no answer within 0.3 s)" in answer.status.details
        assert text_of(client.call("PostModelOutputs", inference_request("admits", text="b"))) == "b"
        client.close()
