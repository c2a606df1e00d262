"""Substitutes: which of several answers a method of a model, and what it leaves to the model itself."""

from __future__ import annotations

from clarifai_emulator.clock import SystemClock
from clarifai_emulator.dispatch.lane import Lane, LaneKey
from clarifai_emulator.dispatch.substitutes import FUNCTIONS, Substitute, Substitutes
from clarifai_emulator.dispatch.work import UNARY_UNARY, Work
from clarifai_emulator.events import EventBus

MODEL = ("me", "main", "ranker")


def substitute(*methods: str) -> Substitute:
    key = LaneKey("me", f"functions for {methods}", "")
    lane = Lane(key, queue_size=1, clock=SystemClock(), on_demand=lambda lane: None)
    return Substitute(MODEL, methods, lane, ("me", *FUNCTIONS))


def answers(substitutes: Substitutes, method: str) -> Lane | None:
    """Return the lane that a call of a method goes to; None for the model's own."""
    step, entered = substitutes.step_of(MODEL, method), list[Lane]()
    if step is None:
        return None
    work = Work(
        None, method_type=UNARY_UNARY, events=EventBus(SystemClock()), nodepools=(("me", "a", "b"),), runner_id="r"
    )
    own = Lane(LaneKey("me", "own", ""), queue_size=1, clock=SystemClock(), on_demand=lambda lane: None)
    step.enter(work, own, 1.0, lambda work, lane, hold_seconds: entered.append(lane))
    assert work.allows(("me", *FUNCTIONS), "any")
    assert not work.allows(("me", "a", "b"), "r")
    return entered[0]


def test_methods_without_a_substitute_stay_the_models_own() -> None:
    substitutes, one = Substitutes(), substitute("predict")
    assert not substitutes.replaces(MODEL)
    substitutes.add(one)
    assert substitutes.replaces(MODEL)
    assert answers(substitutes, "predict") is one.lane
    assert answers(substitutes, "generate") is None
    assert substitutes.step_of(("me", "main", "other"), "predict") is None


def test_the_newest_answers_and_the_one_before_it_after_it() -> None:
    substitutes, outer, inner = Substitutes(), substitute("predict", "generate"), substitute("predict")
    substitutes.add(outer)
    substitutes.add(inner)
    assert answers(substitutes, "predict") is inner.lane
    assert answers(substitutes, "generate") is outer.lane
    substitutes.remove(inner)
    assert answers(substitutes, "predict") is outer.lane
    substitutes.remove(outer)
    substitutes.remove(outer)
    assert not substitutes.replaces(MODEL)
