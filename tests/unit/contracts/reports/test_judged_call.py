"""Each call has one verdict: what is left of its findings once levels, comments and the baseline are applied."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from clarifai_emulator.contracts.reports.judged_call import judged_calls
from clarifai_emulator.contracts.reports.judged_report import Result, report_of
from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.client_call import ClientCall, merged_calls
from clarifai_emulator.contracts.rules.finding import Finding, Location
from clarifai_emulator.contracts.rules.policy import Judged, Policy, fingerprint
from clarifai_emulator.contracts.rules.rule import Severity

FILE = Path("/repo/client.py")
WHERE = Location(FILE, 1, 1, 1, 14)
WRONG = found("wrong-type", "'n' is a str.", Location(FILE, 1, 15, 1, 18))
DOUBTFUL = found("stream-read-twice", "It is read twice.", Location(FILE, 2, 1, 2, 5))
UNSEEN = found("model-not-given", "No --model was given for a/b/models/c.", Location(FILE, 1, 1, 1, 5))


def verdict(*findings: Finding, line: str = "", policy: Policy | None = None) -> tuple[str, str, str]:
    """Return verdict, rule and reason of one call."""

    def lines_of(path: Path, cell: int) -> list[str]:
        return [line, ""]

    call = ClientCall(WHERE, "predict()", "hello", findings)
    result = Result(findings, "check", lines_of=lines_of, calls=[call])
    (judged,) = report_of(result, policy or Policy(root=Path("/repo"))).calls
    return judged.verdict.value, judged.rule, judged.reason


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        ([], ("checked", "", "")),
        ([UNSEEN], ("unchecked", "model-not-given", "No --model was given for a/b/models/c.")),
        ([DOUBTFUL], ("warning", "stream-read-twice", "It is read twice.")),
        ([UNSEEN, DOUBTFUL, WRONG], ("error", "wrong-type", "'n' is a str.")),
    ],
)
def test_the_gravest_finding_decides(findings: list[Finding], expected: tuple[str, str, str]):
    assert verdict(*findings) == expected


def test_a_comment_makes_it_ignored_with_the_reason_of_the_comment():
    line = "model.predict('n')  # clarifai: ignore[wrong-type] the next version takes it"

    assert verdict(WRONG, line=line) == ("ignored", "wrong-type", "the next version takes it")
    assert verdict(WRONG, UNSEEN, line=line)[0] == "unchecked"


@pytest.mark.parametrize(
    ("level", "expected"), [(Severity.WARNING, "warning"), (Severity.NOTE, "checked"), (None, "ignored")]
)
def test_the_level_of_the_rule_decides(level: Severity | None, expected: str):
    assert verdict(WRONG, policy=Policy({"wrong-type": level}, root=Path("/repo")))[0] == expected


def test_what_the_baseline_knows_is_ignored():
    known = fingerprint(WRONG, Path("/repo"), lambda path, cell: [])

    assert verdict(WRONG, policy=Policy(baseline={known: 1}, root=Path("/repo"))) == (
        "ignored",
        "wrong-type",
        "it is in the baseline, or its rule is off",
    )


def test_calls_stand_in_the_order_of_their_places():
    later = ClientCall(replace(WHERE, line=9, end_line=9), "predict()")
    other = ClientCall(Location(Path("/repo/a.py"), 3), "predict()")
    first = ClientCall(WHERE, "predict()")

    assert [each.call for each in judged_calls([later, first, other], Judged(()))] == [other, first, later]


def test_what_is_said_of_one_place_is_one_call():
    said = [
        ClientCall(WHERE, "predict()", "hello", (WRONG,)),
        ClientCall(replace(WHERE, line=2), "generate()"),
        ClientCall(WHERE, "predict()", "other", (WRONG, UNSEEN)),
    ]

    assert merged_calls(said) == [
        ClientCall(WHERE, "predict()", "hello, other", (WRONG, UNSEEN)),
        ClientCall(replace(WHERE, line=2), "generate()"),
    ]
