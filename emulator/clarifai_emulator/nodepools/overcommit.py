"""Says by how much a model asks for more than this machine has: no reason not to run it, but one to know of."""

from __future__ import annotations

from clarifai_grpc.grpc.api.resources_pb2 import ComputeInfo, Nodepool

from clarifai_emulator.catalogue import LOCAL_INSTANCE
from clarifai_emulator.messages.quantities import format_cpu, format_memory
from clarifai_emulator.nodepools.capacity import amount_of
from clarifai_emulator.nodepools.ways_out import simulated_accelerators


def overcommitment(model_id: str, required: ComputeInfo, nodepool: Nodepool) -> str:
    """Say in one sentence what a replica asks for and this machine has, where that is less; else empty."""
    machine = next((each for each in nodepool.instance_types if each.id == LOCAL_INSTANCE), None)
    if machine is None:
        return ""
    try:
        asked, has = amount_of(required), amount_of(machine.compute_info)
    except ValueError:  # said where it is refused
        return ""
    wanted: list[str] = []
    there: list[str] = []
    effects: list[str] = []
    if asked.cpu > has.cpu:
        wanted.append(format_cpu(asked.cpu))
        there.append(format_cpu(has.cpu))
        effects.append("slower")
    if asked.memory > has.memory:
        wanted.append(f"{format_memory(asked.memory)} of memory")
        there.append(format_memory(has.memory))
        effects.append("out of memory")
    if not wanted:
        return ""
    return (
        f"{model_id} asks for {' and '.join(wanted)}, and this machine has {' and '.join(there)}. It runs all the "
        f"same, perhaps {' or '.join(effects)}; with --strict-capacity it is refused."
    )


def doing_without_gpu(model_id: str, instance: str, required: ComputeInfo) -> str:
    """Say that a model runs without the GPU of the instance type that its config.yaml names, and what to do."""
    count = required.num_accelerators
    gpus = "a GPU" if count == 1 else f"{count} GPUs"
    return (
        f"config.yaml of {model_id} names instance type {instance}, which has {gpus}; this machine has none. "
        "Nothing in its code or requirements.txt uses one, so it runs on the CPU. To have one in name: "
        f"`up --accelerators {simulated_accelerators(required)}`; to refuse it: `up --strict-capacity`."
    )
