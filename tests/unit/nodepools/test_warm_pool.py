"""Replicas that outlive a reset: which are kept, who gets one back, and which are of no more use."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Runner

from clarifai_emulator.dispatch.dispatcher import Credential
from clarifai_emulator.models.version_source import ModelSource
from clarifai_emulator.nodepools.capacity import Amount, Node, Placement
from clarifai_emulator.nodepools.fleet import ReplicaRecord, ReplicaState
from clarifai_emulator.nodepools.warm_pool import WarmPool

CPU, GPU = ("me", "local", "cpu"), ("me", "local", "gpu")
HELLO = ModelSource(Path("/models/hello"), Path("/python"), "hash 1", "the current one")
OTHER = replace(HELLO, path=Path("/models/other"))
EDITED = replace(HELLO, content_hash="hash 2")


def a_replica(name: str, *, runner: str = "runner", devices: tuple[str, ...] = ()) -> ReplicaRecord:
    placement = Placement(CPU, cast(Node, None), Amount())
    credential = Credential("token", runner, name)
    return ReplicaRecord(credential, Runner(id=runner), placement, 0.0, devices, state=ReplicaState.LIVE)


def anyone(runner_id: str) -> bool:
    return True


@pytest.fixture
def ended() -> list[ReplicaRecord]:
    return []


@pytest.fixture
def parked(ended: list[ReplicaRecord]) -> WarmPool:
    return WarmPool(ended.append)


def test_the_same_code_in_a_nodepool_of_the_same_name_gets_it_back_once(parked: WarmPool) -> None:
    one = a_replica("one")
    parked.put(one, HELLO, 4)
    assert one in parked
    assert list(parked) == [one]
    assert parked.take(HELLO, CPU, 4, {}, anyone) is one
    assert one not in parked
    assert parked.take(HELLO, CPU, 4, {}, anyone) is None


@pytest.mark.parametrize(
    ("source", "nodepool", "threads"),
    [(OTHER, CPU, 4), (HELLO, GPU, 4), (HELLO, ("bob", "local", "cpu"), 4), (HELLO, CPU, 8)],
    ids=["other code", "another nodepool", "somebody else's", "other number of threads"],
)
def test_whoever_wants_something_else_gets_none_and_it_stays(
    parked: WarmPool, ended: list[ReplicaRecord], source: ModelSource, nodepool: tuple[str, str, str], threads: int
) -> None:
    one = a_replica("one")
    parked.put(one, HELLO, 4)
    assert parked.take(source, nodepool, threads, {}, anyone) is None
    assert (list(parked), ended) == ([one], [])


def test_it_knows_the_secrets_that_it_started_with(parked: WarmPool) -> None:
    one = a_replica("one")
    one.secrets = {"TOKEN": "old"}
    parked.put(one, HELLO, 4)
    assert parked.take(HELLO, CPU, 4, {"TOKEN": "new"}, anyone) is None
    assert parked.take(HELLO, CPU, 4, {}, anyone) is None
    assert parked.take(HELLO, CPU, 4, {"TOKEN": "old"}, anyone) is one


def test_a_runner_that_serves_somebody_already_is_passed_over(parked: WarmPool) -> None:
    busy, free = a_replica("one", runner="busy"), a_replica("two", runner="free")
    parked.put(busy, HELLO, 4)
    parked.put(free, HELLO, 4)
    assert parked.take(HELLO, CPU, 4, {}, lambda runner_id: runner_id == "free") is free
    assert list(parked) == [busy]


def test_the_one_that_was_parked_first_goes_back_first(parked: WarmPool) -> None:
    one, two = a_replica("one"), a_replica("two")
    parked.put(one, HELLO, 4)
    parked.put(two, HELLO, 4)
    assert parked.take(HELLO, CPU, 4, {}, anyone) is one


def test_an_edit_of_the_directory_ends_what_runs_its_old_code(parked: WarmPool, ended: list[ReplicaRecord]) -> None:
    old, other = a_replica("old"), a_replica("other")
    parked.put(old, HELLO, 4)
    parked.put(other, OTHER, 4)
    assert parked.take(EDITED, CPU, 4, {}, anyone) is None
    assert (ended, list(parked)) == ([old], [other])


def test_twelve_are_kept_and_the_oldest_makes_room(parked: WarmPool, ended: list[ReplicaRecord]) -> None:
    replicas = [a_replica(str(number)) for number in range(14)]
    for each in replicas:
        parked.put(each, HELLO, 4)
    assert ended == replicas[:2]
    assert list(parked) == replicas[2:]


def test_whoever_needs_a_device_gets_those_of_parked_ones(parked: WarmPool, ended: list[ReplicaRecord]) -> None:
    on_gpu, on_cpu = a_replica("one", devices=("GPU-0",)), a_replica("two")
    parked.put(on_gpu, HELLO, 4)
    parked.put(on_cpu, OTHER, 4)
    assert parked.give_up_devices()
    assert (ended, list(parked)) == ([on_gpu], [on_cpu])
    assert not parked.give_up_devices()


def test_one_whose_process_has_ended_is_forgotten(parked: WarmPool, ended: list[ReplicaRecord]) -> None:
    one = a_replica("one")
    parked.put(one, HELLO, 4)
    parked.discard(one)
    parked.discard(one)
    assert (list(parked), ended) == ([], [])
    assert parked.take(HELLO, CPU, 4, {}, anyone) is None
