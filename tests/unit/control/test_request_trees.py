"""Requests and those inside them become trees, with times, whatever is missing of them."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from clarifai_emulator.control.request_trees import tree_lines, trees_of


def decided(request_id: str, model: str, time: float, **place: Any) -> dict[str, Any]:
    return {"kind": "route.decided", "time": time, "request_id": request_id, "model": f"me/demo/{model}", **place}


def finished(request_id: str, time: float, milliseconds: float, **fields: Any) -> dict[str, Any]:
    return {
        "kind": "request.finished",
        "time": time,
        "request_id": request_id,
        "rpc": "PostModelOutputs",
        "milliseconds": milliseconds,
        "status": 10000,
        **fields,
    }


def inside(parent: str, trace: str = "r1", depth: int = 1) -> dict[str, Any]:
    return {"parent_id": parent, "trace_id": trace, "depth": depth}


STORY = [
    decided("r1", "agent", 100.0),
    decided("r2", "tool", 100.002, **inside("r1")),
    {"kind": "work.sent", "time": 100.005, "request_id": "r2", "replica_id": "0123456789"},
    decided("r3", "scorer", 100.006, **inside("r2", depth=2)),
    finished("r3", 100.007, 1.0, status=21313, error="No such thing.\nMore of it.", **inside("r2", depth=2)),
    finished("r2", 100.012, 10.0, replica_id="0123456789", **inside("r1"), guessed=True),
    finished("r9", 100.013, 1.0),
    {**finished("r4", 100.013, 1.0, **inside("r1")), "rpc": "GetModel"},
    finished("r1", 100.030, 30.0),
]


def test_a_tree_has_who_called_whom_how_long_it_took_and_what_went_wrong() -> None:
    [tree] = trees_of(STORY)
    assert list(tree_lines(tree)) == [
        "agent                ok  30.0 ms  r1",
        "  +2.0 ms  tool      ok  10.0 ms  replica 01234567  queued 3.0 ms  belongs here as far as can be told  r2",
        "    +4.0 ms  scorer  21313  1.0 ms  r3",
        "        No such thing.",
    ]


def test_it_is_json_too() -> None:
    [tree] = trees_of(STORY)
    told = tree.as_dict()
    assert [each["request_id"] for each in told["calls"]] == ["r2"]
    assert told["calls"][0]["calls"][0]["error"].startswith("No such thing")
    assert told["calls"][0]["guessed"] is True


def test_what_models_only_look_up_is_there_where_it_is_asked_for() -> None:
    [tree] = trees_of(STORY, every_rpc=True)
    assert [each.rpc for each in tree.everybody()].count("GetModel") == 1


def test_what_still_runs_and_what_has_lost_its_outer_request_are_shown() -> None:
    running = trees_of(STORY[:4])
    assert [each.outcome for each in running[0].everybody()] == ["running"] * 3
    alone = trees_of(STORY[5:6])
    assert [each.request_id for each in alone] == ["r2"]


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.booleans()), max_size=20))
def test_every_inner_request_is_in_one_tree_once(story: list[tuple[int, int, bool]]) -> None:
    """Whatever the order, and with requests that are inside themselves: nothing is shown twice, nothing hangs."""
    events = [
        finished(str(number), 1.0, 1.0, **(inside(str(outer)) if is_inner else {}))
        for number, outer, is_inner in story
    ]
    shown = [node.request_id for tree in trees_of(events) for node in tree.everybody()]
    assert len(shown) == len(set(shown))
    for tree in trees_of(events):
        assert len(list(tree_lines(tree))) == len(list(tree.everybody()))
