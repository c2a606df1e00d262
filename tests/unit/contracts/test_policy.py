"""What a project makes of findings: severities of its own, a baseline, comments with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from clarifai_emulator.contracts.finding import Finding, Location
from clarifai_emulator.contracts.policy import (
    Policy,
    judge,
    project_severities,
    read_baseline,
    write_baseline,
)
from clarifai_emulator.contracts.rule import Severity
from clarifai_emulator.contracts.rules import found
from clarifai_emulator.errors import ConfigError


def at(file: Path, line: int, rule: str = "out-of-range") -> Finding:
    return found(rule, "n is 99.", location=Location(file, line, 3))


def test_a_rule_has_the_severity_the_project_gives_it_or_none() -> None:
    finding = found("large-integer", "x")
    judged = judge([finding], Policy({"large-integer": "error"}))
    assert [each.severity for each in judged.findings] == [Severity.ERROR]
    assert judge([finding], Policy({"large-integer": "off"})).findings == ()
    assert judge([finding], Policy({"large-integer": "off"})).silenced == (finding,)


def test_a_severity_or_a_rule_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError) as raised:
        Policy({"out-of-rang": "off", "large-integer": "loud"})
    assert raised.value.problems == (
        "out-of-rang = 'off': there is no such rule; did you mean out-of-range?",
        "large-integer = 'loud': must be one of error, warning, unchecked, note, off",
    )


def test_severities_are_read_from_the_nearest_pyproject(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.clarifai-emulator.rules]\nlarge-integer = "error"\n')
    (tmp_path / "below").mkdir()
    assert project_severities(tmp_path / "below") == {"large-integer": "error"}


def test_a_comment_with_a_reason_silences_its_line_and_the_line_below(tmp_path: Path) -> None:
    file = tmp_path / "client.py"
    file.write_text(
        "model.predict(n=99)  # contract: ignore[out-of-range] the model clips it\n"
        "# contract: ignore[out-of-range, not-a-choice] tested by hand\n"
        "model.predict(n=99)\n"
        "model.predict(n=99)\n"
    )
    judged = judge([at(file, line) for line in (1, 3, 4)], Policy())
    assert [each.location.line for each in judged.findings if each.location] == [4]
    assert len(judged.silenced) == 2


def test_a_comment_without_a_reason_or_with_a_wrong_rule_is_told(tmp_path: Path) -> None:
    file = tmp_path / "client.py"
    file.write_text(
        "model.predict(n=99)  # contract: ignore[out-of-range]\n"
        "model.predict(n=99)  # contract: ignore[out-of-rang] why not\n"
    )
    judged = judge([at(file, 1), at(file, 2)], Policy())
    assert [(each.rule, each.message) for each in judged.findings] == [
        ("suppression-without-reason", "'out-of-range' is ignored without a reason."),
        ("out-of-range", "n is 99."),
        ("unknown-rule", "There is no rule 'out-of-rang'. Did you mean 'out-of-range'?"),
        ("out-of-range", "n is 99."),
    ]


def test_a_baseline_knows_findings_wherever_their_line_is_but_not_more_of_them(tmp_path: Path) -> None:
    file = tmp_path / "client.py"
    baseline = tmp_path / "baseline.json"
    baseline.write_text(write_baseline([at(file, 1), at(file, 2)], tmp_path))
    policy = Policy({}, read_baseline(baseline), tmp_path)
    judged = judge([at(file, 11), at(file, 12), at(file, 13), at(file, 11, "not-a-choice")], policy)
    assert [(each.rule, each.location.line) for each in judged.findings if each.location] == [
        ("out-of-range", 13),
        ("not-a-choice", 11),
    ]


def test_a_baseline_that_is_none_says_how_to_write_one(tmp_path: Path) -> None:
    file = tmp_path / "baseline.json"
    file.write_text("{}")
    with pytest.raises(ConfigError) as raised:
        read_baseline(file)
    assert raised.value.hint == "Write it again with --write-baseline."


def test_severities_have_an_order() -> None:
    findings = [found("large-integer", "w"), found("stubbed-module", "n"), found("unknown-type", "u")]
    judged = judge([*findings, found("wrong-type", "e")], Policy())
    assert [len(judged.at_least(each)) for each in list(Severity)] == [1, 2, 3, 4]
