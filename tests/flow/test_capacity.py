"""A model runs on the machine at hand, whatever its size; what cannot run is refused at once, with ways out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import InstanceType, NodeCapacityType, Nodepool
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.errors import CallerError
from flow.driver import (
    MODELS,
    Client,
    inference_request,
    live_replicas,
    running,
    sdk_model,
    text_of,
    wait_for,
    write_model,
)

HUGE = 'inference_compute_info: {cpu_limit: "1000", cpu_memory: 900Ti}\n'
A10G = "compute: {instance: g5.xlarge, num_gpus: 1}\n"


def model_of(folder: Path, compute: str, model_id: str = "sized") -> Path:
    """Write a model that asks for this compute, and says hello."""
    directory = write_model(folder, model_id, (MODELS / "hello" / "1" / "model.py").read_text())
    config = (directory / "config.yaml").read_text()
    kept = re.sub(r"(?ms)^inference_compute_info:.*?(?=^\S|\Z)", "", config)
    (directory / "config.yaml").write_text(f"{kept.rstrip()}\n{compute}")
    return directory


def refusal(emulator: EmulatorThread, directory: Path, **options: Any) -> CallerError:
    with pytest.raises(CallerError) as raised:
        emulator.deploy(directory, **options)
    return raised.value


@pytest.fixture(scope="module")
def _strict() -> Iterator[EmulatorThread]:
    with running(strict_capacity=True) as emulator:
        yield emulator


@pytest.fixture
def strict(_strict: EmulatorThread) -> EmulatorThread:
    """Return an emulator that places no more than this machine has."""
    _strict.reset()
    return _strict


# ── CPUs and memory ────────────────────────────────────────────────────────────────────────────────────────


def test_a_model_that_asks_for_more_than_the_machine_has_runs_and_it_is_said_once(
    emulator: EmulatorThread, tmp_path: Path
) -> None:
    deployed = emulator.deploy(model_of(tmp_path, HUGE), min_replicas=2)
    assert sdk_model("sized").predict(prompt="x") == "Hello, x!"
    (warning,) = [each for each in deployed.warnings if "this machine has" in each]
    assert warning.startswith("sized asks for 1000 CPUs and 900Ti of memory, and this machine has ")
    assert "perhaps slower or out of memory; with --strict-capacity it is refused." in warning
    assert [event.fields["reason"] for event in emulator.events("deployment.overcommitted")] == [warning]


def test_a_model_that_fits_is_told_nothing(emulator: EmulatorThread) -> None:
    deployed = emulator.deploy(MODELS / "hello")
    assert not any("this machine" in each for each in deployed.warnings)
    assert emulator.events("deployment.overcommitted") == []


def test_more_models_of_the_usual_size_than_the_machine_has_processors_for_all_run(
    emulator: EmulatorThread, tmp_path: Path
) -> None:
    usual = 'inference_compute_info: {cpu_limit: "64", cpu_memory: "64Gi"}\n'
    for number in range(3):
        emulator.deploy(model_of(tmp_path, usual, f"model-{number}"))
    assert all(live_replicas(emulator, f"deploy-model-{number}") for number in range(3))
    pool = next(each for each in emulator.status()["nodepools"] if each["nodepool_id"] == "cpu")
    assert pool["overcommitted"]["cpus"] > 0


def test_strict_capacity_refuses_before_anything_is_built(strict: EmulatorThread, tmp_path: Path) -> None:
    steps: list[str] = []
    error = refusal(strict, model_of(tmp_path, HUGE), progress=steps.append)
    assert error.code == StatusCode.MODEL_DEPLOYMENT_FAILED
    assert "local needs 1000 CPUs" in error.details
    assert error.hint.startswith("Start the emulator without --strict-capacity, and it runs all the same.")
    assert "(inference_compute_info)" in error.hint
    assert [step for step in steps if not step.startswith("reading ")] == []
    assert (strict.status()["models"], strict.status()["deployments"]) == ([], [])


def test_the_hint_names_the_section_that_the_file_has(strict: EmulatorThread, tmp_path: Path) -> None:
    error = refusal(strict, model_of(tmp_path, "compute: {instance: g4-standard-384}\n"), instance="c9.mega")
    assert error.details == "There is no instance type 'c9.mega'."
    error = refusal(strict, model_of(tmp_path, "compute: {instance: vc2-24c-96gb}\n", "other"))
    assert "(compute)" in error.hint


# ── GPUs ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_gpu_that_is_not_there_is_refused_at_once_with_commands_that_help(
    emulator: EmulatorThread, tmp_path: Path
) -> None:
    directory = model_of(tmp_path, A10G)
    error = refusal(emulator, directory)
    assert error.code == StatusCode.MODEL_DEPLOYMENT_FAILED
    assert "1 accelerator of type NVIDIA-* with 22.49Gi wanted, but this machine has none" in error.details
    assert "CPUs" not in error.details
    assert (emulator.status()["models"], emulator.status()["deployments"]) == ([], [])

    (instance,) = set(re.findall(r"--instance (\S+)", error.hint))
    deployed = emulator.deploy(directory, instance=instance)
    assert (deployed.compute_cluster_id, deployed.nodepool_id) == (
        "deploy-cc-aws-us-east-1",
        "deploy-np-t3a-xlarge",
    )
    assert sdk_model("sized").predict(prompt="x") == "Hello, x!"

    (accelerators,) = re.findall(r"--accelerators (\S+)", error.hint)
    with running(accelerators=accelerators) as other:
        client = Client(other.url)
        simulated = other.deploy(directory)
        assert text_of(client.call("PostModelOutputs", inference_request("sized", prompt="x"))) == "Hello, x!"
        client.close()
    assert not any("GPU" in each for each in simulated.warnings)


def test_a_topology_may_say_on_which_instance_a_model_runs(emulator: EmulatorThread, tmp_path: Path) -> None:
    directory = model_of(tmp_path, A10G)
    topology = tmp_path / "topology.yaml"
    topology.write_text(f"models: [{{path: {directory}, deploy: {{instance: t3a.xlarge}}}}]\n")
    emulator.apply(topology)
    wait_for(lambda: live_replicas(emulator, "deploy-sized"))
    assert sdk_model("sized").predict(prompt="x") == "Hello, x!"


def test_going_back_to_what_config_yaml_asks_for_is_another_version(
    emulator: EmulatorThread, tmp_path: Path
) -> None:
    directory = model_of(tmp_path, 'inference_compute_info: {cpu_limit: "100m"}\n')
    first = emulator.deploy(directory)
    on_instance = emulator.deploy(directory, instance="t3a.medium")
    assert on_instance.is_new_version
    assert on_instance.version_id != first.version_id
    again = emulator.deploy(directory, instance="t3a.medium")
    assert not again.is_new_version
    assert again.nodepool_id == "deploy-np-t3a-medium"


def test_an_instance_with_a_gpu_needs_one_too_and_leaves_no_nodepool_behind(
    emulator: EmulatorThread, tmp_path: Path
) -> None:
    before = emulator.status()["nodepools"]
    error = refusal(emulator, MODELS / "hello", instance="A10G")
    assert "this machine has none" in error.details
    assert emulator.status()["nodepools"] == before


# ── room that others hold ──────────────────────────────────────────────────────────────────────────────────


def small_nodepool(client: Client) -> None:
    nodepool = Nodepool(
        id="small",
        instance_types=[InstanceType(id="t3a.medium")],
        node_capacity_type=NodeCapacityType(capacity_types=[1]),
        max_instances=1,
    )
    response = client.call("PostNodepools", compute_cluster_id="local", nodepools=[nodepool])
    assert response.status.code == StatusCode.SUCCESS, response.status


def why_pending(emulator: EmulatorThread, deployment: str) -> str:
    found = next(each for each in emulator.status()["deployments"] if each["deployment_id"] == deployment)
    (version,) = found["versions"]
    return version["pending"]


def test_a_deploy_without_room_says_who_has_it_and_ends_when_it_was_told_to(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    small_nodepool(client)
    half = 'inference_compute_info: {cpu_limit: "800m"}\n'
    emulator.deploy(model_of(tmp_path, half, "first"), nodepool_id="small")
    said: list[str] = []
    error = refusal(
        emulator,
        model_of(tmp_path, half, "second"),
        nodepool_id="small",
        wait_seconds=0.5,
        progress=said.append,
    )
    assert error.code == StatusCode.MODEL_DEPLOYING
    holds = "nodepool 'small' is full: its 1 of 1 instances hold 1 replica (1 of deployment 'deploy-first')"
    assert holds in error.details
    assert any(holds in line and line.startswith("waiting: ") for line in said)
    assert "`clarifai-emulator undeploy deploy-second` takes it away" in error.hint

    assert holds in why_pending(emulator, "deploy-second")
    emulator.undeploy("first")
    wait_for(lambda: live_replicas(emulator, "deploy-second"))
    assert emulator.events("deployment.pending")  # it was told, and is not any more
    assert why_pending(emulator, "deploy-second") == ""


def test_fewer_replicas_at_most_than_at_least_are_refused(emulator: EmulatorThread) -> None:
    error = refusal(emulator, MODELS / "hello", min_replicas=3, max_replicas=2)
    assert error.details == "min_replicas 3 is more than max_replicas 2."
    deployed = emulator.deploy(MODELS / "hello", min_replicas=6)
    (found,) = [d for d in emulator.status()["deployments"] if d["deployment_id"] == deployed.deployment_id]
    assert (found["min_replicas"], found["max_replicas"]) == (6, 6)


def test_a_cluster_that_is_not_there_is_named_and_not_its_nodepool(emulator: EmulatorThread) -> None:
    error = refusal(emulator, MODELS / "hello", compute_cluster_id="locl")
    assert error.code == StatusCode.COMPUTE_CLUSTER_DOES_NOT_EXIST
    assert error.message == "There is no compute cluster 'locl' of user 'me'. Did you mean 'local'?"


# ── undeploy ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "name", ["hello", "deploy-hello", "me/demo/models/hello", "https://clarifai.com/me/demo/models/hello"]
)
def test_undeploy_takes_a_deployment_or_a_model_and_ends_its_replicas(emulator: EmulatorThread, name: str) -> None:
    emulator.deploy(MODELS / "hello")
    (done,) = emulator.undeploy(name)
    assert (done.deployment_id, done.model) == ("deploy-hello", "me/demo/hello")
    status = emulator.status()
    assert (status["deployments"], status["models"]) == ([], ["me/demo/hello"])
    assert emulator.deploy(MODELS / "hello").is_new_version is False


def test_undeploy_says_what_there_is_when_there_is_no_such_thing(emulator: EmulatorThread) -> None:
    emulator.deploy(MODELS / "hello")
    with pytest.raises(CallerError) as raised:
        emulator.undeploy("helo")
    assert raised.value.code == StatusCode.DEPLOYMENT_DOES_NOT_EXIST
    assert raised.value.message == (
        "User 'me' has no deployment 'helo', and there is no model of this name. Did you mean 'hello'?"
    )
    emulator.undeploy("hello")
    with pytest.raises(CallerError, match="User 'me' has no deployment of model 'hello'"):
        emulator.undeploy("hello")
    with pytest.raises(CallerError, match="is empty"):
        emulator.undeploy(" ")
    assert list(emulator.undeploy(None)) == []


def test_undeploy_wants_the_whole_name_of_models_that_share_an_id(emulator: EmulatorThread) -> None:
    emulator.deploy(MODELS / "hello", deployment_id="one")
    emulator.deploy(MODELS / "hello", deployment_id="two", model="me/other/models/hello")
    with pytest.raises(CallerError, match="Several models are called 'hello': me/demo/hello, me/other/hello"):
        emulator.undeploy("hello")
    (done,) = emulator.undeploy("me/other/models/hello")
    assert done.deployment_id == "two"


def test_what_is_undeployed_leaves_the_dev_loop(emulator: EmulatorThread, tmp_path: Path) -> None:
    directory = write_model(tmp_path, "looped", (MODELS / "hello" / "1" / "model.py").read_text())
    emulator.dev(directory)
    emulator.undeploy("looped")
    assert emulator.status()["dev"] == []
    with pytest.raises(Exception, match="is not in the dev loop"):
        emulator.reload(directory)
    emulator.dev(directory)
    assert sdk_model("looped").predict(prompt="x") == "Hello, x!"


def test_an_edit_that_asks_for_a_gpu_is_refused_and_the_last_good_code_serves(
    emulator: EmulatorThread, tmp_path: Path
) -> None:
    directory = model_of(tmp_path, 'inference_compute_info: {cpu_limit: "100m"}\n')
    emulator.dev(directory)
    config = directory / "config.yaml"
    before = config.read_text()
    config.write_text(before.replace('inference_compute_info: {cpu_limit: "100m"}', A10G))
    outcome = emulator.reload(directory)
    assert outcome.state == "failed"
    assert outcome.failure is not None
    assert "this machine has none" in outcome.failure.message
    assert "--accelerators simulated:1xNVIDIA-A10G" in outcome.failure.hint
    assert sdk_model("sized").predict(prompt="x") == "Hello, x!"

    config.write_text(before.replace('"100m"', '"1000"'))
    assert emulator.reload(directory).state == "ready"
    (event,) = emulator.events("deployment.overcommitted")
    assert "sized asks for 1000 CPUs" in event.fields["reason"]
    assert sdk_model("sized").predict(prompt="x") == "Hello, x!"


def test_an_edit_that_asks_for_a_gpu_gets_one_of_its_own_where_there_is_one(tmp_path: Path) -> None:
    directory = model_of(tmp_path, 'inference_compute_info: {cpu_limit: "100m"}\n')
    with running(accelerators="simulated:1xNVIDIA-A10G") as emulator:
        emulator.dev(directory)
        config = directory / "config.yaml"
        config.write_text(config.read_text().replace('inference_compute_info: {cpu_limit: "100m"}', A10G))
        assert emulator.reload(directory).state == "ready"
        (replica,) = wait_for(lambda: live_replicas(emulator, "deploy-sized"))
        assert replica["devices"] == ["GPU-simulated-0"]


READS_ITS_DEVICE = """
import os
from clarifai.runners.models.model_class import ModelClass

class Reads(ModelClass):
    def load_model(self):
        self.device = int(os.environ["CUDA_VISIBLE_DEVICES"].split(",")[0])  # as vLLM does

    @ModelClass.method
    def predict(self, prompt: str) -> str:
        return f"{prompt} on {self.device}"
"""


def test_a_model_that_reads_the_number_of_its_device_as_vllm_does_loads(tmp_path: Path) -> None:
    directory = model_of(tmp_path, A10G)
    (directory / "1" / "model.py").write_text(READS_ITS_DEVICE)
    with running(accelerators="simulated:2xNVIDIA-A10G") as emulator:
        emulator.deploy(directory)
        client = Client(emulator.url)
        answer = client.call("PostModelOutputs", inference_request("sized", prompt="x"), timeout=60)
        client.close()
        assert re.fullmatch(r"x on 100[01]", text_of(answer))


def test_a_kept_state_has_the_accelerators_that_it_is_started_with(tmp_path: Path) -> None:
    """The command that the refusal names helps, too, where the nodepools were kept."""
    directory = model_of(tmp_path / "models", A10G)
    with running(data_dir=tmp_path / "state") as before:
        assert "this machine has none" in refusal(before, directory).details
    with running(data_dir=tmp_path / "state", accelerators="simulated:1xNVIDIA-A10G") as after:
        assert after.deploy(directory).nodepool_id == "cpu"
        (replica,) = live_replicas(after, "deploy-sized")
        assert replica["devices"] == ["GPU-simulated-0"]
