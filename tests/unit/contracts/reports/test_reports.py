"""Reports: what people read, and what other programs read, held against the formats' own rules."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from email.message import Message
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import click
import jsonschema
import pytest

from clarifai_emulator.contracts.reports import FORMATS, render, sarif
from clarifai_emulator.contracts.reports.judged_call import JudgedCall, Verdict
from clarifai_emulator.contracts.reports.report import Report
from clarifai_emulator.contracts.rules import RULES
from clarifai_emulator.contracts.rules.client_call import ClientCall
from clarifai_emulator.contracts.rules.finding import Edit, Finding, Location
from clarifai_emulator.contracts.rules.policy import Ignored
from clarifai_emulator.contracts.rules.rule import Severity
from unit.contracts.reports import schemas

ROOT = Path("/repo")
REPOSITORY = Path(__file__).parents[4]
LINES = {
    "client.py": ["import x", "", "    model.predict(n='3')"],
    "model.py": ["class M:", "    def predict(self, n: int) -> str:"],
    "try.ipynb": ["model.predict(n=<b>)"],
}
WRONG = Finding(
    rule="wrong-type",
    severity=Severity.ERROR,
    message="predict(): argument 'n' is '3' (str), and int is expected.",
    hint="Give a value of the type that the message names.",
    location=Location(ROOT / "client.py", 3, 19, 3, 24),
    declared=Location(ROOT / "model.py", 2, 23, 2, 29),
    model="hello",
    method="predict",
    edit=Edit(Location(ROOT / "client.py", 3, 21, 3, 24), "3"),
)
UNCHECKED = Finding(
    rule="unresolved-call",
    severity=Severity.UNCHECKED,
    message="100 % | of <b>these</b>,\nand: more are not checked.",
    location=Location(ROOT / "try.ipynb", 1, 1, 1, 5, cell=4),
)
NOTE = Finding(rule="ignore-comment", severity=Severity.NOTE, message="Of nothing in particular.")
RENAMED = Finding(
    rule="parameter-renamed",
    severity=Severity.ERROR,
    message="predict(): argument 'm' (int) is gone, and 'n' of the same type is new.",
    hint="Keep the old name.",
    location=Location(ROOT / "model.py", 2, 23, 2, 29),
    declared=Location(Path("main:old/model.py"), 1, 5, revision="main"),
    model="hello",
    method="predict",
    old="predict(m: int) -> str",
    new="predict(n: int) -> str",
    used_by=(Location(ROOT / "client.py", 3, 5, 3, 24), Location(ROOT / "client.py", 1, 1)),
)
WARNING = replace(WRONG, rule="stream-read-twice", severity=Severity.WARNING, declared=None, hint="")
ALL = (WRONG, WARNING, UNCHECKED, NOTE, RENAMED)
CALL = ClientCall(Location(ROOT / "client.py", 3, 5, 3, 18), "predict()", "hello")
CALLS = (JudgedCall(CALL, Verdict.CHECKED),) * 14
WRONG_CALL = JudgedCall(CALL, Verdict.ERROR, WRONG.rule, WRONG.message)
IN_CELL = ClientCall(Location(ROOT / "try.ipynb", 1, 1, 1, 8, cell=4), "chat.completions.create()")
OTHER_CALLS = (
    JudgedCall(IN_CELL, Verdict.UNCHECKED, "unresolved-request", "It is not known."),
    JudgedCall(CALL, Verdict.WARNING, "stream-read-twice", "Twice."),
    JudgedCall(replace(CALL, called="predict\n ()"), Verdict.IGNORED, "wrong-type", "the next version takes it"),
)


def lines_of(path: Path, cell: int) -> Sequence[str]:
    return LINES[path.name]


def report(*findings: Finding, **more: Any) -> Report:
    return Report(
        findings=findings,
        root=ROOT,
        lines_of=lines_of,
        rule_of=RULES.get,
        files=3,
        calls=more.pop("calls", CALLS),
        seconds=0.42,
        failed=bool(findings),
        **more,
    )


def test_people_see_the_line_what_is_wrong_with_it_and_where_it_is_declared():
    text = click.unstyle(render(report(WRONG), "text"))

    assert text.splitlines() == [
        "error[wrong-type] predict(): argument 'n' is '3' (str), and int is expected.",
        "  --> client.py:3:19",
        "    3 |     model.predict(n='3')",
        "      |                   ^^^^^",
        "  declared: model.py:2:23",
        "      def predict(self, n: int) -> str:",
        "  next: Give a value of the type that the message names.",
        "",
        "1 error; 3 files and 14 calls checked in 0.4 s.",
    ]


def test_people_may_see_every_call_with_what_became_of_it():
    calls = (CALLS[0], WRONG_CALL, *OTHER_CALLS)
    text = click.unstyle(render(report(calls=calls, shows_calls=True), "text"))

    assert text.splitlines() == [
        "client.py:3:5: checked: predict() of hello",
        "client.py:3:5: error: predict() of hello [wrong-type]",
        "try.ipynb#cell4:1:1: unchecked: chat.completions.create() [unresolved-request]",
        "client.py:3:5: warning: predict() of hello [stream-read-twice]",
        "client.py:3:5: ignored: predict () of hello [wrong-type: the next version takes it]",
        "",
        "nothing found; 3 files, 5 calls (1 checked, 1 unchecked, 2 wrong, 1 ignored) in 0.4 s.",
    ]
    assert click.unstyle(render(report(calls=calls), "text")).splitlines() == text.splitlines()[-1:]


def test_other_programs_see_every_call_too():
    document = json.loads(render(report(calls=(CALLS[0], WRONG_CALL, *OTHER_CALLS)), "json"))

    jsonschema.validate(document, schemas.JSON_REPORT)
    assert document["calls"][1] == {
        "verdict": "error",
        "file": "client.py",
        "line": 3,
        "column": 5,
        "end_line": 3,
        "end_column": 18,
        "called": "predict()",
        "model": "hello",
        "caller": "",
        "rule": "wrong-type",
        "reason": WRONG.message,
    }
    assert document["calls"][2]["cell"] == 4
    assert document["summary"]["calls"] == 5
    assert document["summary"]["calls_by_verdict"] == {
        "checked": 1,
        "unchecked": 1,
        "warning": 1,
        "error": 1,
        "ignored": 1,
    }


def test_people_see_both_signatures_of_a_change_and_the_calls_that_it_breaks():
    text = click.unstyle(render(report(RENAMED, command="contract diff", scope="1 model compared"), "text"))

    assert text.splitlines() == [
        "error[parameter-renamed] predict(): argument 'm' (int) is gone, and 'n' of the same type is new.",
        "  --> model.py:2:23",
        "    2 |     def predict(self, n: int) -> str:",
        "      |                       ^^^^^^",
        "  was: predict(m: int) -> str  (main:old/model.py:1:5)",
        "  now: predict(n: int) -> str",
        "  breaks: client.py:3:5  model.predict(n='3')",
        "          client.py:1:1  import x",
        "  next: Keep the old name.",
        "",
        "1 error; 1 model compared in 0.4 s.",
    ]


def test_other_programs_get_the_signatures_and_the_calls_too():
    told = (
        "Before: predict(m: int) -> str; now: predict(n: int) -> str. Breaks 2 calls: client.py:3:5, client.py:1:1."
    )
    for name in ("junit", "github", "gitlab"):
        text = render(report(RENAMED, command="contract diff"), name)
        assert told in text.replace("&gt;", ">"), name
    assert "::notice title=clarifai-emulator contract diff::" in render(report(command="contract diff"), "github")

    row = json.loads(render(report(RENAMED), "json"))["findings"][0]
    assert (row["old"], row["new"]) == ("predict(m: int) -> str", "predict(n: int) -> str")
    assert [each["line"] for each in row["used_by"]] == [3, 1]
    assert (row["declared"]["file"], row["declared"]["revision"]) == ("old/model.py", "main")

    result = json.loads(render(report(RENAMED), "sarif"))["runs"][0]["results"][0]
    old, *calls = result["relatedLocations"]
    assert old["message"]["text"] == "declared here, in revision main"
    assert old["physicalLocation"] == {"artifactLocation": {"uri": "old/model.py", "uriBaseId": "ROOT"}}
    assert [each["physicalLocation"]["region"]["startLine"] for each in calls] == [3, 1]


def described(rule: str) -> dict[str, Any]:
    """Return what SARIF says of a rule; held against the schema."""
    document = json.loads(render(report(Finding(rule, Severity.ERROR, "Found.")), "sarif"))
    schemas.sarif().validate(document)
    (entry,) = document["runs"][0]["tool"]["driver"]["rules"]
    return entry


def test_a_rule_in_sarif_says_what_to_do_with_an_example_and_where_to_read_more():
    entry = described("parameter-renamed")
    assert "helpUri" not in entry, "the project has no public address"
    assert entry["help"]["markdown"].startswith("Keep the old name.\n\nFound:\n\n```diff\n-def ")
    assert entry["help"]["markdown"].endswith(
        "\n\n`clarifai-emulator contract rules parameter-renamed` explains it."
    )


def test_a_rule_in_sarif_has_its_page_where_the_distribution_hasrules_page(monkeypatch: pytest.MonkeyPatch):
    named = Message()
    named["Project-URL"] = "Source, https://example.com/source"
    named["Project-URL"] = "Documentation, https://example.com/docs/"

    def metadata(distribution: str) -> Message:
        return named if distribution == "clarifai-emulator" else Message()

    monkeypatch.setattr(sarif, "metadata", metadata)
    sarif.rules_page.cache_clear()
    try:
        entry = described("parameter-renamed")
    finally:
        sarif.rules_page.cache_clear()
    assert entry["helpUri"] == "https://example.com/docs/rules.md#parameter-renamed"
    assert "### parameter-renamed\n" in (REPOSITORY / "docs" / "rules.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_is_valid_sarif_with_code_that_is_right(rule: str):
    assert described(rule)["help"]["markdown"].count("```") >= 2


def test_what_a_finding_advises_is_a_fix_in_sarif_and_an_edit_in_json():
    row = json.loads(render(report(WRONG, WARNING), "json"))["findings"]
    assert row[0]["edit"] == {
        "file": "client.py", "line": 3, "column": 21, "end_line": 3, "end_column": 24, "text": "3",
    }  # fmt: skip
    (fix,) = json.loads(render(report(WRONG), "sarif"))["runs"][0]["results"][0]["fixes"]
    assert fix == {
        "description": {"text": "Give a value of the type that the message names."},
        "artifactChanges": [
            {
                "artifactLocation": {"uri": "client.py", "uriBaseId": "ROOT"},
                "replacements": [
                    {
                        "deletedRegion": {"startLine": 3, "startColumn": 21, "endLine": 3, "endColumn": 24},
                        "insertedContent": {"text": "3"},
                    }
                ],
            }
        ],
    }


def test_a_change_of_a_notebook_is_no_fix_in_sarif():
    edit = Edit(Location(ROOT / "try.ipynb", 1, 1, 1, 5, cell=4), "x")
    document = json.loads(render(report(replace(UNCHECKED, edit=edit)), "sarif"))
    assert "fixes" not in document["runs"][0]["results"][0]
    assert json.loads(render(report(replace(UNCHECKED, edit=edit)), "json"))["findings"][0]["edit"]["cell"] == 4


def test_the_summary_counts_what_was_ignored_and_what_was_known():
    text = render(report(WRONG, UNCHECKED, ignored=[Ignored(NOTE, "why")], known=2), "text")

    assert "1 error, 1 unchecked, 1 ignored, 2 in the baseline; 3 files" in text


def test_nothing_found_says_so():
    assert click.unstyle(render(report(), "text")) == "nothing found; 3 files and 14 calls checked in 0.4 s.\n"


@pytest.mark.parametrize("findings", [ALL, ()])
def test_json_has_rule_severity_file_line_column_and_message(findings: tuple[Finding, ...]):
    document = json.loads(render(report(*findings, ignored=[Ignored(WRONG, "why")]), "json"))

    jsonschema.validate(document, schemas.JSON_REPORT)
    assert document["summary"]["calls"] == 14
    assert document["ignored"][0]["reason"] == "why"
    if findings:
        row = document["findings"][0]
        assert (row["rule"], row["severity"]) == ("wrong-type", "error")
        assert (row["file"], row["line"], row["column"]) == ("client.py", 3, 19)
        assert (row["declared"]["file"], row["declared"]["line"]) == ("model.py", 2)
        assert document["findings"][2]["cell"] == 4


@pytest.mark.parametrize("findings", [ALL, ()])
def test_sarif_follows_its_schema(findings: tuple[Finding, ...]):
    document = json.loads(render(report(*findings), "sarif"))

    schemas.sarif().validate(document)
    (run,) = document["runs"]
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
    if findings:
        first = run["results"][0]
        assert first["level"] == "error"
        assert first["locations"][0]["physicalLocation"]["region"] == {
            "startLine": 3, "startColumn": 19, "endLine": 3, "endColumn": 24,
        }  # fmt: skip
        assert first["relatedLocations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "model.py"
        assert run["results"][2]["level"] == "note"
        assert "region" not in run["results"][2]["locations"][0]["physicalLocation"]


@pytest.mark.parametrize("findings", [ALL, ()])
def test_gitlab_gets_what_its_report_needs(findings: tuple[Finding, ...]):
    rows = json.loads(render(report(*findings), "gitlab"))

    jsonschema.validate(rows, schemas.GITLAB)
    assert len({row["fingerprint"] for row in rows}) == len(findings)
    if findings:
        assert rows[0]["location"] == {"path": "client.py", "lines": {"begin": 3}}


@pytest.mark.parametrize("findings", [ALL, ()])
def test_junit_follows_its_schema_and_counts_its_cases(findings: tuple[Finding, ...]):
    text = render(report(*findings), "junit")

    schemas.junit().validate(text)
    suite = ET.fromstring(text)[0]
    assert suite.get("tests") == str(max(1, len(findings))) == str(len(suite))
    if findings:
        assert (suite.get("failures"), suite.get("skipped")) == ("3", "1")
        failure = suite[0].find("failure")
        assert failure is not None
        assert failure.text == (
            "predict(): argument 'n' is '3' (str), and int is expected. Declared in model.py:2:23. "
            "Give a value of the type that the message names."
        )


def test_github_gets_one_command_a_line_with_everything_escaped():
    lines = render(report(*ALL), "github").splitlines()

    assert lines[0] == (
        "::error file=client.py,line=3,col=19,endLine=3,endColumn=23,title=wrong-type::predict(): argument 'n' is "
        "'3' (str), and int is expected. Declared in model.py:2:23. "
        "Give a value of the type that the message names."
    )
    assert lines[2] == (
        "::warning file=try.ipynb,title=not checked%3A unresolved-call::Cell 4, line 1: 100 %25 | of "
        "<b>these</b>,%0Aand: more are not checked."
    )
    assert all(re.fullmatch(r"::(error|warning|notice) ([a-zA-Z]+=[^,:]*,?)+::.*", line) for line in lines)
    assert lines[-1].startswith(
        "::notice title=clarifai-emulator check::2 errors, 1 warning, 1 unchecked, 1 note; "
    )


def test_markdown_is_one_table_whose_rows_stay_on_their_line():
    text = render(report(*ALL), "markdown")

    assert text.startswith("### clarifai-emulator check: failed\n\n| severity |")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) == 6
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {5}
    assert "<b>" not in text.replace("\\<b\\>", "")


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_ends_its_last_line(name: str):
    assert render(report(*ALL), name).endswith("\n")
    assert render(report(), name).endswith("\n")
