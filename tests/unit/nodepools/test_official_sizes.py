"""The sizes that Clarifai's own examples and templates ask for: none is too large for a small machine.

Facts of the official examples (28 directories) and of `clarifai model init` (SDK 12.5): what each says of compute.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import ComputeInfo, InstanceType, Nodepool

from clarifai_emulator.catalogue import local_instance_type
from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.errors import NoRoom
from clarifai_emulator.machine.accelerators import AcceleratorPool
from clarifai_emulator.machine.inventory import simulated
from clarifai_emulator.models.config_file import read_config_file
from clarifai_emulator.nodepools.capacity import Capacity
from clarifai_emulator.nodepools.overcommit import overcommitment
from clarifai_emulator.nodepools.ways_out import instance_without_accelerators, simulated_accelerators, ways_out

KEY = ("me", "local", "cpu")
_VERBOSE = """
inference_compute_info:
  cpu_limit: "1"
  cpu_memory: "1Gi"
  cpu_requests: "0.5"
  cpu_memory_requests: "512Mi"
  num_accelerators: 1
  accelerator_type: ["NVIDIA-*"]
  accelerator_memory: "1Gi"
"""


def _instance(name: str) -> str:
    return f"compute: {{instance: {name}, cloud: aws}}"


ON_CPUS = {
    "hello-world": _instance("cpu"),
    "llm/agentic-gpt-5_1": _instance("cpu"),
    "mcp/browser-mcp-server": _instance("cpu"),
    "local-runners/ollama-model-upload": _instance("t3a.2xlarge"),
    "mcp/browser-tools": _instance("t3a.2xlarge"),
    "mcp/code-execution-docker-version": _instance("t3a.2xlarge"),
    "mcp/code-execution-without-docker-version": _instance("t3a.2xlarge"),
    "mcp/firecrawl-browser-tools": _instance("t3a.2xlarge"),
    "mcp/github-mcp-server": _instance("t3a.2xlarge"),
    "mcp/google-drive": _instance("t3a.2xlarge"),
    "mcp/math": _instance("t3a.2xlarge"),
    "mcp/postgres": _instance("t3a.2xlarge"),
    "mcp/slack-tools-server": _instance("t3a.2xlarge"),
    "mcp/web-search": _instance("t3a.2xlarge"),
    "init --toolkit ollama": "",
    "init --toolkit lmstudio": "",
}
ON_GPUS = {
    "image-classifier/nsfw-image-classifier": _instance("t4"),
    "image-detector/detr-resnet-image-detection": _instance("t4"),
    "image-detector/dfine": _instance("t4"),
    "image-segmenter/mask2former-ade": _instance("A10G"),
    "image-text-to-image/stable-diffusion-2-depth": _instance("t4"),
    "llm/agentic-gpt-oss-20b": _instance("g6e.2xlarge"),
    "llm/hf-llama-3_2-1b-instruct": _instance("t4"),
    "llm/sglang-qwen3.5-4b": _instance("A10G"),
    "llm/vllm-qwen3-0.6B": _instance("a10g"),
    "multimodal-models/qwen2_5-VL-3B-Instruct-vllm": _instance("a10g"),
    "multimodal-models/sglang-deepseek-ocr": "compute: {instance: l40s, cloud: aws, num_gpus: 1}",
    "ocr/nanonets-ocr-s": _instance("a10g"),
    "text-embedder/jina-embeddings-v3": _instance("t4"),
    "text-to-image/flux-schnell": _instance("g6e.2xlarge"),
    "init": _instance("g5.xlarge"),
    "init, verbose": _VERBOSE,
    "init --toolkit mcp": _instance("g5.xlarge"),
    "init --toolkit openai": _instance("g5.xlarge"),
    "init --toolkit huggingface": _instance("g5.xlarge"),
    "init --toolkit vllm": _instance("g5.xlarge"),
    "init --toolkit sglang": _instance("g5.xlarge"),
}


def needs(compute: str, folder: Path) -> ComputeInfo:
    file = folder / "config.yaml"
    file.write_text(f"model: {{id: m}}\n{compute}\n")
    read = read_config_file(file)
    assert (read.problems, read.warnings) == ([], [])
    return read.compute_info


def small_machine(accelerators: str = "") -> Nodepool:
    """Return the default nodepool of a machine with one CPU and a gibibyte of memory."""
    devices = [(each.name, each.memory) for each in simulated(accelerators).accelerators] if accelerators else []
    return Nodepool(id="cpu", instance_types=[local_instance_type(1, 1 << 30, devices)], max_instances=1)


def place(required: ComputeInfo, nodepool: Nodepool, *, times: int = 1) -> None:
    capacity = Capacity(overcommits=not EmulatorConfig().strict_capacity)
    for _ in range(times):
        capacity.place(KEY, nodepool, required)


@pytest.mark.parametrize("compute", ON_CPUS.values(), ids=list(ON_CPUS))
def test_what_asks_for_no_gpu_runs_on_a_small_machine_and_beside_others(compute: str, tmp_path: Path) -> None:
    required = needs(compute, tmp_path)
    place(required, small_machine(), times=5)
    assert bool(overcommitment("m", required, small_machine())) == bool(compute)


@pytest.mark.parametrize("compute", ON_GPUS.values(), ids=list(ON_GPUS))
def test_what_asks_for_a_gpu_is_refused_for_that_alone_and_runs_with_what_the_refusal_names(
    compute: str, tmp_path: Path
) -> None:
    required = needs(compute, tmp_path)
    with pytest.raises(NoRoom) as raised:
        place(required, small_machine())
    assert raised.value.for_good
    assert str(raised.value).endswith("local needs 1 accelerator, it has none")

    spec = simulated_accelerators(required)
    place(required, small_machine(spec))
    pool = AcceleratorPool(simulated(spec).accelerators)
    assert pool.allocate_for(required, holder="m") == ("GPU-simulated-0",)

    instance = instance_without_accelerators(required)
    assert not instance.compute_info.num_accelerators
    hint = ways_out(required)
    for command in (f"up --accelerators {spec}", f"deploy DIR --instance {instance.id}", "up --topology FILE"):
        assert f"  clarifai-emulator {command}\n" in hint


def test_accelerators_of_no_known_name_are_simulated_under_the_one_that_is_asked_for() -> None:
    asked = {
        "simulated:2xMY-CARD:48Gi": ComputeInfo(
            num_accelerators=2, accelerator_type=["MY-CARD"], accelerator_memory="48Gi"
        ),
        "simulated:1xNVIDIA:900Gi": ComputeInfo(
            num_accelerators=1, accelerator_type=["NVIDIA-*"], accelerator_memory="900Gi"
        ),
        "simulated:1xGOOGLE-TPU-v5e:16Gi": ComputeInfo(num_accelerators=1, accelerator_type=["GOOGLE-TPU-v5e"]),
        "simulated:3xNVIDIA-T4": ComputeInfo(num_accelerators=3),
        "simulated:1xAMD-MI300X": ComputeInfo(num_accelerators=1, accelerator_type=["AMD-*"]),
    }
    for spec, required in asked.items():
        assert simulated_accelerators(required) == spec
        found = simulated(spec).accelerators
        assert AcceleratorPool(found).why_never(required) == ""


def test_the_largest_instance_is_named_where_none_has_what_a_model_asks_for() -> None:
    huge = ComputeInfo(cpu_limit="500", num_accelerators=8)
    assert instance_without_accelerators(huge).id == "t3a.2xlarge"


def test_the_warning_names_only_what_the_machine_has_less_of() -> None:
    nodepool = small_machine()
    said = {
        overcommitment("m", ComputeInfo(cpu_limit="2"), nodepool): (
            "m asks for 2 CPUs, and this machine has 1 CPU. It runs all the same, perhaps slower; with "
            "--strict-capacity it is refused."
        ),
        overcommitment("m", ComputeInfo(cpu_limit="500m", cpu_memory="2Gi"), nodepool): (
            "m asks for 2Gi of memory, and this machine has 1Gi. It runs all the same, perhaps out of memory; with "
            "--strict-capacity it is refused."
        ),
        overcommitment("m", ComputeInfo(cpu_limit="1", cpu_memory="1Gi"), nodepool): "",
        overcommitment("m", ComputeInfo(cpu_limit="what"), nodepool): "",
    }
    assert list(said) == list(said.values())


def test_an_emulated_instance_is_of_its_own_size_whatever_the_machine_has() -> None:
    emulated = Nodepool(instance_types=[InstanceType(id="t3a.medium", compute_info=ComputeInfo(cpu_limit="1"))])
    assert overcommitment("m", ComputeInfo(cpu_limit="2"), emulated) == ""
