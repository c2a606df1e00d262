"""A model that calls itself, also over others, is told so at once when all slots are taken: it never hangs."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import START_SECONDS, Client, inference_request, running, text_of, wait_for, write_model

CALLER = '''
import os, threading, time
from concurrent.futures import ThreadPoolExecutor
from clarifai.client import Model
from clarifai.runners.models.model_class import ModelClass

def ask(model, text):
    return Model(url=f"https://clarifai.com/me/demo/models/{model}", base_url=os.environ["CLARIFAI_API_BASE"],
                 pat=os.environ["CLARIFAI_PAT"]).predict(plan=text)

class Caller(ModelClass):
    """Calls the first model of a plan (`a b c`) with what is left of it; `2*a` twice at once, `zzz` sleeps."""

    @ModelClass.method
    def predict(self, plan: str) -> str:
        first, _, left = plan.partition(" ")
        if first == "zzz":
            time.sleep(0.7)
            first, _, left = left.partition(" ")
        if not first:
            return "end"
        count, _, model = first.rpartition("*")
        with ThreadPoolExecutor(int(count or 1)) as pool:
            return " ".join(pool.map(lambda _: ask(model, left), range(int(count or 1))))
'''


def deploy(emulator: EmulatorThread, folder: Path, model_id: str, threads: int = 1, **options: Any) -> None:
    directory = write_model(folder, model_id, CALLER)
    config = directory / "config.yaml"
    config.write_text(f"{config.read_text()}\nnum_threads: {threads}\n")
    emulator.deploy(directory, max_replicas=1, **options)


def ask(client: Client, model: str, plan: str) -> Any:
    return client.call("PostModelOutputs", inference_request(model, plan=plan), timeout=60)


def details(answer: Any) -> str:
    """Return why an answer failed: the model shows what its own call was refused with."""
    said = f"{answer.status.details} {answer.outputs[0].status.details if answer.outputs else ''}"
    return said.replace("\\", "")  # the SDK shows an answer as text of protobuf


def test_a_model_with_one_slot_that_calls_itself(emulator: EmulatorThread, client: Client, tmp_path: Path) -> None:
    deploy(emulator, tmp_path, "a")
    began = time.monotonic()
    answer = ask(client, "a", "a")
    assert time.monotonic() - began < 5 + START_SECONDS
    assert answer.status.code != StatusCode.SUCCESS
    assert (
        "This request would wait for itself: a -> a. Deployment 'deploy-a' has 1 slot, which is held by a request "
        "that waits for this one, and no further replica can start (max_replicas is 1). Give the model more "
        "num_threads, or its deployment more max_replicas, or let the inner call ask another deployment of the "
        "model (deployment_id)."
    ) in details(answer)
    assert text_of(ask(client, "a", "")) == "end", "the slot is free again"


def test_a_circle_over_others(emulator: EmulatorThread, client: Client, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        deploy(emulator, tmp_path, name)
    answer = ask(client, "a", "b c a")
    assert "would wait for itself: a -> b -> c -> a. Deployment 'deploy-a' has 1 slot" in details(answer)
    assert text_of(ask(client, "a", "b c")) == "end"


def test_as_many_slots_as_a_model_needs_are_enough(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    deploy(emulator, tmp_path, "a", threads=3)
    assert text_of(ask(client, "a", "a a")) == "end"
    answer = ask(client, "a", "a a a")
    assert "a -> a" in details(answer)
    assert "has 3 slots, all held by requests that wait for this one" in details(answer)


def test_a_slot_that_comes_free_by_itself_is_waited_for(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    deploy(emulator, tmp_path, "a", threads=2)
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(ask, client, "a", "zzz")
        time.sleep(0.2)
        assert text_of(pool.submit(ask, client, "a", "a").result()) == "end"
        assert text_of(slow.result()) == "end"


def test_trees_that_hold_each_others_slots(emulator: EmulatorThread, client: Client, tmp_path: Path) -> None:
    """Two requests at a call b, two at b call a: all slots are held by requests that wait for one."""
    for name in ("a", "b"):
        deploy(emulator, tmp_path, name, threads=2)
    with ThreadPoolExecutor(4) as pool:
        began = time.monotonic()
        plans = [("a", "zzz b"), ("a", "zzz b"), ("b", "zzz a"), ("b", "zzz a")]
        answers = [each.result() for each in [pool.submit(ask, client, *plan) for plan in plans]]
    assert time.monotonic() - began < 10 + START_SECONDS
    failed = [details(each) for each in answers if each.status.code != StatusCode.SUCCESS]
    assert 1 <= len(failed) <= 2, "one refusal lets the others go on"
    assert "->" in failed[0]
    assert any(text_of(each) == "end" for each in answers if each.status.code == StatusCode.SUCCESS)


def test_a_replica_that_may_start_is_waited_for(emulator: EmulatorThread, client: Client, tmp_path: Path) -> None:
    directory = write_model(tmp_path, "a", CALLER)
    (directory / "config.yaml").write_text(f"{(directory / 'config.yaml').read_text()}\nnum_threads: 1\n")
    emulator.deploy(directory, max_replicas=3)
    assert text_of(ask(client, "a", "a")) == "end"


def test_too_deep_and_too_many(tmp_path: Path) -> None:
    with running(call_depth=2, call_fan_out=2) as emulator:
        deploy(emulator, tmp_path, "a", threads=9)
        client = Client(emulator.url)
        assert text_of(ask(client, "a", "a a")) == "end"
        outermost = "below request"
        deep = details(ask(client, "a", "a a a"))
        assert f"This request is 3 calls deep, {outermost}" in deep
        assert "2 are the most. Models call one another: a -> a -> a -> ..." in deep
        assert "--call-depth" in deep
        many = details(ask(client, "a", "3*a zzz"))
        assert "has 2 inner requests open, which is the most. Make fewer calls at once" in many
        client.close()


def test_who_is_not_answered_any_more_has_no_inner_requests_either(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        deploy(emulator, tmp_path, name, threads=2)
    ask(client, "a", "b")
    before = len(emulator.events("work.failed"))
    began = time.monotonic()
    with pytest.raises(grpc.RpcError):
        client.call("PostModelOutputs", inference_request("a", plan="b zzz"), timeout=0.3)
    failed = wait_for(lambda: emulator.events("work.failed")[before:])
    assert time.monotonic() - began < 0.65, "before the inner one ended by itself"
    assert "The request that made this call, " in failed[0].fields["error"]
    assert "has ended: its client went away, or its time was up." in failed[0].fields["error"]
