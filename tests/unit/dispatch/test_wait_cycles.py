"""Requests that can never end are found, whoever waits for whom, and no others are."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from clarifai_emulator.dispatch.wait_cycles import Waits

SIZES = st.integers(1, 7)


@st.composite
def waits(draw: st.DrawFn) -> Waits[int]:
    """Draw requests that have slots or wait for them, each inside at most one other."""
    everybody = range(draw(SIZES))
    waiting = {each for each in everybody if draw(st.booleans())}
    inside: dict[int, list[int]] = {each: [] for each in everybody if each not in waiting}
    for each in everybody:
        outer = draw(st.sampled_from([None, *(other for other in inside if other < each)]))
        if outer is not None:
            inside[outer].append(each)
    takes = {each: draw(st.lists(st.sampled_from(sorted(inside)))) if inside else [] for each in waiting}
    served = {each for each in waiting if draw(st.integers(0, 3)) == 0}
    return Waits(inside, takes, served)


def played(waits: Waits[int]) -> set[int]:
    """Return who is left when everybody goes on for as long as somebody can: by trying, not by reckoning."""
    needs: Mapping[int, set[int]] = {each: set(inner) for each, inner in waits.needs.items()}
    left = {*waits.needs, *waits.takes}
    while True:
        free = [
            each
            for each in left
            if (each in needs and not needs[each] & left)
            or (each in waits.takes and (each in waits.served or set(waits.takes[each]) - left))
        ]
        if not free:
            return left
        left.remove(free[0])


@given(waits())
def test_stuck_are_those_who_are_left_when_nobody_can_go_on(waits: Waits[int]) -> None:
    assert waits.stuck() == played(waits)


@given(waits())
def test_each_stuck_request_has_a_circle_of_stuck_ones_before_it_or_a_slot_that_nobody_holds(
    waits: Waits[int],
) -> None:
    stuck = waits.stuck()
    for each in stuck:
        circle = waits.circle(each)
        assert circle
        assert set(circle) <= stuck
        for one, following in zip(circle, [*circle[1:], circle[0]], strict=True):
            others = waits.needs.get(one) or waits.takes.get(one) or ()
            assert following in others or not stuck & set(others)


@given(waits())
def test_whoever_can_end_has_no_circle(waits: Waits[int]) -> None:
    for each in {*waits.needs, *waits.takes} - waits.stuck():
        assert waits.circle(each) == []


def test_a_model_that_calls_itself_and_has_one_slot() -> None:
    waits = Waits({"a": ["again"]}, {"again": ["a"]})
    assert waits.stuck() == {"a", "again"}
    assert waits.circle("again") == ["again", "a"]


def test_two_slots_are_enough_while_the_other_request_ends_by_itself() -> None:
    assert not Waits({"a": ["again"], "other": []}, {"again": ["a", "other"]}).stuck()


def test_two_trees_that_hold_what_the_other_needs() -> None:
    waits = Waits({"a": ["b of a"], "b": ["a of b"]}, {"b of a": ["b"], "a of b": ["a"]})
    assert waits.stuck() == {"a", "b", "b of a", "a of b"}
    assert waits.circle("a of b") == ["a of b", "a", "b of a", "b"]


def test_one_of_many_inner_requests_that_waits_keeps_the_outer_one() -> None:
    assert Waits({"a": ["done soon", "again"], "done soon": []}, {"again": ["a"]}).stuck() == {"a", "again"}
