"""Replicas are placed on the machines of their backend: on the first that has room and accelerators."""

from __future__ import annotations

from collections import Counter

from clarifai_grpc.grpc.api.resources_pb2 import Nodepool

from clarifai_emulator.catalogue import local_instance_type
from clarifai_emulator.machine.accelerators import Accelerator
from clarifai_emulator.machine.machine import THIS_MACHINE, Machine
from clarifai_emulator.nodepools.placing import played_by
from scripted_replicas import Stage

ONE_GPU = {"num_accelerators": 1, "accelerator_type": ["NVIDIA-A10G"], "accelerator_memory": "20Gi"}
GPU_POOL = {"instance_types": [{"id": "g5.xlarge"}], "max_instances": 5}
REMOTE = Machine(
    8, 64 << 30, tuple(Accelerator(number, f"FAR-{number}", "NVIDIA-A10G", 24 << 30) for number in (0, 1)), id="far"
)


def placed(stage: Stage) -> Counter[tuple[str, str]]:
    """Count replicas by their machine and the devices that they see."""
    specs = [process.spec for process in stage.backend.running]
    return Counter((spec.machine, ",".join(spec.devices.ids)) for spec in specs)


async def test_the_first_machine_is_filled_before_the_next() -> None:
    stage = Stage(gpus=["NVIDIA-A10G"], further=[REMOTE])
    stage.prepare(needs=ONE_GPU, **GPU_POOL)
    await stage.deploy(3)
    assert placed(stage) == {(THIS_MACHINE, "GPU-0"): 1, ("far", "FAR-0"): 1, ("far", "FAR-1"): 1}
    await stage.close()


async def test_a_replica_that_no_machine_has_devices_for_waits_until_one_is_given_back() -> None:
    stage = Stage(gpus=["NVIDIA-A10G"], further=[REMOTE])
    stage.prepare(needs=ONE_GPU, **GPU_POOL)
    await stage.deploy(4)
    assert len(stage.backend.running) == 3
    assert "used by deployment 'deployment'" in stage.said("deployment.pending")[-1]
    await stage.delete()
    assert (stage.accelerators.holders, stage.nodepools.pools["far"].holders) == ({}, {})
    await stage.close()


async def test_a_machine_without_accelerators_is_passed_over_for_one_that_has_them() -> None:
    stage = Stage(further=[REMOTE])
    stage.prepare(needs=ONE_GPU, **GPU_POOL)
    await stage.deploy()
    assert placed(stage) == {("far", "FAR-0"): 1}
    await stage.close()


async def test_what_needs_no_accelerator_stays_on_the_first_machine() -> None:
    stage = Stage(further=[REMOTE])
    stage.prepare(needs={"cpu_limit": "1"})
    await stage.deploy()
    assert placed(stage) == {(THIS_MACHINE, ""): 1}
    await stage.close()


def test_a_machine_elsewhere_plays_the_instance_type_local_as_what_it_is() -> None:
    nodepool = Nodepool(id="pool", instance_types=[local_instance_type(2, 4 << 30)])
    assert played_by(Machine(2, 4 << 30), nodepool) is nodepool
    (kind,) = played_by(REMOTE, nodepool).instance_types
    assert (kind.compute_info.cpu_limit, kind.compute_info.num_accelerators) == ("8000m", 2)
    assert nodepool.instance_types[0].compute_info.num_accelerators == 0
