"""The state of a nodepool has sizes and prices of its instance types, and None for what is not known."""

from __future__ import annotations

from clarifai_grpc.grpc.api.resources_pb2 import ComputeInfo, InstanceType

from clarifai_emulator.catalogue import Catalogue
from clarifai_emulator.control.nodepool_snapshot import _instance_type, describe_accelerator
from clarifai_emulator.machine.accelerators import Accelerator


def test_a_price_is_dollars_of_an_hour() -> None:
    known = Catalogue().find("g5.xlarge")
    assert known is not None
    told = _instance_type(known)
    assert told["dollars_an_hour"] == float(known.price) * 0.036
    assert told["size"]["accelerators"] == 1


def test_what_is_not_known_is_said_not_zero() -> None:
    odd = InstanceType(id="odd", price="ask us", compute_info=ComputeInfo(cpu_limit="many"))
    assert _instance_type(odd) == {"id": "odd", "size": None, "accelerators": [], "dollars_an_hour": None}
    assert _instance_type(InstanceType(id="odd"))["dollars_an_hour"] is None


def test_a_gpu_in_name_only_is_marked() -> None:
    told = describe_accelerator(Accelerator(0, "GPU-simulated-0", "NVIDIA-L4", 24, simulated=True))
    assert (told["id"], told["simulated"]) == ("GPU-simulated-0", True)
