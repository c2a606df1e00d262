"""Says by how much a model asks for more than this machine has: no reason not to run it, but one to know of."""

from __future__ import annotations

from clarifai_grpc.grpc.api.resources_pb2 import ComputeInfo, Nodepool

from clarifai_emulator.catalogue import LOCAL_INSTANCE
from clarifai_emulator.nodepools.capacity import amount_of
from clarifai_emulator.quantities import format_cpu, format_memory


def overcommitment(model_id: str, required: ComputeInfo, nodepool: Nodepool) -> str:
    """One sentence that names what a replica asks for and this machine has, where that is less; else empty."""
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
