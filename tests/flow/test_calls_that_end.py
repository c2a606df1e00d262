"""Inner requests end with the request they are made for, however that one ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.faults import Fault
from flow.driver import Client, inference_request, running, text_of, wait_for, write_model

CALLER = '''
import os, subprocess, sys, threading, time
from typing import Iterator
from clarifai.client import Model
from clarifai.runners.models.model_class import ModelClass

CHILD = """
import os
from clarifai.client import Model
url, base = "https://clarifai.com/me/demo/models/slow", os.environ["CLARIFAI_API_BASE"]
print(Model(url=url, base_url=base).predict(seconds=0))
"""

def slow():
    return Model(url="https://clarifai.com/me/demo/models/slow", base_url=os.environ["CLARIFAI_API_BASE"],
                 pat=os.environ["CLARIFAI_PAT"])

class Caller(ModelClass):
    @ModelClass.method
    def predict(self, how: str) -> str:
        return getattr(self, how)()

    def waits(self):
        return slow().predict(seconds=5)

    def twice(self):
        try:
            slow().predict(seconds=5)
        except Exception as error:
            print("first", error)
        return slow().predict(seconds=0)

    def many(self):
        threads = [threading.Thread(target=self.waits) for _ in range(8)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        return "all"

    def leaves_open(self):
        threading.Thread(target=self.waits, daemon=True).start()
        time.sleep(0.7)
        return "answered"

    def child(self):
        done = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True)
        return done.stdout + done.stderr

    @ModelClass.method
    def generate(self, count: int) -> Iterator[str]:
        for each in slow().generate(count=count):
            yield each
'''
SLOW = """
import time
from typing import Iterator
from clarifai.runners.models.model_class import ModelClass

class Slow(ModelClass):
    @ModelClass.method
    def predict(self, seconds: int) -> str:
        time.sleep(seconds)
        return "slept"

    @ModelClass.method
    def generate(self, count: int) -> Iterator[str]:
        for number in range(count):
            time.sleep(0.02)
            yield str(number)
"""


def deploy(emulator: EmulatorThread, folder: Path) -> EmulatorThread:
    emulator.deploy(write_model(folder, "slow", SLOW))
    emulator.deploy(write_model(folder, "caller", CALLER))
    return emulator


@pytest.fixture
def calling(emulator: EmulatorThread, tmp_path: Path) -> EmulatorThread:
    return deploy(emulator, tmp_path)


def when_open(emulator: EmulatorThread) -> Callable[[], Any]:
    """Return what waits until an inner request is with its replica, and gives that event."""
    before = len(emulator.events("work.sent"))

    def inner() -> Any:
        places = {each.fields["request_id"] for each in emulator.events("route.decided", depth=1)}
        sent = [each for each in emulator.events("work.sent")[before:] if each.fields["request_id"] in places]
        return sent[0] if sent else None

    return lambda: wait_for(inner)


def ended(emulator: EmulatorThread, request_id: str) -> str:
    """Return how the work of a request ended, once it has."""

    def end() -> str:
        kinds = [each.kind for each in emulator.events("work.", request_id=request_id)]
        return next((kind for kind in kinds if kind in ("work.failed", "work.cancelled", "work.done")), "")

    return wait_for(end)


def test_a_client_that_stops_reading_a_stream_ends_the_stream_inside(
    calling: EmulatorThread, client: Client
) -> None:
    inner = when_open(calling)
    answers = client.generate(inference_request("caller", method="generate", count=1000))
    next(iter(answers))
    sent = inner()
    answers.cancel()
    assert ended(calling, sent.fields["request_id"]) == "work.failed"


def test_what_is_asked_after_the_client_went_away_is_refused(calling: EmulatorThread, client: Client) -> None:
    with pytest.raises(grpc.RpcError):
        client.call("PostModelOutputs", inference_request("caller", how="twice"), timeout=0.5)
    refused = wait_for(lambda: calling.events("request.finished", status=40035))
    assert len(refused) >= 1
    assert "The request that made this call, " in refused[0].fields["error"]


def test_an_inner_request_has_no_more_time_than_its_outer_one(tmp_path: Path) -> None:
    with running(request_seconds=1.5) as emulator:
        deploy(emulator, tmp_path)
        client = Client(emulator.url)
        client.call("PostModelOutputs", inference_request("slow", seconds=0))
        inner, began = when_open(emulator), time.monotonic()
        answer = client.call("PostModelOutputs", inference_request("caller", how="waits"))
        assert "had not answered after 1.5 s" in answer.status.details
        sent = inner()
        assert ended(emulator, sent.fields["request_id"]) == "work.failed"
        assert time.monotonic() - began < 4
        error = emulator.events("work.failed", request_id=sent.fields["request_id"])[0].fields["error"]
        assert "has ended: The model had not answered after 1.5 s" in error
        client.close()


def test_a_lost_replica_takes_its_inner_requests_with_it(calling: EmulatorThread, client: Client) -> None:
    calling.faults.add(Fault(model="caller", lose_replica=True, latency=0.5, times=1))
    inner = when_open(calling)
    answer = client.call("PostModelOutputs", inference_request("caller", how="waits"))
    assert "ended while it worked on this request" in answer.status.details
    assert ended(calling, inner().fields["request_id"]) in ("work.failed", "work.cancelled")


def test_what_a_model_leaves_open_when_it_answers_goes_on(calling: EmulatorThread, client: Client) -> None:
    inner = when_open(calling)
    assert text_of(client.call("PostModelOutputs", inference_request("caller", how="leaves_open"))) == "answered"
    sent = inner()
    time.sleep(0.3)
    assert not [
        each for each in calling.events("work.", request_id=sent.fields["request_id"]) if each.kind == "work.failed"
    ]


@pytest.mark.of_processes("in a container, a program of the model is one more interpreter to start")
def test_a_program_that_the_model_starts_is_known_by_the_credential_of_its_replica(
    calling: EmulatorThread, client: Client
) -> None:
    answer = text_of(client.call("PostModelOutputs", inference_request("caller", how="child"), timeout=60))
    assert "slept" in answer
    decided = [each.fields for each in calling.events("route.decided") if "parent_id" in each.fields]
    assert [(each["depth"], each["guessed"]) for each in decided] == [(1, True)]


def test_many_inner_requests_end_at_once_with_a_client_that_goes_away(
    calling: EmulatorThread, client: Client
) -> None:
    before = len(calling.events("work.sent"))
    with pytest.raises(grpc.RpcError):
        client.call("PostModelOutputs", inference_request("caller", how="many"), timeout=1)
    places = {each.fields["request_id"] for each in calling.events("route.decided", depth=1)}
    sent = [each.fields["request_id"] for each in calling.events("work.sent")[before:]]
    open_then = [each for each in sent if each in places]
    assert len(open_then) > 2
    assert {ended(calling, each) for each in open_then} == {"work.failed"}
