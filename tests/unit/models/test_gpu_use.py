"""A model that names an instance type with a GPU may use none; in doubt it is taken to use one."""

from __future__ import annotations

from pathlib import Path

import pytest

from clarifai_emulator.models.directory import read_model_directory

PLAIN = "class M:\n    def predict(self): ...\n"
NAMES_A_GPU = "compute: {instance: g5.xlarge}"


def only_names(
    folder: Path,
    config: str = NAMES_A_GPU,
    *,
    requires: str = "clarifai\nopenai\n",
    code: str = PLAIN,
    docker: str = "",
) -> bool:
    (folder / "1").mkdir()
    (folder / "1" / "model.py").write_text(code)
    (folder / "config.yaml").write_text(f"model: {{id: m, app_id: main}}\n{config}\n")
    (folder / "requirements.txt").write_text(requires)
    if docker:
        (folder / "Dockerfile").write_text(docker)
    return read_model_directory(folder).only_names_a_gpu


def test_an_instance_type_alone_is_no_use_of_its_gpu(tmp_path: Path) -> None:
    official = "FROM python-base\nENV TORCHINDUCTOR_CACHE_DIR=/tmp\n"
    assert only_names(tmp_path, docker=official)


@pytest.mark.parametrize(
    "config",
    [
        "compute: {instance: t3a.xlarge}",
        "compute: {gpu: A10G}",
        "compute: {instance: g5.xlarge, num_gpus: 1}",
        'inference_compute_info: {num_accelerators: 1, accelerator_type: ["NVIDIA-*"]}',
        f"{NAMES_A_GPU}\ncheckpoints: {{type: huggingface, repo_id: a/b}}",
        f"{NAMES_A_GPU}\nbuild_info: {{image: nvidia/cuda}}",
    ],
)
def test_a_config_that_asks_for_more_than_the_instance_type_or_for_no_gpu(tmp_path: Path, config: str) -> None:
    assert not only_names(tmp_path, config)


@pytest.mark.parametrize("package", ["torch==2.9.1", "Flash_Attn", "nvidia-cudnn-cu12", "tensorflow-gpu"])
def test_a_requirement_that_computes_on_one(tmp_path: Path, package: str) -> None:
    assert not only_names(tmp_path, requires=f"clarifai\n{package}\n")


@pytest.mark.parametrize(
    "code", ["import torch\n", "DEVICE = 'cuda:0'\n", "run('nvidia-smi')\n", "run(f'{p} -m vLLM')\n"]
)
def test_code_that_speaks_of_one(tmp_path: Path, code: str) -> None:
    assert not only_names(tmp_path, code=code + PLAIN)


def test_a_dockerfile_that_brings_one(tmp_path: Path) -> None:
    assert not only_names(tmp_path, docker="FROM nvidia/cuda:13\n")
