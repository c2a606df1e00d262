"""Warm replicas outlive a reset, and serve the next deployment of the same code."""

from __future__ import annotations

import shutil
from pathlib import Path

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import MODELS, Client, inference_request, is_alive, live_replicas, text_of, wait_for


def parked(emulator: EmulatorThread) -> int:
    return emulator.run(lambda each: len(list(each.replicas.warm_pool)))


def test_an_idle_replica_is_kept_and_serves_again(emulator: EmulatorThread, client: Client) -> None:
    emulator.deploy(MODELS / "hello")
    (first,) = live_replicas(emulator, "deploy-hello")
    emulator.reset(keep_warm=True)
    assert parked(emulator) == 1
    assert emulator.status()["deployments"] == []
    emulator.deploy(MODELS / "hello", deployment_id="again")
    (second,) = live_replicas(emulator, "again")
    assert second["replica_id"] == first["replica_id"]
    assert parked(emulator) == 0
    assert text_of(client.call("PostModelOutputs", inference_request("hello", prompt="x"))) == "Hello, x!"


def test_what_waits_for_a_replica_is_served_by_a_kept_one(emulator: EmulatorThread, client: Client) -> None:
    emulator.deploy(MODELS / "hello")
    emulator.reset(keep_warm=True)
    emulator.deploy(MODELS / "hello", min_replicas=0, wait=False)
    assert text_of(client.call("PostModelOutputs", inference_request("hello", prompt="x"))) == "Hello, x!"


def test_a_plain_reset_keeps_nothing(emulator: EmulatorThread) -> None:
    emulator.deploy(MODELS / "hello")
    emulator.reset(keep_warm=True)
    emulator.reset()
    assert parked(emulator) == 0


def test_a_changed_directory_gets_a_new_replica(emulator: EmulatorThread, tmp_path: Path) -> None:
    model = Path(shutil.copytree(MODELS / "hello", tmp_path / "hello"))
    emulator.deploy(model)
    (first,) = live_replicas(emulator, "deploy-hello")
    emulator.reset(keep_warm=True)
    source = model / "1" / "model.py"
    source.write_text(source.read_text().replace("Hello, ", "Bye, "))
    emulator.deploy(model)
    (second,) = live_replicas(emulator, "deploy-hello")
    assert second["replica_id"] != first["replica_id"]
    assert parked(emulator) == 0
    if first["pid"] != second["pid"]:  # in-process replicas share the emulator's
        wait_for(lambda: not is_alive(first["pid"]))
