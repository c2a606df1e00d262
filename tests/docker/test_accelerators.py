"""Containers get exactly the accelerators a replica was given, none shared, none missing in silence.

The engine is real, and so is the way a device request takes through it; in the place of NVIDIA's hook and driver
stand an executable that keeps what it is called with, and an ``nvidia-smi`` that lists two GPUs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.errors import CallerError, ConfigError
from docker import DockerClient
from docker_containers import containers, log, look, write_looks
from docker_engine import SETTINGS, TestEngine
from flow.driver import MODELS, Client, inference_request, live_replicas, wait_for

NVIDIA_SMI = """#!/bin/sh
echo "0, GPU-aaaa, NVIDIA A10G, 23028"
echo "1, GPU-bbbb, NVIDIA A10G, 23028"
"""


@pytest.fixture
def hook(engine: TestEngine) -> Path:
    """Return the file where the stand-in for NVIDIA's hook leaves what it is called with."""
    if engine.hook is None:
        pytest.skip("the engine that runs here is not ours: no stand-in for NVIDIA's hook can be put on its PATH")
    return engine.hook


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hook: Path) -> Iterator[EmulatorThread]:
    """Yield an emulator on a machine with two GPUs."""
    script = tmp_path / "nvidia-smi"
    script.write_text(NVIDIA_SMI)
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with EmulatorThread(EmulatorConfig(port=0, backend="docker", docker=SETTINGS, stop_seconds=0.5)) as emulator:
        yield emulator


def visible(docker: DockerClient) -> list[str]:
    """Return what the engine gave each replica's container, by its own account."""
    requests = [each.attrs["HostConfig"]["DeviceRequests"] for each in containers(docker)]
    return sorted(device for each in requests for request in each or () for device in request["DeviceIDs"])


def test_two_replicas_have_one_gpu_each_and_a_third_waits_with_the_reason(
    machine: EmulatorThread, hook: Path, docker: DockerClient, tmp_path: Path
) -> None:
    directory = write_looks(tmp_path, "wants-gpu", gpus=1)
    machine.deploy(directory, nodepool_id="gpu", min_replicas=2, max_replicas=2)
    wait_for(lambda: len(live_replicas(machine, "deploy-wants-gpu")) == 2, seconds=30)
    client = Client(machine.url)
    assert visible(docker) == ["GPU-aaaa", "GPU-bbbb"]
    assert look(client, "os.environ['NVIDIA_VISIBLE_DEVICES']", "wants-gpu") in ("GPU-aaaa", "GPU-bbbb")
    states = [json.loads(file.read_text()) for file in hook.glob("state.*.json")]
    assert all(state["bundle"] for state in states)
    assert len(states) >= 2

    machine.deploy(directory, nodepool_id="gpu", deployment_id="third", wait=False)
    pending = wait_for(lambda: machine.events("deployment.pending"))
    assert "nodepool 'gpu' is full" in str(pending[-1].fields)
    client.close()


def test_a_replica_that_asks_for_none_sees_none(
    machine: EmulatorThread, docker: DockerClient, tmp_path: Path
) -> None:
    machine.deploy(write_looks(tmp_path))
    client = Client(machine.url)
    assert look(client, "os.environ['NVIDIA_VISIBLE_DEVICES']") == "void"
    assert visible(docker) == []
    client.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("loose_ends")
def test_an_engine_without_a_gpu_driver_refuses_it_is_never_run_on_the_cpu(
    engine: TestEngine, machine: EmulatorThread, hook: Path, tmp_path: Path
) -> None:
    standin = hook / "nvidia-container-runtime-hook"
    aside = standin.rename(hook / "aside")
    try:
        engine.end()
        engine.launch()
        with pytest.raises(CallerError) as caught:
            machine.deploy(write_looks(tmp_path, "wants-gpu", gpus=1), nodepool_id="gpu")
    finally:
        aside.rename(standin)
        engine.end()
        engine.launch()
    text = str(caught.value) + str(machine.events("deployment.failed"))
    assert "cannot be started: the engine has no driver for GPUs" in text
    assert "nvidia-ctk runtime configure --runtime=docker" in text
    assert machine.events("replica.live") == []


def test_simulated_accelerators_are_scheduled_like_real_ones_and_everything_says_that_they_are_not(
    engine: TestEngine, docker: DockerClient, tmp_path: Path
) -> None:
    settings = EmulatorConfig(
        port=0, backend="docker", docker=SETTINGS, accelerators="simulated:2xNVIDIA-A10G", stop_seconds=0.5
    )
    with EmulatorThread(settings) as emulator:
        client = Client(emulator.url)
        assert emulator.status()["accelerators"] == [
            "#0 NVIDIA-A10G (22.49Gi, simulated)",
            "#1 NVIDIA-A10G (22.49Gi, simulated)",
        ]
        emulator.deploy(write_looks(tmp_path, "wants-gpu", gpus=2), nodepool_id="gpu")
        expected = "GPU-simulated-0,GPU-simulated-1"
        assert look(client, "os.environ['NVIDIA_VISIBLE_DEVICES']", "wants-gpu") == expected
        assert visible(docker) == []
        assert "its accelerators are simulated, there is no device: GPU-simulated-0, GPU-s" in log(emulator)
        client.close()


def test_the_sample_model_that_asks_for_a_gpu_runs_on_a_simulated_one(
    engine: TestEngine, docker: DockerClient
) -> None:
    settings = EmulatorConfig(port=0, backend="docker", docker=SETTINGS, accelerators="simulated:NVIDIA-A10G")
    with EmulatorThread(settings) as emulator:
        emulator.deploy(MODELS / "gpu", nodepool_id="gpu")
        client = Client(emulator.url)
        response = client.call("PostModelOutputs", inference_request("gpu"))
        assert response.outputs[0].data.string_value == "GPU-simulated-0"
        client.close()


def test_simulated_accelerators_that_make_no_sense_are_refused_with_an_example() -> None:
    with pytest.raises(ConfigError) as caught:
        EmulatorThread(EmulatorConfig(port=0, accelerators="simulated:2xMY-GPU,x")).__enter__()
    assert "the memory of 'MY-GPU' is not known" in str(caught.value)
    assert "'2xMY-GPU'" not in str(caught.value)
    assert "Example: simulated:2xNVIDIA-A10G" in str(caught.value)
