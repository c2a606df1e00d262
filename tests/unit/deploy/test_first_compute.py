"""The compute that there is at the start comes again with every reset, and is what it was."""

from __future__ import annotations

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Nodepool

from clarifai_emulator.emulator import Emulator
from clarifai_emulator.machine.accelerators import Discovery
from clarifai_emulator.store import Kind

LOCAL = ("me", "local")


@pytest.fixture
def emulator() -> Emulator:
    emulator = Emulator(discovery=Discovery((), "a unit test has none"))
    emulator.first_compute.provide_shared()
    emulator.first_compute.provide_machine("me")
    return emulator


def test_each_user_gets_this_machine_as_a_cluster(emulator: Emulator) -> None:
    emulator.first_compute.provide_machine("ada")
    assert list(emulator.store.keys(Kind.NODEPOOL, ("ada", "local"))) == [("ada", "local", "cpu")]
    assert emulator.store.get(Kind.COMPUTE_CLUSTER, ("ada", "local")).user_id == "ada"


async def test_a_reset_brings_back_what_there_was_and_nothing_that_was_added(emulator: Emulator) -> None:
    mine = Nodepool(id="mine", max_instances=1, instance_types=[{"id": "local"}])
    emulator.resources.post(Kind.NODEPOOL, "me", LOCAL[1:], [mine])
    before = emulator.store.get(Kind.NODEPOOL, (*LOCAL, "cpu"))
    for _ in range(2):
        await emulator.reset()
        assert list(emulator.store.keys(Kind.NODEPOOL, LOCAL)) == [(*LOCAL, "cpu")]
        assert emulator.store.get(Kind.NODEPOOL, (*LOCAL, "cpu")) == before
        assert emulator.store.get(Kind.USER, ("me",)) is not None


async def test_a_change_of_the_machines_nodepool_is_gone_after_a_reset(emulator: Emulator) -> None:
    emulator.resources.patch(Kind.NODEPOOL, "me", LOCAL[1:], [Nodepool(id="cpu", description="mine")], "overwrite")
    await emulator.reset()
    assert emulator.store.get(Kind.NODEPOOL, (*LOCAL, "cpu")).description == "This machine's CPUs"


def test_a_restored_nodepool_stays_and_has_what_the_machine_has_now(emulator: Emulator) -> None:
    key = (*LOCAL, "cpu")
    restored = Nodepool()
    restored.CopyFrom(emulator.store.get(Kind.NODEPOOL, key))
    restored.description = "of another machine"
    restored.instance_types[0].compute_info.cpu_memory = "1Mi"
    emulator.store.put(Kind.NODEPOOL, key, restored)
    emulator.first_compute.provide_machine("me")
    found = emulator.store.get(Kind.NODEPOOL, key)
    assert found.description == "of another machine"
    assert found.instance_types[0].compute_info.cpu_memory != "1Mi"
