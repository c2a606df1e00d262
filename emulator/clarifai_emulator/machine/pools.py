"""Keeps one pool of accelerators for each machine, whichever backends place replicas there."""

from __future__ import annotations

from clarifai_emulator.machine.accelerators import AcceleratorPool
from clarifai_emulator.machine.machine import THIS_MACHINE, Machine


class Pools:
    """The pools of an emulator's machines, by the machine's id; made when a machine is first placed on."""

    def __init__(self) -> None:
        self._pools: dict[str, AcceleratorPool] = {}

    def of(self, machine: Machine) -> AcceleratorPool:
        """Return the pool of this machine."""
        pool = self._pools.get(machine.id)
        if pool is None:
            pool = self._pools[machine.id] = AcceleratorPool(
                machine.accelerators,
                reason=machine.no_accelerators_because,
                where="this machine" if machine.id == THIS_MACHINE else f"the machine of {machine.id}",
            )
        return pool

    def __getitem__(self, machine_id: str) -> AcceleratorPool:
        """Return the pool of a machine that something was placed on."""
        return self._pools[machine_id]
