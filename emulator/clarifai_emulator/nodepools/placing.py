"""Finds a place for a new replica: room in one of its nodepools, on a machine of its backend, with accelerators.

nodepools, in their order ─► the backend's machines, in theirs ─► room (capacity.py) ─► accelerators (Pools)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from clarifai_grpc.grpc.api.resources_pb2 import ComputeInfo, Nodepool

from clarifai_emulator.backends.backend import Backend
from clarifai_emulator.catalogue import LOCAL_INSTANCE, local_instance_type
from clarifai_emulator.errors import NoRoom
from clarifai_emulator.machine.accelerators import AcceleratorPool
from clarifai_emulator.machine.machine import THIS_MACHINE, Machine
from clarifai_emulator.machine.pools import Pools
from clarifai_emulator.messages.address import NodepoolKey
from clarifai_emulator.nodepools.backend_choice import backend_of
from clarifai_emulator.nodepools.capacity import Capacity, Placement, shares_accelerators
from clarifai_emulator.nodepools.fleet import Fleet, ReplicaRecord
from clarifai_emulator.nodepools.overcommit import overcommitment
from clarifai_emulator.nodepools.supervisor_reports import Reporter


class Places:
    """Hand out places to replicas. ``on_no_devices`` is called when a replica finds no accelerator free."""

    def __init__(
        self,
        *,
        capacity: Capacity,
        pools: Pools,
        backends: Mapping[str, Backend],
        default_backend: str,
        reporter: Reporter,
        on_no_devices: Callable[[], object],
    ) -> None:
        self._capacity = capacity
        self._pools = pools
        self._backends = backends
        self._default_backend = default_backend
        self._report = reporter
        self._on_no_devices = on_no_devices

    def backend_of(self, nodepool: Nodepool) -> Backend:
        """Return the backend that runs the replicas of a nodepool. Raises ``NoRoom`` where there is none such."""
        return self._backends[backend_of(nodepool, self._default_backend)]

    def take(self, fleet: Fleet, *, instead_of: Sequence[ReplicaRecord] = ()) -> tuple[Placement, tuple[str, ...]]:
        """Take room in the first nodepool that has it, and devices. What replicas hold in whose place the new one
        is to come counts as free, but for accelerators that are real. Raises the most hopeful ``NoRoom``."""
        urgent = fleet.unserved_nodepools()
        refusals: list[NoRoom] = []
        for key, nodepool in fleet.target.nodepools:
            if urgent and key not in urgent:
                continue
            for machine in self._machines(nodepool, refusals):
                try:
                    return self._take_on(machine, fleet, key, nodepool, instead_of)
                except NoRoom as no_room:
                    refusals.append(no_room)
        if not refusals:
            raise NoRoom("none of its nodepools exists any more", for_good=True)
        raise next((refusal for refusal in refusals if not refusal.for_good), refusals[0])

    def take_room(
        self,
        fleet: Fleet,
        key: NodepoolKey,
        nodepool: Nodepool,
        *,
        machine: str,
        packed: bool = False,
    ) -> Placement:
        """Take room in this nodepool on this machine, for a replica that has its devices. ``packed``: beside
        others, also where the deployment wants an instance for each. Raises ``NoRoom``."""
        required = fleet.target.version.inference_compute_info
        spread = fleet.target.autoscale.disable_packing and not packed
        placement = self._capacity.place(
            key, nodepool, required, spread=spread, holder=fleet.target.name, machine=machine
        )
        self.tell_overcommitment(fleet, key)
        return placement

    def tell_overcommitment(self, fleet: Fleet, key: NodepoolKey) -> None:
        """Say once by how much replicas of a fleet ask for more than this machine has."""
        nodepool = dict(fleet.target.nodepools).get(key)
        if not self._capacity.overcommits or fleet.told_overcommitment or nodepool is None:
            return
        fleet.told_overcommitment = True
        text = overcommitment(fleet.target.model.id, fleet.target.version.inference_compute_info, nodepool)
        if text:
            self._report.fleet(fleet, "deployment.overcommitted", text)

    def why_never(self, nodepool: Nodepool, required: ComputeInfo) -> str:
        """Say why a replica that needs ``required`` gets no room in this nodepool however long it waits; empty
        when it may get some."""
        try:
            machines = self.backend_of(nodepool).machines
            reasons = [self._pools.of(each).why_never(required) for each in machines]
            if reasons and all(reasons):
                return reasons[0]
            self._capacity.fitting_types(played_by(machines[0], nodepool) if machines else nodepool, required)
        except NoRoom as no_room:
            return str(no_room) if no_room.for_good else ""
        except ValueError as error:
            return str(error)
        return ""

    def as_played(self, nodepool: Nodepool) -> Nodepool:
        """Return a nodepool with the instance types that its machine plays, as far as that is known."""
        try:
            machines = self.backend_of(nodepool).machines
        except NoRoom:
            return nodepool
        return played_by(machines[0], nodepool) if machines else nodepool

    def machine_ids(self, nodepool: Nodepool) -> Sequence[str]:
        """Return the ids of the machines that replicas of a nodepool are placed on."""
        try:
            return [each.id for each in self.backend_of(nodepool).machines]
        except NoRoom:
            return (THIS_MACHINE,)

    def give_back(self, record: ReplicaRecord) -> None:
        """Free what a replica that has ended took, or leave it to the one that replaces it."""
        if record.replaced_by is not None and not record.replaced_by.has_ended:
            record.replaced_by.holds_place = record.holds_place
        elif record.holds_place:
            self._capacity.release(record.placement)
            self._pools[record.placement.machine].release(record.devices)

    def _machines(self, nodepool: Nodepool, refusals: list[NoRoom]) -> Sequence[Machine]:
        try:
            return self.backend_of(nodepool).machines
        except NoRoom as no_room:
            refusals.append(no_room)
            return ()

    def _take_on(
        self,
        machine: Machine,
        fleet: Fleet,
        key: NodepoolKey,
        nodepool: Nodepool,
        instead_of: Sequence[ReplicaRecord],
    ) -> tuple[Placement, tuple[str, ...]]:
        """Take room in a nodepool, and devices, on one machine. Raises ``NoRoom`` and takes none."""
        pool = self._pools.of(machine)
        nodepool = played_by(machine, nodepool)
        old = [each for each in instead_of if each.placement.machine == machine.id]
        placement = self._room(machine, fleet, key, nodepool, old)
        try:
            return placement, self._own_devices(pool, fleet, old, shared=shares_accelerators(nodepool))
        except NoRoom:
            self._capacity.release(placement)
            self._on_no_devices()
            raise

    def _room(
        self,
        machine: Machine,
        fleet: Fleet,
        key: NodepoolKey,
        nodepool: Nodepool,
        instead_of: Sequence[ReplicaRecord],
    ) -> Placement:
        """Take room on a machine, in the end with what those that are to be replaced hold there."""
        held = [each.placement for each in instead_of if each.holds_place and each.nodepool == key]
        try:
            return self.take_room(fleet, key, nodepool, machine=machine.id)
        except NoRoom as no_room:
            if no_room.for_good or not held:
                raise
        with self._capacity.without(held):
            return self.take_room(fleet, key, nodepool, machine=machine.id, packed=True)

    def _own_devices(
        self, pool: AcceleratorPool, fleet: Fleet, instead_of: Sequence[ReplicaRecord], *, shared: bool
    ) -> tuple[str, ...]:
        """Take devices for a replica; simulated ones that those to be replaced have, beside them."""
        required = fleet.target.version.inference_compute_info
        try:
            return self._devices(pool, fleet, required, shared=shared)
        except NoRoom as no_room:
            if no_room.for_good:
                raise
            for old in instead_of:
                is_enough = len(old.devices) == required.num_accelerators
                if is_enough and pool.devices(old.devices).simulated:
                    return pool.join(old.devices, holder=fleet.target.name)
            raise

    def _devices(
        self, pool: AcceleratorPool, fleet: Fleet, required: ComputeInfo, *, shared: bool
    ) -> tuple[str, ...]:
        """Take accelerators for one replica: of the type asked for, else any with the memory.

        A nodepool may emulate an instance type whose accelerators the machine does not have; then the model
        runs on what is there, and it is said. Raises ``NoRoom``: never on none.
        """
        if not required.num_accelerators:
            return ()
        try:
            return pool.allocate_for(required, holder=fleet.target.name, shared=shared)
        except NoRoom as no_room:
            if not no_room.for_good:
                raise
        untyped = ComputeInfo()
        untyped.CopyFrom(required)
        untyped.ClearField("accelerator_type")
        devices = pool.allocate_for(untyped, holder=fleet.target.name, shared=shared)
        asked = " or ".join(required.accelerator_type)
        self._report.fleet(fleet, "replica.substituted", f"runs on {', '.join(devices)}, not on {asked}")
        return devices


def played_by(machine: Machine, nodepool: Nodepool) -> Nodepool:
    """Return a nodepool as a machine plays it: of the instance type ``local``, a machine elsewhere has what it has
    itself."""
    if machine.id == THIS_MACHINE or all(kind.id != LOCAL_INSTANCE for kind in nodepool.instance_types):
        return nodepool
    devices = [(each.name, each.memory) for each in machine.accelerators]
    local = local_instance_type(machine.cpus, machine.memory, devices)
    played = Nodepool()
    played.CopyFrom(nodepool)
    for kind in played.instance_types:
        if kind.id == LOCAL_INSTANCE:
            kind.CopyFrom(local)
    return played
