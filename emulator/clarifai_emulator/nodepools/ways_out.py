"""Says what to do about a model that cannot run where it was deployed: the commands that help, ready to paste."""

from __future__ import annotations

from clarifai_grpc.grpc.api.resources_pb2 import ComputeInfo, InstanceType

from clarifai_emulator.catalogue import (
    Catalogue,
    accelerator_memory,
    accelerator_names,
    fits,
    names_accelerator,
    price_of,
    without_accelerators,
)
from clarifai_emulator.messages.quantities import parse_memory

# Stands for the model directory; the command line says the one that it was given.
DIRECTORY = "DIR"
_PROVIDER, _REGION = "aws", "us-east-1"
_ANY_MEMORY = "16Gi"


def ways_out(required: ComputeInfo, *, is_strict: bool = False, config_key: str = "") -> str:
    """Say what to do. ``is_strict``: only --strict-capacity is in the way of its CPUs and memory. ``config_key``:
    the section of config.yaml that says what the model needs."""
    if not required.num_accelerators:
        return _of_sizes(config_key, is_strict=is_strict)
    count, instance = required.num_accelerators, instance_without_accelerators(required).id
    return (
        "A model that asks for a GPU runs without one only where you say so. Ways out:\n"
        f"  clarifai-emulator up --accelerators {simulated_accelerators(required)}\n"
        "      start it anew with a GPU in name only: all but CUDA works (`dev` has the option too)\n"
        f"  clarifai-emulator deploy {DIRECTORY} --instance {instance}\n"
        "      let the model ask for this instance type instead, which has no GPU\n"
        "  clarifai-emulator up --topology FILE\n"
        f"      say the same in a file: models: [{{path: {DIRECTORY}, deploy: {{instance: {instance}}}}}]\n"
        f'In tests: `--clarifai-gpus {count}`, or clarifai.deploy("{DIRECTORY}", instance="{instance}").'
    )


def simulated_accelerators(required: ComputeInfo) -> str:
    """Return the value of ``--accelerators`` that gives what a model asks for: ``simulated:1xNVIDIA-A10G``."""
    count, size = required.num_accelerators, required.accelerator_memory
    needed = parse_memory(size) if size else 0
    memories = {name: accelerator_memory(name) for name in accelerator_names()}
    large = [name for name, memory in memories.items() if memory and parse_memory(memory) >= needed]
    wanted = list(required.accelerator_type) or ["NVIDIA-*"]
    fitting = [name for name in large if any(names_accelerator(pattern, name) for pattern in wanted)]
    if fitting:
        return f"simulated:{count}x{min(fitting, key=lambda name: parse_memory(memories[name]))}"
    name = wanted[0].strip("[] ").rstrip("*-") or "NVIDIA"
    return f"simulated:{count}x{name}:{size or _ANY_MEMORY}"


def instance_without_accelerators(required: ComputeInfo) -> InstanceType:
    """The cheapest instance type without accelerators that has a model's CPUs and memory, else the largest."""
    sizes = without_accelerators(required)
    types = Catalogue().instance_types(_PROVIDER, _REGION)
    plain = [each for each in types if not each.compute_info.num_accelerators and not each.architecture]
    plain.sort(key=price_of)
    return next((each for each in plain if not fits(sizes, each)), plain[-1])


def _of_sizes(config_key: str, *, is_strict: bool) -> str:
    where = config_key or "compute, or inference_compute_info"
    strict = "Start the emulator without --strict-capacity, and it runs all the same. Or " if is_strict else ""
    text = (
        f"{strict}deploy it to a nodepool of a larger instance type (`clarifai-emulator deploy {DIRECTORY} "
        f"--instance TYPE` makes one, emulated by its size), or change what config.yaml asks for ({where})."
    )
    return text[0].upper() + text[1:]
