"""Requests get faults by name, by count, by chance, and always the same ones."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarifai_emulator.errors import ConfigError
from clarifai_emulator.events import EventBus
from clarifai_emulator.faults import ActiveFault, Fault, Faults, Subject
from resource_api import StillClock

PREDICT = Subject("PostModelOutputs")
GET = Subject("GetModel")
PLACED = Subject(
    "PostModelOutputs",
    model=("me", "demo", "hello"),
    deployment=("me", "deploy-hello"),
    nodepool=("me", "local", "cpu"),
    replica="0123456789abcdef",
)
faults_to_try = st.builds(
    lambda times, after, probability, seed, latency: Fault(
        status=21354, times=times, after=after, probability=probability, seed=seed, latency=latency
    ),
    st.none() | st.integers(1, 20),
    st.integers(0, 20),
    st.floats(0.01, 1),
    st.integers(-5, 5),
    st.sampled_from(["", 0.1, "normal:0.3,0.1", "exponential:0.2"]),
)


def register() -> Faults:
    return Faults(events=EventBus(StillClock()), user_id="me")


def decisions(active: ActiveFault, requests: int) -> list[float | None]:
    """Return for each request in a row: None, or the seconds of the fault it gets."""
    made = [active.decide() for _ in range(requests)]
    return [injection.seconds if injection is not None else None for injection in made]


# The same ones.


@given(faults_to_try)
def test_the_same_fault_hits_the_same_requests(fault: Fault) -> None:
    one, other = register(), register()
    other.add(Fault(throttle=True, probability=0.5))  # what else there is does not matter
    assert decisions(one.add(fault), 100) == decisions(other.add(fault), 100)


@given(faults_to_try, st.lists(st.booleans(), max_size=60))
def test_requests_it_does_not_concern_change_nothing(fault: Fault, concerned: list[bool]) -> None:
    faults, alone = register(), register().add(fault)
    active = faults.add(fault)
    got = [bool(faults.decide([active], PREDICT if each else GET)) for each in concerned]
    expected = [each is not None for each in decisions(alone, sum(concerned))]
    assert [each for each, mine in zip(got, concerned, strict=True) if mine] == expected
    assert not any(each for each, mine in zip(got, concerned, strict=True) if not mine)


@given(faults_to_try)
def test_after_and_times_bound_what_is_hit(fault: Fault) -> None:
    active = register().add(fault)
    hit = [number for number, each in enumerate(decisions(active, 200)) if each is not None]
    assert all(number >= fault.after for number in hit)
    assert len(hit) == active.injected <= (fault.times or 200)
    assert active.seen == 200
    if fault.probability == 1:
        assert hit == list(range(fault.after, min(fault.after + (fault.times or 200), 200)))


@given(faults_to_try, st.integers(1, 10))
def test_fewer_times_hit_the_first_of_the_same_requests(fault: Fault, times: int) -> None:
    given = {name: value for name, value in fault.as_dict().items() if name != "times"}
    without = [each for each in decisions(register().add(Fault(**given)), 100) if each is not None]
    limited = [each for each in decisions(register().add(Fault(**given, times=times)), 100) if each is not None]
    assert limited == without[:times]


def test_a_delay_does_not_change_who_is_hit() -> None:
    plain = decisions(register().add(Fault(status=21354, probability=0.3)), 200)
    slow = decisions(register().add(Fault(status=21354, probability=0.3, latency="exponential:1")), 200)
    assert [each is None for each in plain] == [each is None for each in slow]


def test_the_numbers_that_are_drawn_stay_what_they_are() -> None:
    """Users' tests rely on the numbers: not even a new version may draw others."""
    drawn = decisions(register().add(Fault(latency="uniform:0,1", probability=0.5, seed=7)), 8)
    assert [each and round(each, 4) for each in drawn] == [None, 0.8264, 0.4819, 0.7707, None, 0.3011, 0.4849, None]
    other = decisions(register().add(Fault(latency="uniform:0,1", probability=0.5, seed=8)), 8)
    assert other != drawn


def test_about_as_many_are_hit_as_the_probability_says() -> None:
    for seed in range(5):
        hit = [
            each
            for each in decisions(register().add(Fault(throttle=True, probability=0.3, seed=seed)), 2000)
            if each is not None
        ]
        assert len(hit) == pytest.approx(600, rel=0.12)


# Whom it concerns.


@pytest.mark.parametrize(
    ("names", "concerned"),
    [
        ({}, True),
        ({"model": "hello"}, True),
        ({"model": "demo/hello"}, True),
        ({"model": "me/demo/hello"}, True),
        ({"model": "me/demo/models/hello"}, True),
        ({"model": "https://clarifai.com/me/demo/models/hello"}, True),
        ({"model": "hel*"}, True),
        ({"model": "*/demo/*"}, True),
        ({"model": "hell"}, False),
        ({"model": "you/demo/hello"}, False),
        ({"deployment": "deploy-hello"}, True),
        ({"deployment": "me/deploy-hello"}, True),
        ({"deployment": "deploy-other"}, False),
        ({"nodepool": "cpu"}, True),
        ({"nodepool": "local/cpu"}, True),
        ({"nodepool": "other/cpu"}, False),
        ({"replica": "01234567"}, True),
        ({"replica": "1234"}, False),
        ({"model": "hello", "nodepool": "gpu"}, False),
        ({"rpc": "Post*Outputs", "model": "hello"}, True),
        ({"rpc": "GenerateModelOutputs"}, False),
    ],
)  # fmt: skip
def test_every_name_that_is_given_must_hold(names: dict[str, str], concerned: bool) -> None:
    assert register().add(Fault(throttle=True, **names)).concerns(PLACED) is concerned


def test_me_is_the_user_of_the_emulator() -> None:
    faults = Faults(events=EventBus(StillClock()), user_id="ada")
    hers = Subject("PostModelOutputs", model=("ada", "demo", "hello"))
    assert faults.add(Fault(throttle=True, model="me/demo/hello")).concerns(hers)
    assert not faults.add(Fault(throttle=True, model="bob/demo/hello")).concerns(hers)


def test_what_is_not_known_yet_does_not_match() -> None:
    assert not register().add(Fault(throttle=True, deployment="*")).concerns(PREDICT)


# Several of them.


def test_delays_add_up_until_one_ends_the_request_and_later_ones_do_not_see_it() -> None:
    faults = register()
    slow, busy, late = (
        faults.add(fault) for fault in (Fault(latency=1), Fault(status=21354, times=1), Fault(latency=2))
    )
    assert [each.active.id for each in faults.decide(faults.arriving, PREDICT)] == [slow.id, busy.id]
    assert (late.seen, late.injected) == (0, 0)
    assert [each.active.id for each in faults.decide(faults.arriving, PREDICT)] == [slow.id, late.id]


def test_a_fault_that_is_used_up_is_looked_at_no_more() -> None:
    faults = register()
    active = faults.add(Fault(cut_after=2, times=1))
    (injection,) = faults.decide(faults.routed, Subject("GenerateModelOutputs"))
    assert (faults.routed, active.is_used_up, list(faults)) == ((), True, [active])
    faults.withdraw(injection)
    assert (faults.routed, active.injected, active.is_used_up) == ((active,), 0, False)


def test_each_kind_is_where_its_moment_looks() -> None:
    faults = register()
    arriving, routed, taken = (
        faults.add(Fault(**each)) for each in ({"throttle": True}, {"cut_after": 1}, {"lose_replica": True})
    )  # fmt: skip
    assert (faults.arriving, faults.routed, faults.taken) == ((arriving,), (routed,), (taken,))
    faults.clear()
    assert (faults.arriving, faults.routed, faults.taken) == ((), (), ())


# Adding and removing.


def test_names_are_made_up_in_a_row_and_anew_after_a_clear() -> None:
    faults = register()
    faults.add(Fault(id="fault-2", throttle=True))
    assert [faults.add(Fault(throttle=True)).id for _ in range(2)] == ["fault-1", "fault-3"]
    assert [each.id for each in faults.clear()] == ["fault-2", "fault-1", "fault-3"]
    assert faults.add(Fault(throttle=True)).id == "fault-1"


def test_an_id_that_is_taken_is_refused() -> None:
    faults = register()
    faults.add(Fault(id="busy", throttle=True))
    with pytest.raises(ConfigError) as raised:
        faults.add(Fault(id="busy", latency=1))
    assert str(raised.value) == (
        "There is a fault 'busy' already: inference: status 11005 CONN_THROTTLED.\n"
        "Choose another id, or remove it with `clarifai-emulator fault remove busy`."
    )


def test_removing_one_that_is_not_there_removes_none() -> None:
    faults = register()
    faults.add(Fault(id="busy", throttle=True))
    with pytest.raises(ConfigError) as raised:
        faults.remove("busy", "bussy")
    assert str(raised.value) == (
        "There is no fault 'bussy'. There are: busy.\n`clarifai-emulator fault list` shows what each does."
    )
    assert [each.id for each in faults] == ["busy"]
    assert [each.id for each in faults.remove("busy", "busy")] == ["busy"]


def test_as_a_context_manager_it_ends_with_its_block() -> None:
    faults = register()
    with faults.add(Fault(id="busy", throttle=True)) as active:
        assert [each.id for each in faults] == ["busy"]
        faults.clear()
        replaced = faults.add(Fault(id="busy", latency=1))
    assert list(faults) == [replaced]  # not its own any more
    assert active.injected == 0


def test_adding_and_removing_are_events() -> None:
    events = EventBus(StillClock())
    faults = Faults(events=events, user_id="me")
    faults.add(Fault(id="busy", throttle=True), origin="topology.yaml:3").remove()
    added, removed = (event.as_dict() for event in events.recent("fault."))
    expected: dict[str, Any] = {"fault_id": "busy", "rule": "inference: status 11005 CONN_THROTTLED"}
    assert added == added | expected | {"kind": "fault.added", "origin": "topology.yaml:3"}
    assert removed == removed | expected | {"kind": "fault.removed", "injected": 0}


def test_what_was_removed_is_put_back_as_it_was_and_counts_on() -> None:
    faults = register()
    active = faults.add(Fault(id="busy", throttle=True, times=2), origin="topology.yaml:3")
    subject = Subject("PostModelOutputs")
    assert faults.decide(faults.arriving, subject)
    faults.remove("busy")
    assert not faults.decide(faults.arriving, subject)
    faults.put_back(active)
    assert faults.decide(faults.arriving, subject)
    assert (active.injected, active.is_used_up) == (2, True)
    with pytest.raises(ConfigError, match="There is a fault 'busy' already"):
        faults.put_back(active)
