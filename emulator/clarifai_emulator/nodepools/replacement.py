"""Replaces serving replicas by fresh ones once those serve themselves: nobody waits, nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from clarifai_emulator.nodepools.fleet import Fleet, ReplicaRecord, ReplicaState
from clarifai_emulator.nodepools.replicas import Replicas
from clarifai_emulator.nodepools.supervisor_reports import has_ports


class Replacement:
    """A change of replicas, from ``old`` to ``new``, which may be the same fleet. Call ``load``, ``serve`` and
    ``finish`` in this order, or ``give_up`` at any point."""

    def __init__(self, replicas: Replicas, old: Fleet, new: Fleet) -> None:
        self.old = old
        self.new = new
        self._replicas = replicas
        self._replaced: list[ReplicaRecord] = []
        self._fresh: list[ReplicaRecord] = []

    async def load(self) -> tuple[str, Sequence[Any]]:
        """Start one for each that serves, or else one, and wait until all have loaded their model: the code they
        loaded, empty when it changed meanwhile, and its signatures. Raises ``ModelError``, ``NoRoom``."""
        self._replaced = list(self.old.active)
        await self._end_servers()
        for old in self._replaced or [None]:
            takes_over = old is not None and not old.has_ended and self._shares_devices()
            self._fresh.append(self._replicas.stand_by(self.new, old if takes_over else None))
        codes = {await record.standby.loaded for record in self._fresh if record.standby is not None}
        signatures = next((record.reload.signatures for record in self._fresh if record.reload is not None), ())
        return (codes.pop() if len(codes) == 1 else ""), signatures

    async def serve(self, code: str) -> None:
        """Let them take work, and wait until all do. Raises ``ModelError``."""
        for record in self._fresh:
            if record.reload is not None:
                record.reload.go(code)
        await asyncio.gather(*(record.standby.live for record in self._fresh if record.standby is not None))

    async def _end_servers(self) -> None:
        """End the replicas whose models listen at ports that the fresh ones may want; requests wait meanwhile."""
        ports = {port for record in self._replaced for port in record.held_ports()}
        # One that starts, or will start again after a failure, has no server yet.
        self.old.held_ports = self.new.held_ports = ports = tuple(sorted(ports)) or self.old.held_ports
        self.old.reloading = bool(ports)
        if not ports:
            return
        for record in self._replaced:
            self._replicas.drain(self.old, record, f"it ends before edited code is loaded: it {has_ports(ports)}")
        ending = [*self.old.records.values(), *self.new.records.values()]  # also those of a save before this one
        await asyncio.gather(*(each.task for each in ending if each.task is not None), return_exceptions=True)

    def _shares_devices(self) -> bool:
        """Tell whether the new replicas ask for the accelerators of the old ones, and so can have theirs."""
        asked = [fleet.target.version.inference_compute_info for fleet in (self.old, self.new)]
        old, new = ((each.num_accelerators, each.accelerator_memory, *each.accelerator_type) for each in asked)
        return old == new

    def finish(self, reason: str) -> None:
        """They are the fleet's now; the others are given nothing new."""
        self.new.failures, self.new.retry_at = 0, 0.0
        self.new.lane.accept()
        self.old.reloading = False
        for record in self._fresh:
            self._replicas.promote(self.new, record)
        for record in self.old.records.values():
            if record not in self._fresh and record.state is not ReplicaState.DRAINING:
                self._replicas.drain(self.old, record, reason)

    def give_up(self, reason: str) -> None:
        """They are not wanted: what they may have been given already, they finish."""
        for record in self._fresh:
            if not record.has_ended and record.state is ReplicaState.STANDBY:
                self._replicas.drain(self.new, record, reason)
        if self.old.reloading:
            self.old.reloading = False
            self._replicas.look_at(self.old)
