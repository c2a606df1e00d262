"""Log lines are given to the request that printed them, whatever else their replica did."""

from __future__ import annotations

from typing import Any

import click

from clarifai_emulator.cli.request_lines import RequestLines, lines_text
from clarifai_emulator.control.request_trees import nodes_of

INSIDE = {"parent_id": "r1", "trace_id": "r1", "depth": 1}


def events(*stays: tuple[str, str, float, float], **places: dict[str, Any]) -> list[dict[str, Any]]:
    """Return those of requests: id, replica, begin and end."""
    found: list[dict[str, Any]] = []
    for request_id, replica, begun, ended in stays:
        place = {"request_id": request_id, **places.get(request_id, {})}
        found += [
            {"kind": "route.decided", "time": begun, "model": f"me/demo/model-{replica}", **place},
            {"kind": "work.sent", "time": begun, "replica_id": replica, **place},
            {
                "kind": "request.finished",
                "time": ended,
                "rpc": "PostModelOutputs",
                "milliseconds": (ended - begun) * 1000,
                "status": 10000,
                "replica_id": replica,
                **place,
            },
        ]
    return sorted(found, key=lambda each: each["time"])


def line(message: str, time: float, replica: str = "a", stream: str = "model") -> dict[str, Any]:
    return {
        "message": message,
        "time": time,
        "replica_id": replica,
        "stream": stream,
        "log_type": "runner",
        "deployment_id": f"deploy-{replica}",
        "model": f"me/demo/model-{replica}",
    }


def end_of(request_id: str, time: float) -> dict[str, Any]:
    text = f"model_predict | 200 OK | 0.47ms | req_id={request_id} | req_id={request_id} thread=1 "
    return line(f"[INFO] 22:16:25.379585 {text}", time, stream="runner")


def found(told: list[dict[str, Any]], request_id: str, *lines: dict[str, Any]) -> list[tuple[str, bool]]:
    placed = RequestLines(nodes_of(told)[request_id], told).of(lines)
    return [(each["message"], "guessed" in each) for each in placed if each["stream"] == "model"]


def test_what_was_read_after_the_end_is_of_the_request_that_ended() -> None:
    told = events(("r1", "a", 1.0, 1.002), ("r2", "a", 1.005, 1.05))
    lines = [line("one", 1.02), end_of("r1", 1.02), line("two", 1.02), end_of("r2", 1.06), line("none", 1.07)]
    assert found(told, "r1", *lines) == [("one", False)]
    assert found(told, "r2", *lines) == [("two", False)]


def test_of_several_at_once_it_is_guessed_unless_the_logger_names_the_request() -> None:
    told = events(("r1", "a", 1.0, 2.0), ("r2", "a", 1.1, 2.0))
    named = "[INFO] 22:16:25.379585 mine | req_id=r1 thread=1 "
    lines = [line("first", 1.05), line("either", 1.5), line(named, 1.6)]
    assert found(told, "r1", *lines) == [("first", False), ("either", True), (named, False)]
    assert found(told, "r2", *lines) == [("either", True)]


def test_inner_requests_are_indented_and_nothing_moves_the_cursor() -> None:
    told = events(("r1", "a", 1.0, 2.0), ("r2", "b", 1.1, 1.2), r2=INSIDE)
    placed = RequestLines(nodes_of(told)["r1"], told).of(
        [line("before", 1.05), line("in\x1b[2Jside", 1.15, "b"), line("elsewhere", 1.15, "c"), line("after", 1.5)]
    )
    assert [click.unstyle(each) for each in lines_text(placed)] == [
        "    +50.0 ms  model-a    before",
        "   +150.0 ms    model-b  in\\x1b[2Jside",
        "   +500.0 ms  model-a    after",
    ]


def test_a_request_without_the_one_around_it_is_outermost_here_and_has_its_ids() -> None:
    told = events(("r2", "b", 1.1, 1.2), r2=INSIDE)
    (placed,) = RequestLines(nodes_of(told)["r2"], told).of([line("inside", 1.15, "b")])
    assert (placed["trace_id"], placed["parent_id"], placed["depth"]) == ("r1", "r1", 1)
