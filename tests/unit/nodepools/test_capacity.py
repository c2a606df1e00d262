"""Replicas are packed onto the instances of a nodepool; where they do not fit, the reasons are given."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import ComputeInfo, InstanceType, Nodepool
from hypothesis import given
from hypothesis import strategies as st

from clarifai_emulator.errors import NoRoom
from clarifai_emulator.nodepools.capacity import Amount, Capacity, Placement, amount_of, describe

KEY, OTHER = ("ada", "cluster", "pool"), ("ada", "cluster", "other")
SMALL = InstanceType(id="small", price="1", compute_info=ComputeInfo(cpu_limit="2", cpu_memory="4Gi"))
LARGE = InstanceType(id="large", price="3", compute_info=ComputeInfo(cpu_limit="8", cpu_memory="32Gi"))
GPU = InstanceType(
    id="gpu",
    price="9",
    compute_info=ComputeInfo(
        cpu_limit="8",
        cpu_memory="32Gi",
        num_accelerators=2,
        accelerator_type=["NVIDIA-A10G"],
        accelerator_memory="24Gi",
    ),
)
ONE_CPU = ComputeInfo(cpu_limit="1", cpu_memory="1Gi")


def pool(*types: InstanceType, most: int = 1) -> Nodepool:
    return Nodepool(id="pool", instance_types=types or [SMALL], max_instances=most)


def refusal(capacity: Capacity, nodepool: Nodepool, required: ComputeInfo, **options: Any) -> NoRoom:
    with pytest.raises(NoRoom) as raised:
        capacity.place(KEY, nodepool, required, **options)
    return raised.value


def test_replicas_share_an_instance_while_they_fit_then_take_another() -> None:
    capacity = Capacity()
    nodes = [capacity.place(KEY, pool(most=2), ONE_CPU).node for _ in range(3)]
    assert nodes[0] is nodes[1]
    assert nodes[2] is not nodes[0]
    assert capacity.nodes_in_use(KEY) == 2


def test_spread_replicas_each_take_an_instance_of_their_own() -> None:
    capacity = Capacity()
    first, second = (capacity.place(KEY, pool(most=2), ONE_CPU, spread=True).node for _ in range(2))
    assert first is not second


def test_a_full_nodepool_says_what_it_holds_and_what_was_needed() -> None:
    capacity = Capacity()
    for holder in ("deployment 'a'", "deployment 'b'"):
        capacity.place(KEY, pool(), ONE_CPU, holder=holder)
    error = refusal(capacity, pool(), ONE_CPU)
    assert str(error) == (
        "nodepool 'pool' is full: its 1 of 1 instances hold 2 replicas (1 of deployment 'a', 1 of deployment 'b') "
        "and have no room for one that needs 1 CPU, 1Gi memory; `clarifai-emulator undeploy MODEL` makes room"
    )
    assert not error.for_good


def test_a_full_nodepool_names_those_that_hold_most_of_it() -> None:
    capacity, tiny = Capacity(), ComputeInfo(cpu_limit="100m")
    for number in range(8):
        for _ in range(3 if number == 7 else 1):
            capacity.place(KEY, pool(), tiny, holder=f"deployment '{number}'")
    said = str(refusal(capacity, pool(), ComputeInfo(cpu_limit="2")))
    assert "hold 10 replicas (3 of deployment '7', 1 of deployment '0'" in said
    assert " and 3 more) and have no room" in said


def machine(**has: Any) -> Nodepool:
    return pool(InstanceType(id="local", compute_info=ComputeInfo(cpu_limit="2", cpu_memory="4Gi", **has)))


def test_the_machine_itself_takes_more_than_its_processors_and_memory_where_it_may() -> None:
    capacity = Capacity(overcommits=True)
    huge = ComputeInfo(cpu_limit="191", cpu_memory="900Ti")
    for _ in range(3):
        capacity.place(KEY, machine(), huge)
    assert capacity.nodes_in_use(KEY) == 1
    assert capacity.overdrawn(KEY).cpu == 3 * 191_000 - 2_000


def test_the_machine_itself_takes_no_more_with_strict_capacity() -> None:
    error = refusal(Capacity(), machine(), ComputeInfo(cpu_limit="3"))
    assert "local needs 3 CPUs, it has 2" in str(error)


def test_emulated_instances_keep_their_size_where_the_machine_may_be_overcommitted() -> None:
    error = refusal(Capacity(overcommits=True), pool(SMALL), ComputeInfo(cpu_limit="3"))
    assert error.for_good


def test_accelerators_of_the_machine_are_never_overcommitted() -> None:
    capacity = Capacity(overcommits=True)
    one = ComputeInfo(cpu_limit="64", num_accelerators=1)
    assert "needs 1 accelerator, it has none" in str(refusal(capacity, machine(), one))
    with_gpu = machine(num_accelerators=1, accelerator_type=["NVIDIA-A10G"], accelerator_memory="24Gi")
    capacity.place(KEY, with_gpu, one)
    assert not refusal(capacity, with_gpu, one).for_good


def test_room_that_was_overcommitted_is_given_back_whole() -> None:
    capacity = Capacity(overcommits=True)
    placements = [capacity.place(KEY, machine(), ComputeInfo(cpu_limit="3", cpu_memory="9Gi")) for _ in range(2)]
    assert capacity.overdrawn(KEY) == Amount(4_000, 14 << 30)
    for placement in placements:
        capacity.release(placement)
    assert capacity.overdrawn(KEY) == Amount()
    assert capacity.nodes_in_use(KEY) == 0


def test_room_that_is_given_back_can_be_taken_again() -> None:
    capacity = Capacity()
    placements = [capacity.place(KEY, pool(), ONE_CPU) for _ in range(2)]
    capacity.release(placements[0])
    capacity.place(KEY, pool(), ONE_CPU)
    assert capacity.nodes_in_use(KEY) == 1


def test_an_instance_without_replicas_is_given_back() -> None:
    capacity = Capacity()
    capacity.release(capacity.place(KEY, pool(), ONE_CPU))
    assert capacity.nodes_in_use(KEY) == 0


def test_the_cheapest_instance_type_that_fits_is_started() -> None:
    capacity = Capacity()
    mixed = pool(GPU, LARGE, SMALL, most=3)
    assert capacity.place(KEY, mixed, ONE_CPU, spread=True).node.instance_type.id == "small"
    assert capacity.place(KEY, mixed, ComputeInfo(cpu_limit="4"), spread=True).node.instance_type.id == "large"
    needs_gpu = ComputeInfo(num_accelerators=1, accelerator_type=["NVIDIA-A10G"])
    assert capacity.place(KEY, mixed, needs_gpu, spread=True).node.instance_type.id == "gpu"


def test_accelerators_of_an_instance_are_counted() -> None:
    capacity = Capacity()
    needs_gpu = ComputeInfo(num_accelerators=1, accelerator_type=["NVIDIA-A10G", "NVIDIA-L4"])
    for _ in range(2):
        capacity.place(KEY, pool(GPU), needs_gpu)
    assert "no room for one that needs 1 × NVIDIA-A10G or NVIDIA-L4" in str(refusal(capacity, pool(GPU), needs_gpu))


def test_what_no_instance_type_can_run_will_never_fit() -> None:
    error = refusal(Capacity(), pool(SMALL, LARGE), ComputeInfo(cpu_limit="64"))
    assert str(error) == (
        "no instance type of nodepool 'pool' fits the model: small needs 64 CPUs, it has 2; large needs 64 CPUs, "
        "it has 8"
    )
    assert error.for_good


def test_a_nodepool_without_instance_types_or_switched_off_will_never_do() -> None:
    nothing = refusal(Capacity(), Nodepool(id="pool", max_instances=1), ONE_CPU)
    off = refusal(Capacity(), pool(most=0), ONE_CPU)
    assert str(nothing) == "no instance type of nodepool 'pool' fits the model: it has none"
    assert str(off) == "nodepool 'pool' is switched off (max_instances is 0)"
    assert nothing.for_good
    assert off.for_good


def test_asking_for_room_takes_none() -> None:
    capacity = Capacity()
    for _ in range(5):
        assert capacity.has_room(KEY, pool(), ONE_CPU)
    assert capacity.nodes_in_use(KEY) == 0
    capacity.place(KEY, pool(), ONE_CPU)
    assert capacity.has_room(KEY, pool(), ONE_CPU)
    assert not capacity.has_room(KEY, pool(), ONE_CPU, spread=True)
    assert not capacity.has_room(KEY, pool(), ComputeInfo(cpu_limit="64"))


def test_nodepools_have_their_own_room_and_reset_frees_all() -> None:
    capacity = Capacity()
    capacity.place(KEY, pool(), ONE_CPU, spread=True)
    capacity.place(OTHER, pool(), ONE_CPU, spread=True)
    assert (capacity.nodes_in_use(KEY), capacity.nodes_in_use(OTHER)) == (1, 1)
    capacity.reset()
    assert (capacity.nodes_in_use(KEY), capacity.nodes_in_use(OTHER)) == (0, 0)


def test_a_placement_from_before_a_reset_frees_nothing_of_what_came_after() -> None:
    capacity = Capacity()
    old = capacity.place(KEY, pool(), ONE_CPU)
    capacity.reset()
    capacity.place(KEY, pool(), ONE_CPU)
    capacity.release(old)
    assert capacity.nodes_in_use(KEY) == 1


@pytest.mark.parametrize(
    ("info", "amount", "words"),
    [
        (ComputeInfo(), Amount(), "next to nothing"),
        (ComputeInfo(cpu_limit="500m", cpu_memory="1Gi"), Amount(500, 1 << 30), "500m CPU, 1Gi memory"),
        (ComputeInfo(cpu_requests="2", cpu_memory_requests="1Ki"), Amount(2000, 1024), "2 CPU, 1Ki memory"),
        (ComputeInfo(cpu_limit="1", cpu_requests="2"), Amount(1000), "1 CPU"),
        (ComputeInfo(num_accelerators=2), Amount(accelerators=2), "2 × accelerator"),
    ],
)
def test_what_a_model_needs_in_numbers_and_in_words(info: ComputeInfo, amount: Amount, words: str) -> None:
    assert (amount_of(info), describe(info)) == (amount, words)


_needs = st.builds(
    ComputeInfo,
    cpu_limit=st.sampled_from(["", "500m", "1", "3"]),
    cpu_memory=st.sampled_from(["", "512Mi", "3Gi"]),
    num_accelerators=st.integers(0, 2),
)


@given(st.lists(st.tuples(_needs, st.booleans(), st.integers(0, 3)), max_size=30))
def test_whatever_comes_and_goes_no_instance_holds_more_than_it_has(steps: list[Any]) -> None:
    capacity, placed = Capacity(), list[Placement]()
    nodepool = pool(SMALL, LARGE, GPU, most=3)
    for needs, spread, goes in steps:
        if goes and placed:
            capacity.release(placed.pop(goes % len(placed)))
        with contextlib.suppress(NoRoom):
            placed.append(capacity.place(KEY, nodepool, needs, spread=spread))
        nodes = {id(each.node): each.node for each in placed}.values()
        assert capacity.nodes_in_use(KEY) == len(nodes) <= 3
        for node in nodes:
            here = [each for each in placed if each.node is node]
            taken = sum((each.amount for each in here), Amount())
            assert node.replicas == len(here)
            assert node.free == amount_of(node.instance_type.compute_info) - taken
            assert not node.free.is_overdrawn


def test_what_is_taken_is_counted_against_the_instances_in_use() -> None:
    capacity, nodepool = Capacity(), Nodepool(id="p", instance_types=[SMALL], max_instances=2)
    assert capacity.taken(KEY) == (Amount(), Amount())
    placed = [capacity.place(KEY, nodepool, ONE_CPU) for _ in range(3)]
    taken, size = capacity.taken(KEY)
    assert (taken.cpu, size.cpu) == (3000, 4000)
    assert (taken.memory, size.memory) == (3 * 1024**3, 8 * 1024**3)
    capacity.release(placed[2])
    assert capacity.taken(KEY)[1].cpu == 2000
