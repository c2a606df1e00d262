"""The live view of ``dev``: what has happened, in the order of what matters."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from clarifai_emulator.cli.dev_view import DevView


def drawn(view: DevView) -> str:
    console = Console(file=io.StringIO(), width=150, color_system=None)
    console.print(view.render())
    return console.file.getvalue()  # type: ignore[attr-defined]


def reload_event(kind: str, **fields: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "time": 0.0,
        "deployment_id": "deploy-a",
        "model_id": "a",
        "reload": "swap",
        "files": ["1/model.py"],
        "reason": "predict has changed",
        "milliseconds": 12.4,
        "code": "abcdef0123",
        **fields,
    }


FAILURE = {
    "message": "SyntaxError: no",
    "hint": "Mend it.",
    "file": "1/model.py",
    "line": 3,
    "frame": "> 3 | x",
    "traceback": "",
}


def test_a_reload_is_shown_with_its_kind_file_reason_and_time() -> None:
    view = DevView("http://127.0.0.1:7878", ["a"])
    view.feed(reload_event("reload.ready"))
    (line,) = [line for line in drawn(view).splitlines() if "predict has changed" in line]
    assert [word for word in line.split() if ":" not in word] == [
        "a",
        "swap",
        "1/model.py",
        "predict",
        "has",
        "changed",
        "ready",
        "12",
    ]


def test_a_broken_edit_is_shown_with_its_code_until_it_is_mended() -> None:
    view = DevView("http://127.0.0.1:7878", ["a"])
    view.feed(reload_event("reload.failed", failure=FAILURE))
    text = drawn(view)
    assert "deploy-a: 1/model.py:3: SyntaxError: no" in text
    assert "> 3 | x" in text
    assert "Mend it. The last good code goes on serving." in text
    view.feed(reload_event("reload.ready"))
    assert "SyntaxError" not in drawn(view)


def test_a_request_is_shown_with_its_route_and_the_code_that_answered() -> None:
    view = DevView("http://127.0.0.1:7878", ["a"])
    route = {"rule": "owner_default", "deployment": "me/deploy-a", "nodepools": []}
    view.feed({"kind": "route.decided", "request_id": "1", **route})
    answer = {"kind": "request.finished", "time": 0.0, "request_id": "1", "rpc": "PostModelOutputs"}
    view.feed({**answer, "status": 10000, "milliseconds": 2.5, "code": "abcdef0123"})
    (line,) = [line for line in drawn(view).splitlines() if "PostModelOutputs" in line]
    assert "owner_default → me/deploy-a" in line
    assert "abcdef01" in line
    assert line.rstrip().endswith("2.5")


def test_replicas_and_notes_are_shown() -> None:
    view = DevView("http://127.0.0.1:7878", ["a"])
    replica = {"replica_id": "1234567890", "state": "live", "pid": 77, "nodepool": "me/local/cpu", "devices": []}
    version = {"replicas": [replica], "in_flight": 3}
    view.status(
        {
            "dev": [{"deployment_id": "deploy-a", "code": "abcdef0123"}],
            "deployments": [{"deployment_id": "deploy-a", "versions": [version]}],
        }
    )
    view.feed({"kind": "dev.note", "message": "It is looked at every 0.2 s."})
    view.feed({"kind": "deployment.overcommitted", "reason": "a asks for 4 CPUs, and this machine has 2."})
    text = drawn(view)
    (line,) = [line for line in text.splitlines() if "12345678" in line]
    assert line.split() == ["deploy-a", "12345678", "live", "abcdef01", "77", "3"]
    assert "It is looked at every 0.2 s." in text
    assert "a asks for 4 CPUs, and this machine has 2." in text


def test_a_topology_that_cannot_be_used_is_shown_until_it_is_mended() -> None:
    view = DevView("http://127.0.0.1:7878", ["a"])
    view.feed({"kind": "topology.refused", "time": 0.0, "message": "The topology is as it was"})
    assert "The topology is as it was" in drawn(view)
    view.feed({"kind": "topology.applied", "time": 0.0, "message": "nodepool b: other max_instances"})
    assert "The topology is as it was" not in drawn(view)
    assert "topology: nodepool b: other max_instances" in drawn(view)


def test_a_broken_edit_says_what_becomes_of_requests_meanwhile() -> None:
    view = DevView("http://127.0.0.1:7878", ["a"])
    view.feed(reload_event("reload.failed", failure=FAILURE))
    assert "Mend it. The last good code goes on serving." in drawn(view)
    view.status({"dev": [{"deployment_id": "deploy-a", "code": "x", "strict": True}]})
    assert "Mend it. Requests fail until then (--strict)." in drawn(view)
