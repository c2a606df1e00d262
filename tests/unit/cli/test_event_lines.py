"""Tests the lines that `up` and `logs` print for events."""

from __future__ import annotations

from typing import Any

import pytest
from click import unstyle

from clarifai_emulator.cli.event_lines import EventLines

DEPLOYMENT = {"deployment_id": "d", "replica_id": "0123456789"}


def test_one_line_per_request() -> None:
    lines = EventLines()
    base = {"seq": 1, "time": 0.0, "request_id": "r"}
    decided = {**base, "kind": "route.decided", "rule": "owner_default", "deployment": "me/d", "nodepools": []}
    assert lines.line(decided) is None
    done = {**base, "kind": "request.finished", "rpc": "PostModelOutputs", "status": 10000, "milliseconds": 1.26}
    text = lines.line({**done, "replica_id": "0123456789"}) or ""
    assert unstyle(text).endswith("PostModelOutputs  owner_default → me/d  replica 01234567  ok  1.3 ms")
    failed = lines.line({**done, "status": 21353, "error": "No deployment.\n"}) or ""
    assert "21353 MODEL_NOT_DEPLOYED" in failed
    assert failed.endswith("1.3 ms\n    No deployment.")
    assert "cancelled by the client" in (lines.line({**done, "cancelled": True}) or "")


def test_a_request_inside_another_is_indented_and_says_inside_which() -> None:
    event = {"seq": 1, "time": 0.0, "kind": "request.finished", "request_id": "r", "rpc": "PostModelOutputs"}
    event |= {"status": 10000, "milliseconds": 1.26, "parent_id": "prefix-0123456789", "depth": 2}
    text = unstyle(EventLines().line(event) or "").partition("  ")[2]
    assert text == "    └ PostModelOutputs  inside 23456789  ok  1.3 ms"
    called = unstyle(EventLines().line({**event, "call": "a.predict()"}) or "").partition("  ")[2]
    assert called.startswith("    └ a.predict()")


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"kind": "route.refused", "code": 21353, "details": "No."}, "21353 MODEL_NOT_DEPLOYED: No."),
        ({"kind": "replica.live", "message": "ready", **DEPLOYMENT}, "d 01234567: ready"),
        ({"kind": "deployment.failed", "reason": "why", "traceback": "trace\n", **DEPLOYMENT}, "d: why\ntrace"),
        ({"kind": "connection.odd", "what": "TLS"}, "what=TLS"),
        ({"kind": "connection.cors", "what": f"Pages {'x' * 200}"}, f"  Pages {'x' * 200}"),
    ],
)
def test_other_events(event: dict[str, Any], said: str) -> None:
    assert (EventLines().line({"seq": 1, "time": 0.0, **event}) or "").endswith(said)


def test_a_node_of_a_workflow_says_when_it_ran_and_how_it_ended() -> None:
    node = {"workflow": "me/demo/workflows/flow", "node": "crop", "by": "operator image-crop"}
    event = {"seq": 1, "time": 0.0, "kind": "workflow.node", **node, "begun": 3.14, "milliseconds": 2.0}

    def line(**more: object) -> str:
        return unstyle(EventLines().line({**event, **more}) or "").partition("  ")[2]

    said = "workflow.node  me/demo/workflows/flow crop  operator image-crop  at 3.1 ms  2.0 ms  "
    assert line() == f"{said}ok"
    assert line(cancelled=True) == f"{said}cancelled"
    assert line(error="Node 'crop': no image.", status=30101) == f"{said}Node 'crop': no image."


def test_details_show_every_event() -> None:
    event = {"seq": 1, "time": 0.0, "kind": "work.sent", "work_id": "w"}
    assert EventLines().line(event) is None
    assert "work_id=w" in (EventLines(details=True).line(event) or "")


@pytest.mark.parametrize(
    "event",
    [
        {"kind": "request.finished", "rpc": "PostModelOutputs", "status": 1, "milliseconds": 1, "request_id": "r"},
        {"kind": "request.finished", "rpc": "P", "call": "f()", "status": 1, "milliseconds": 1, "request_id": "r"},
        {"kind": "deployment.failed", "reason": "\x1b[2J", **DEPLOYMENT},
        {"kind": "replica.crashed", "message": "\x1b[2J", **DEPLOYMENT},
        {"kind": "dev.problem", "message": "\x1b[2J"},
        {"kind": "contract.finding", "severity": "error", "rule": "r", "model": "m", "message": "\x1b[2J"},
    ],
)
def test_what_a_model_said_in_an_event_is_shown_and_not_obeyed(event: dict[str, Any]) -> None:
    error = {"error": "\x1b[2J"} if event["kind"] == "request.finished" else {}
    said = unstyle(EventLines().line({"seq": 1, "time": 0.0, **event, **error}) or "")
    assert r"\x1b[2J" in said
    assert "\x1b" not in said
