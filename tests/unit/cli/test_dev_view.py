"""The foot of the screen of ``dev`` shows what runs, what loads and what is broken."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from clarifai_emulator.cli.dev_view import DevView, screen
from clarifai_emulator.cli.load_times import Loading, LoadTimes


def view_of(folder: Path) -> DevView:
    return DevView("http://127.0.0.1:7878", ["a"], Loading(LoadTimes(folder / "times.json"), lambda model: model))


@pytest.fixture
def view(tmp_path: Path) -> DevView:
    return view_of(tmp_path)


def drawn(view: DevView, width: int = 150) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(view.render(width))
    return console.file.getvalue()  # type: ignore[attr-defined]


def reload_event(kind: str, **fields: Any) -> dict[str, Any]:
    return {"kind": kind, "time": 0.0, "deployment_id": "deploy-a", "model_id": "a", **fields}


FAILURE = {
    "message": "SyntaxError: no",
    "hint": "Mend it.",
    "file": "1/model.py",
    "line": 3,
    "frame": "> 3 | x",
    "traceback": "",
}
REPLICA = {"replica_id": "1234567890", "state": "live", "pid": 77, "nodepool": "me/local/cpu", "devices": []}
STATE = {
    "dev": [{"deployment_id": "deploy-a", "code": "abcdef0123", "strict": False}],
    "deployments": [{"deployment_id": "deploy-a", "versions": [{"replicas": [REPLICA], "in_flight": 3}]}],
}


def test_a_broken_edit_is_shown_until_it_is_mended(view: DevView) -> None:
    view.feed(reload_event("reload.failed", failure=FAILURE))
    text = drawn(view)
    assert "deploy-a: 1/model.py:3: SyntaxError: no" in text
    assert "Mend it. The last good code goes on serving." in text
    view.feed(reload_event("reload.ready"))
    assert "SyntaxError" not in drawn(view)


def test_a_broken_edit_says_what_becomes_of_requests_meanwhile(view: DevView) -> None:
    view.feed(reload_event("reload.failed", failure=FAILURE))
    view.status({"dev": [{"deployment_id": "deploy-a", "code": "x", "strict": True}]})
    assert "Mend it. Requests fail until then (--strict)." in drawn(view)


def test_replicas_are_shown_with_their_code(view: DevView) -> None:
    view.status(STATE)
    (line,) = [line for line in drawn(view).splitlines() if "12345678" in line]
    assert line.split() == ["deploy-a", "12345678", "live", "abcdef01", "77", "3"]


def test_what_loads_is_shown_with_its_time_and_the_last(tmp_path: Path) -> None:
    times = LoadTimes(tmp_path / "times.json")
    times.note("a", 24.2)
    loading = Loading(times, lambda model: model)
    view = DevView("http://127.0.0.1:7878", ["a"], loading)
    event = {"replica_id": "r", "deployment_id": "deploy-a", "model_id": "a"}
    loading.feed({"kind": "replica.starting", "time": time.time() - 12, **event})
    assert "a: loading weights… 12 s (last time 24 s)" in drawn(view)
    loading.feed({"kind": "replica.live", "time": time.time(), **event})
    assert "loading" not in drawn(view)


def test_a_topology_that_cannot_be_used_is_shown_until_it_is_mended(view: DevView) -> None:
    view.feed({"kind": "topology.refused", "time": 0.0, "message": "The topology is as it was"})
    assert "The topology is as it was" in drawn(view)
    view.feed({"kind": "topology.applied", "time": 0.0, "message": "nodepool b: other max_instances"})
    assert "The topology is as it was" not in drawn(view)


def test_of_many_findings_in_clients_the_first_are_shown(view: DevView) -> None:
    finding = {"severity": "error", "rule": "r", "place": "c.py:1", "message": "no", "hint": ""}
    view.feed({"kind": "dev.checked", "time": 0.0, "message": "12 errors", "findings": [finding] * 12})
    text = drawn(view)
    assert text.count("error[r]") == 8
    assert "and 4 more" in text


@pytest.mark.parametrize("width", [60, 80, 120])
def test_it_fits_terminals_of_any_width_and_cuts_no_word(view: DevView, width: int) -> None:
    view.status(STATE)
    text = drawn(view, width)
    assert all(len(line) <= width for line in text.splitlines())
    assert all(
        word in text for word in ("deployment", "replica", "state", "in flight", "deploy-a", "12345678", "live")
    )


def test_what_scrolls_by_is_whole_also_where_the_terminal_is_narrow(view: DevView) -> None:
    console = Console(file=io.StringIO(), width=40, color_system=None, force_terminal=True)
    with screen(view, console) as shown:
        shown.tell(
            ["10:00:00  │ " + "x" * 100, "10:00:00  reload.ready  a: swap of 1/model.py: predict has changed"]
        )
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "x" * 100 in text
    assert "predict has" in text
