"""Tests deploy models of any size on the machine at hand; what it lacks is told once, at the end of the run."""

from __future__ import annotations

from typing import Any

import pytest

from plugin.conftest import MODELS, SCOPES, Run

HELLO = (MODELS / "hello" / "1" / "model.py").read_text()


def directory(name: str, compute: str) -> dict[str, str]:
    """Return the files of a model that asks for this compute."""
    return {
        f"{name}/config.yaml": f"model: {{id: {name}, app_id: demo}}\n{compute}\n",
        f"{name}/requirements.txt": "clarifai\n",
        f"{name}/1/model.py": HELLO,
    }


TESTS = """
import pytest


@pytest.mark.parametrize("number", range(2))
def test_a_large_one(clarifai, number):
    assert clarifai.deploy("large").model.predict(prompt="x") == "Hello, x!"


def test_that_fails(clarifai):
    clarifai.deploy("large")
    assert False


def test_an_instance(clarifai):
    model = clarifai.deploy("gpu", instance="t3a.medium")
    assert model.deployed.nodepool_id == "deploy-np-t3a-medium"
    with pytest.raises(ValueError, match="leave nodepool= and cluster= out"):
        clarifai.deploy("gpu", instance="t3a.medium", nodepool="other")


def test_undeploy(clarifai):
    first, second = clarifai.deploy("small"), clarifai.deploy("small", deployment="second")
    second.undeploy()
    assert [each["deployment_id"] for each in clarifai.status()["deployments"]] == ["deploy-small"]
    clarifai.undeploy(first)
    assert clarifai.status()["deployments"] == []
    with pytest.raises(Exception, match="has no deployment of model 'small'"):
        clarifai.undeploy("small")


def test_without_its_gpu(clarifai):
    clarifai.deploy("gpu")


def test_wait_seconds(clarifai):
    clarifai.nodepool("tiny", instance_type="t3a.medium")
    clarifai.deploy("small", nodepool="tiny")
    with pytest.raises(Exception, match="was ready within 0.2 s.*1 of deployment 'deploy-small'"):
        clarifai.deploy("small", nodepool="tiny", deployment="second", wait=0.2)
"""
FILES = {
    "test_sizes.py": TESTS,
    **directory("large", 'inference_compute_info: {cpu_limit: "1000"}'),
    **directory("small", 'inference_compute_info: {cpu_limit: "1"}'),
    **directory("gpu", "compute: {instance: g5.xlarge, num_gpus: 1}"),
}


@pytest.fixture(scope="module")
def run(nested: Any) -> Run:
    return nested(FILES, "--clarifai-gpus", "0", *SCOPES["shared"])


@pytest.mark.parametrize("name", ["test_a_large_one", "test_an_instance", "test_undeploy", "test_wait_seconds"])
def test_models_of_any_size_are_deployed_moved_and_undeployed(run: Run, name: str) -> None:
    assert run.outcome(name) == "PASSED", run.text


def test_what_the_machine_lacks_is_told_once_and_with_each_failure(run: Run) -> None:
    said = "large asks for 1000 CPUs, and this machine has "
    assert f"deployment.overcommitted deploy-large: {said}" in run.failure("test_that_fails")
    assert run.text.count(f"clarifai: {said}") == 1


def test_a_gpu_is_refused_with_what_helps_in_tests(run: Run) -> None:
    said = run.failure("test_without_its_gpu")
    assert 'In tests: `--clarifai-gpus 1`, or clarifai.deploy("DIR", instance="t3a.xlarge").' in said


def test_strict_capacity_is_for_those_who_test_placement(nested: Any) -> None:
    run = nested(FILES, "-k", "large", ini="clarifai_strict_capacity = true")
    assert run.outcome("test_a_large_one") == "FAILED"
    assert "local needs 1000 CPUs" in run.text
