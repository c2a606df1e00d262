"""Where a new replica goes: room in one of its nodepools, and accelerators of this machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from clarifai_grpc.grpc.api.resources_pb2 import ComputeInfo, Nodepool

from clarifai_emulator.machine.accelerators import AcceleratorPool
from clarifai_emulator.messages.address import NodepoolKey
from clarifai_emulator.nodepools.backend_choice import backend_of
from clarifai_emulator.nodepools.capacity import Capacity, NoRoom, Placement, shares_accelerators
from clarifai_emulator.nodepools.fleet import Fleet, ReplicaRecord
from clarifai_emulator.nodepools.overcommit import overcommitment
from clarifai_emulator.nodepools.supervisor_reports import Reporter


class Places:
    """What replicas take up. ``on_no_devices`` is called when a replica finds no accelerator free."""

    def __init__(
        self,
        *,
        capacity: Capacity,
        accelerators: AcceleratorPool,
        backend: str,
        reporter: Reporter,
        on_no_devices: Callable[[], object],
    ) -> None:
        self._capacity = capacity
        self._accelerators = accelerators
        self._backend = backend
        self._report = reporter
        self._on_no_devices = on_no_devices

    def take(self, fleet: Fleet, *, instead_of: Sequence[ReplicaRecord] = ()) -> tuple[Placement, tuple[str, ...]]:
        """Room in the first nodepool that has it, and its devices. What replicas hold in whose place it is to come
        counts as free, but for accelerators that are real. Raises the most hopeful ``NoRoom``."""
        required = fleet.target.version.inference_compute_info
        urgent = fleet.unserved_nodepools()
        refusals: list[NoRoom] = []
        for key, nodepool in fleet.target.nodepools:
            if urgent and key not in urgent:
                continue
            try:
                backend_of(nodepool, self._backend)
                placement = self._room(fleet, key, nodepool, instead_of)
            except NoRoom as no_room:
                refusals.append(no_room)
                continue
            try:
                return placement, self._own_devices(
                    fleet, required, instead_of, shared=shares_accelerators(nodepool)
                )
            except NoRoom as no_room:
                self._capacity.release(placement)
                refusals.append(no_room)
                self._on_no_devices()
        if not refusals:
            raise NoRoom("none of its nodepools exists any more", for_good=True)
        raise next((refusal for refusal in refusals if not refusal.for_good), refusals[0])

    def take_room(self, fleet: Fleet, key: NodepoolKey, nodepool: Nodepool, *, packed: bool = False) -> Placement:
        """Room in this nodepool, for a replica that has its devices. ``packed``: beside others, also where the
        deployment wants an instance for each. Raises ``NoRoom``."""
        required = fleet.target.version.inference_compute_info
        spread = fleet.target.autoscale.disable_packing and not packed
        placement = self._capacity.place(key, nodepool, required, spread=spread, holder=fleet.target.name)
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
        """Why a replica that needs ``required`` gets no room in this nodepool however long it waits; empty when it
        may get some."""
        try:
            if reason := self._accelerators.why_never(required):
                return reason
            self._capacity.fitting_types(nodepool, required)
        except (NoRoom, ValueError) as error:
            return str(error)
        return ""

    def _room(
        self, fleet: Fleet, key: NodepoolKey, nodepool: Nodepool, instead_of: Sequence[ReplicaRecord]
    ) -> Placement:
        """The same, in the end with what those that are to be replaced hold there."""
        held = [each.placement for each in instead_of if each.holds_place and each.nodepool == key]
        try:
            return self.take_room(fleet, key, nodepool)
        except NoRoom as no_room:
            if no_room.for_good or not held:
                raise
        with self._capacity.without(held):
            return self.take_room(fleet, key, nodepool, packed=True)

    def _own_devices(
        self, fleet: Fleet, required: ComputeInfo, instead_of: Sequence[ReplicaRecord], *, shared: bool
    ) -> tuple[str, ...]:
        """Its devices; simulated ones that those to be replaced have, beside them."""
        try:
            return self._devices(fleet, required, shared=shared)
        except NoRoom as no_room:
            if no_room.for_good:
                raise
            for old in instead_of:
                is_enough = len(old.devices) == required.num_accelerators
                if is_enough and self._accelerators.devices(old.devices).simulated:
                    return self._accelerators.join(old.devices, holder=fleet.target.name)
            raise

    def give_back(self, record: ReplicaRecord) -> None:
        """A replica has ended: what it took is free, or its successor's."""
        if record.heir is not None and not record.heir.has_ended:
            record.heir.holds_place = record.holds_place
        elif record.holds_place:
            self._capacity.release(record.placement)
            self._accelerators.release(record.devices)

    def _devices(self, fleet: Fleet, required: ComputeInfo, *, shared: bool) -> tuple[str, ...]:
        """Accelerators of this machine for one replica: of the type asked for, else any with the memory.

        A nodepool may emulate an instance type whose accelerators this machine does not have; then the model
        runs on what is there, and it is said. Raises ``NoRoom``: never on none.
        """
        if not required.num_accelerators:
            return ()
        try:
            return self._accelerators.allocate_for(required, holder=fleet.target.name, shared=shared)
        except NoRoom as no_room:
            if not no_room.for_good:
                raise
        untyped = ComputeInfo()
        untyped.CopyFrom(required)
        untyped.ClearField("accelerator_type")
        devices = self._accelerators.allocate_for(untyped, holder=fleet.target.name, shared=shared)
        asked = " or ".join(required.accelerator_type)
        self._report.fleet(fleet, "replica.substituted", f"runs on {', '.join(devices)}, not on {asked}")
        return devices
