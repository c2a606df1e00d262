"""Makes, over the replicas of an emulator, what knows the calls between their models."""

from __future__ import annotations

import os
from collections.abc import Iterator

from clarifai_emulator.clock import Clock
from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.dispatch.call_tree import CallTree
from clarifai_emulator.dispatch.circles import Circles
from clarifai_emulator.dispatch.lane import Lane, Replica
from clarifai_emulator.messages.address import ModelKey
from clarifai_emulator.nodepools.growth import why_no_more
from clarifai_emulator.nodepools.nodepools import Nodepools


def call_tree(nodepools: Nodepools, config: EmulatorConfig) -> CallTree:
    """Return what places inner requests."""

    def replicas_here() -> Iterator[Replica]:
        for fleet in nodepools.supervisor.fleets.values():
            for record in fleet.records.values():
                is_here = record.process is not None and record.process.pid == os.getpid()
                if is_here and record.replica is not None:
                    yield record.replica

    def model_of(replica: Replica) -> ModelKey | None:
        fleet = nodepools.supervisor.fleet_of_runner(replica.runner_link.key)
        return fleet.target.model_key if fleet is not None else None

    return CallTree(
        replica_of=nodepools.dispatcher.replica,
        replicas_here=replicas_here,
        model_of=model_of,
        most_depth=config.call_depth,
        most_open=config.call_fan_out,
    )


def circles(nodepools: Nodepools, config: EmulatorConfig, clock: Clock) -> Circles:
    """Return what refuses inner requests that would wait for themselves."""
    fleets = nodepools.supervisor.fleets

    def more(lane: Lane) -> str:
        fleet = fleets.get(lane.key)
        return why_no_more(fleet, clock.monotonic(), config.hold_seconds) if fleet is not None else ""

    def name_of(lane: Lane) -> str:
        fleet = fleets.get(lane.key)
        return fleet.target.model.id if fleet is not None else lane.key.deployment_id

    return Circles(
        replica_of=nodepools.dispatcher.replica,
        lanes=nodepools.dispatcher.lanes,
        why_no_more=more,
        name_of=name_of,
        clock=clock,
    )
