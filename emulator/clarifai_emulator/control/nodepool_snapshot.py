"""Describes a nodepool for `status`: its instance types with their size and price, and what of it is taken."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import InstanceType

from clarifai_emulator.catalogue import price_of
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.machine.accelerators import Accelerator
from clarifai_emulator.messages.address import NodepoolKey
from clarifai_emulator.nodepools.capacity import Amount, amount_of
from clarifai_emulator.store import Kind

# The catalogue has thousandths of a US cent per second.
_DOLLARS_AN_HOUR = Decimal("0.036")


def describe_nodepool(emulator: Emulator, key: NodepoolKey) -> dict[str, Any]:
    """Return a nodepool as it is now."""
    nodepool: Any = emulator.store.get(Kind.NODEPOOL, key)
    over = emulator.capacity.overdrawn(key)
    taken, size = emulator.capacity.taken(key)
    return {
        "user_id": key[0],
        "compute_cluster_id": key[1],
        "nodepool_id": key[2],
        "instance_types": [kind.id for kind in nodepool.instance_types],
        "types": [_instance_type(kind) for kind in nodepool.instance_types],
        "max_instances": nodepool.max_instances,
        "instances_in_use": emulator.capacity.nodes_in_use(key),
        "taken": _amount(taken),
        "in_use": _amount(size),
        "overcommitted": {"cpus": over.cpu / 1000, "memory": over.memory},
    }


def describe_accelerator(accelerator: Accelerator) -> dict[str, Any]:
    """Return one of this machine's GPUs; ``id`` is what replicas have among their devices."""
    return {
        "id": accelerator.uuid,
        "index": accelerator.index,
        "name": accelerator.name,
        "memory": accelerator.memory,
        "simulated": accelerator.simulated,
    }


def _instance_type(kind: InstanceType) -> dict[str, Any]:
    """Return an instance type; size and price are None where they are not known."""
    price = price_of(kind)
    try:
        size = _amount(amount_of(kind.compute_info))
    except ValueError:
        size = None
    return {
        "id": kind.id,
        "size": size,
        "accelerators": list(kind.compute_info.accelerator_type),
        "dollars_an_hour": float(price * _DOLLARS_AN_HOUR) if price.is_finite() else None,
    }


def _amount(amount: Amount) -> dict[str, Any]:
    return {"cpus": amount.cpu / 1000, "memory": amount.memory, "accelerators": amount.accelerators}
