"""`events --tree` shows who called whom."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from click.testing import CliRunner, Result

from clarifai_emulator.cli import logs

PLACE = {"parent_id": "r1", "trace_id": "r1", "depth": 1}
END = {"kind": "request.finished", "rpc": "PostModelOutputs", "milliseconds": 5.0, "status": 10000}
EVENTS: list[dict[str, Any]] = [
    {"kind": "route.decided", "time": 1.0, "request_id": "r1", "model": "me/demo/agent"},
    {"kind": "route.decided", "time": 1.001, "request_id": "r2", "model": "me/demo/tool\x1b[2J", **PLACE},
    {**END, "time": 1.007, "request_id": "r2", **PLACE},
    {**END, "time": 1.009, "request_id": "r1", "milliseconds": 9.0},
]


class EventsAsked:
    """Stands for the controls of an emulator."""

    def answers(self, control: str, **request: Any) -> Iterator[dict[str, Any]]:
        assert (control, request["follow"]) == ("Events", False)
        return iter([*({"event": each} for each in EVENTS), {"result": {"last_seq": 4}}])


@pytest.fixture(autouse=True)
def controls(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def connect(_port: int | None) -> Generator[EventsAsked]:
        yield EventsAsked()

    monkeypatch.setattr(logs, "connect", connect)


def run(*words: str) -> Result:
    return CliRunner().invoke(logs.events, words)


@pytest.mark.parametrize("words", [["--tree"], ["--tree", "r2"], ["--tree", "r1"]])
def test_requests_are_below_the_one_around_them(words: list[str]) -> None:
    first, second = run(*words).output.splitlines()
    assert first.split() == ["agent", "ok", "9.0", "ms", "r1"]
    assert second.split() == ["+2.0", "ms", "tool\\x1b[2J", "ok", "5.0", "ms", "r2"], "nothing moves the cursor"
    assert second.startswith("  ")


def test_a_tree_is_a_line_of_json() -> None:
    tree = json.loads(run("--tree", "--json").output)
    assert (tree["request_id"], [each["request_id"] for each in tree["calls"]]) == ("r1", ["r2"])


def test_a_request_without_others_is_said_to_have_none() -> None:
    assert run("--tree", "r7").output == (
        "There is no request r7 with others inside it, as far as the events go back.\n"
    )
    assert run("--tree", "r7", "--json").output == ""


def test_a_tree_is_of_what_has_happened() -> None:
    done = run("--tree", "--follow")
    assert done.exit_code == 2
    assert "--tree shows what has happened: leave out --follow and --kind." in done.output
