"""Levels, comments that ignore a rule, and a baseline choose the findings that count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from clarifai_emulator.contracts.rules.finding import Finding, Location
from clarifai_emulator.contracts.rules.policy import (
    Policy,
    fingerprint,
    judge,
    read_baseline,
    read_levels,
    relative,
    write_baseline,
)
from clarifai_emulator.contracts.rules.rule import Severity
from clarifai_emulator.errors import ConfigError

CLIENT = Path("/repo/client.py")


def finding(
    line: int = 1, rule: str = "unknown-method", severity: Severity = Severity.ERROR, cell: int = 0
) -> Finding:
    return Finding(rule, severity, "There is no method 'predct'.", location=Location(CLIENT, line, 1, cell=cell))


def lines(*text: str, cells: Mapping[int, Sequence[str]] | None = None):
    return lambda path, cell: (cells or {}).get(cell, text)


def test_a_level_changes_the_severity_and_off_drops_the_finding():
    levels = read_levels(["unknown-method=warning", "other=off"], ["unknown-method", "other"])

    judged = judge([finding(), finding(rule="other")], Policy(levels), lines("model.predct()"))

    assert [(each.rule, each.severity) for each in judged.findings] == [("unknown-method", Severity.WARNING)]


def test_levels_that_cannot_be_understood_are_all_named():
    with pytest.raises(ConfigError) as caught:
        read_levels(["unknown-metod=off", "unknown-method=loud"], ["unknown-method"])

    assert str(caught.value).splitlines() == [
        "The severities cannot be used:",
        "  - 'unknown-metod=off': there is no rule 'unknown-metod'. Did you mean 'unknown-method'?",
        "  - 'unknown-method=loud': the level is one of error, warning, unchecked, note, off.",
        "Write RULE=LEVEL.",
    ]


def test_a_comment_about_a_rule_that_was_not_looked_for_is_not_useless():
    code = lines("x = 1  # clarifai: ignore[wrong-type] the model takes it", "y = 2")

    def rules(*looked_for: str) -> list[str]:
        return [each.rule for each in judge([finding(2)], Policy(), code, rules=looked_for).findings]

    assert rules("unknown-method") == ["unknown-method"]
    assert rules("unknown-method", "wrong-type") == ["ignore-comment", "unknown-method"]


def test_paths_are_shown_from_where_one_stands():
    here = Path("/repo/app")
    assert relative(Path("/repo/app/client.py"), here) == "client.py"
    assert relative(Path("/repo/models/hello"), here) == "../models/hello"
    assert relative(Path("/elsewhere/hello"), here) == "/elsewhere/hello"
    assert relative(Path("main:models/hello"), here) == "main:models/hello"


@pytest.mark.parametrize(
    ("code", "line"),
    [
        (["model.predct()  # clarifai: ignore[unknown-method] the next version has it"], 1),
        (["# clarifai: ignore[unknown-method] the next version has it", "model.predct()"], 2),
    ],
)
def test_a_comment_with_a_reason_ignores_its_rule(code: list[str], line: int):
    judged = judge([finding(line)], Policy(), lines(*code))

    assert judged.findings == ()
    assert [each.reason for each in judged.ignored] == ["the next version has it"]


def test_a_comment_in_a_notebook_counts_for_its_own_cell():
    cells = {1: ["model.predct()  # clarifai: ignore[unknown-method] later"], 2: ["model.predct()"]}

    judged = judge([finding(cell=1), finding(cell=2)], Policy(), lines(cells=cells))

    assert [each.location.cell for each in judged.findings if each.location] == [2]


@pytest.mark.parametrize(
    ("comment", "says"),
    [
        ("# clarifai: ignore", "This comment names no rule, so it ignores nothing."),
        ("# clarifai: ignore[unknown-method]", "This comment gives no reason, so it ignores nothing."),
        ("# clarifai: ignore[other] why", "This comment ignores other, which is not found here."),
    ],
)
def test_a_comment_that_ignores_nothing_is_found(comment: str, says: str):
    judged = judge([finding()], Policy(), lines(f"model.predct()  {comment}"))

    assert [each.message for each in judged.findings] == ["There is no method 'predct'.", says] or [
        each.message for each in judged.findings
    ] == [says, "There is no method 'predct'."]


def test_a_baseline_hides_what_was_there_before_and_shows_what_is_new(tmp_path: Path):
    before, file = lines("model.predct()"), tmp_path / "baseline.json"
    assert write_baseline(file, [finding(1)], Path("/repo"), before) == 1
    after = lines("import os", "model.predct()", "model.predct()")

    judged = judge([finding(2), finding(3)], Policy(baseline=read_baseline(file), root=Path("/repo")), after)

    assert judged.known == 1
    assert [each.location.line for each in judged.findings if each.location] == [3]


def test_the_fingerprint_changes_with_the_code_and_not_with_its_place():
    root = Path("/repo")
    one = fingerprint(finding(1), root, lines("model.predct()"))

    assert one == fingerprint(finding(2), root, lines("", "    model.predct()"))
    assert one != fingerprint(finding(1), root, lines("model.predct(1)"))


def test_a_baseline_that_is_not_there_is_refused_with_the_way_out(tmp_path: Path):
    with pytest.raises(ConfigError, match="there is no such file") as caught:
        read_baseline(tmp_path / "none.json")

    assert str(caught.value).endswith("Write it with --write-baseline.")


@pytest.mark.parametrize(
    ("severity", "threshold", "fails"),
    [
        (Severity.ERROR, Severity.ERROR, True),
        (Severity.WARNING, Severity.ERROR, False),
        (Severity.WARNING, Severity.WARNING, True),
        (Severity.UNCHECKED, Severity.WARNING, False),
        (Severity.UNCHECKED, Severity.UNCHECKED, True),
        (Severity.NOTE, Severity.UNCHECKED, False),
    ],
)
def test_a_threshold_takes_what_is_graver(severity: Severity, threshold: Severity, fails: bool):
    judged = judge([finding(severity=severity)], Policy(), lines("model.predct()"))

    assert judged.fails(threshold) is fails
