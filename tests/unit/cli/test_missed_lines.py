"""The commands `events` and `logs` say what they could not show, where it would stand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from click.testing import CliRunner

from clarifai_emulator.cli import logs

EVENT = {"seq": 1, "time": 1_700_000_000.0, "kind": "topology.told", "message": "one"}
LINE = {
    "time": 1_700_000_000.0,
    "message": "one",
    "log_type": "runner",
    "stream": "model",
    "deployment_id": "d",
    "replica_id": "r",
    "model": "me/a/m",
}
ANSWERS = {
    "Events": [{"event": EVENT}, {"missed": 17}, {"event": EVENT}, {"result": {"last_seq": 2}}],
    "Logs": [{"kept": 0}, {"line": LINE}, {"missed": 17}, {"line": LINE}, {"result": {}}],
}
TEXTS = {
    "events": "17 events were missed: they came faster than they were read.",
    "logs": "17 lines were missed: they came faster than they were read.",
}


class AnswersAsked:
    """Stands for the controls of an emulator."""

    def answers(self, control: str, **request: Any) -> Iterator[dict[str, Any]]:
        assert request["follow"]
        return iter(ANSWERS[control])


@pytest.fixture(autouse=True)
def controls(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def connect(_port: int | None) -> Iterator[AnswersAsked]:
        yield AnswersAsked()

    monkeypatch.setattr(logs, "connect", connect)


@pytest.mark.parametrize("command", TEXTS)
def test_a_line_tells_how_many_were_missed(command: str) -> None:
    result = CliRunner().invoke(getattr(logs, command), ["--follow"])
    assert result.output.splitlines()[1] == f"({TEXTS[command]})", result.output
    assert len(result.output.splitlines()) == 3


@pytest.mark.parametrize("command", TEXTS)
def test_json_tells_it_too(command: str) -> None:
    result = CliRunner().invoke(getattr(logs, command), ["--follow", "--json"])
    said = [json.loads(line) for line in result.output.splitlines()]
    what = "events" if command == "events" else "lines"
    missed = {"kind": f"{what}.missed", "stream": "emulator", "message": TEXTS[command], "missed": 17}
    assert said[1] == missed
    assert len(said) == 3
