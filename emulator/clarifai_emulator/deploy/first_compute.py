"""Creates the compute that there is at the start: Clarifai's shared nodepools, and this machine as a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import (
    CloudProvider,
    ComputeCluster,
    InstanceType,
    NodeCapacityType,
    Nodepool,
    Visibility,
)

from clarifai_emulator.catalogue import (
    CLARIFAI_USER,
    LOCAL_INSTANCE,
    LOCAL_PROVIDER,
    Catalogue,
    shared_cluster,
    shared_nodepools,
)
from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.store import Key, Kind

LOCAL_CLUSTER = "local"
CPU_NODEPOOL = "cpu"
GPU_NODEPOOL = "gpu"

_PRIVATE = Visibility(gettable=Visibility.PRIVATE)


class FirstCompute:
    """Creates the compute that an emulator, and each account on it, begins with."""

    def __init__(self, resources: Resources, catalogue: Catalogue) -> None:
        self._resources = resources
        self._store = resources.store
        self._catalogue = catalogue
        # By user, what was made of this machine.
        self._made: dict[str, list[tuple[Kind, Key, Any]]] = {}

    def provide_shared(self) -> None:
        """Put Clarifai's shared compute there."""
        shared = self._shared_cluster
        self._resources.ensure_user(CLARIFAI_USER)
        self._store.put(Kind.COMPUTE_CLUSTER, (CLARIFAI_USER, shared.id), shared)
        for nodepool in self._shared_nodepools:
            self._store.put(Kind.NODEPOOL, (CLARIFAI_USER, shared.id, nodepool.id), nodepool)

    # All of it is made once: what is in the store is never changed in place, so a reset can put the same again.

    @cached_property
    def _shared_cluster(self) -> ComputeCluster:
        return shared_cluster()

    @cached_property
    def _shared_nodepools(self) -> Sequence[Nodepool]:
        return shared_nodepools(self._catalogue)

    def provide_machine(self, user_id: str) -> None:
        """Create the user's cluster ``local`` with this machine's nodepools. What was restored stays as it is, but
        is of this machine as it is now."""
        cluster = (user_id, LOCAL_CLUSTER)
        if self._store.get(Kind.COMPUTE_CLUSTER, cluster) is not None:
            for key in list(self._store.keys(Kind.NODEPOOL, cluster)):
                self._remeasure(key)
            self._add_nodepools(user_id)
            return
        made = self._made.get(user_id)
        if made is None:
            keys = self._resources.post(Kind.COMPUTE_CLUSTER, user_id, (), [_local_cluster()])
            new = [(Kind.COMPUTE_CLUSTER, key) for key in keys]
            new += [(Kind.NODEPOOL, key) for key in self._add_nodepools(user_id)]
            self._made[user_id] = [(kind, key, self._store.get(kind, key)) for kind, key in new]
            return
        self._resources.ensure_user(user_id)
        for kind, key, message in made:
            self._store.put(kind, key, message)

    def _add_nodepools(self, user_id: str) -> Sequence[Key]:
        """Create the nodepools of this machine that the user's cluster ``local`` lacks; return their keys."""
        machine = self._machine
        names = [CPU_NODEPOOL, GPU_NODEPOOL] if machine.compute_info.num_accelerators else [CPU_NODEPOOL]
        known = {key[2] for key in self._store.keys(Kind.NODEPOOL, (user_id, LOCAL_CLUSTER))}
        nodepools = [_local_nodepool(name, machine) for name in names if name not in known]
        return self._resources.post(Kind.NODEPOOL, user_id, (LOCAL_CLUSTER,), nodepools) if nodepools else []

    @property
    def _machine(self) -> InstanceType:
        machine = self._catalogue.find(LOCAL_INSTANCE)
        assert machine is not None, "the emulator's catalogue has this machine"
        return machine

    def _remeasure(self, key: Key) -> None:
        """Let a nodepool of this machine have what the machine has now: it was restored, maybe of another one."""
        machine = self._machine
        stored: Any = self._store.get(Kind.NODEPOOL, key)
        if stored is None or [each.id for each in stored.instance_types] != [machine.id]:
            return
        if stored.instance_types[0] != machine:
            changed = Nodepool()
            changed.CopyFrom(stored)
            changed.instance_types[0].CopyFrom(machine)
            self._store.put(Kind.NODEPOOL, key, changed)


def private_cluster(
    cluster_id: str, description: str, *, provider: str, region: str, managed_by: str
) -> ComputeCluster:
    """Return a dedicated cluster that its user alone sees."""
    return ComputeCluster(
        id=cluster_id,
        description=description,
        cloud_provider=CloudProvider(id=provider),
        region=region,
        cluster_type="dedicated",
        managed_by=managed_by,
        visibility=_PRIVATE,
    )


def private_nodepool(nodepool_id: str, description: str, kind: InstanceType, *, most: int) -> Nodepool:
    """Return a nodepool of at most ``most`` instances of this type that its user alone sees."""
    return Nodepool(
        id=nodepool_id,
        description=description,
        instance_types=[kind],
        node_capacity_type=NodeCapacityType(capacity_types=[NodeCapacityType.ON_DEMAND_TYPE]),
        max_instances=most,
        visibility=_PRIVATE,
    )


def _local_cluster() -> ComputeCluster:
    return private_cluster(
        LOCAL_CLUSTER, "This machine", provider=LOCAL_PROVIDER, region=LOCAL_PROVIDER, managed_by="user"
    )


def _local_nodepool(name: str, machine: InstanceType) -> Nodepool:
    return private_nodepool(name, f"This machine's {name.upper()}s", machine, most=1)
