"""Writes a report as SARIF 2.1.0, which code scanning reads."""

from __future__ import annotations

import functools
import json
from importlib.metadata import metadata, version
from typing import Any
from urllib.parse import quote

from clarifai_emulator.contracts.reports.report import Report, change_text, used_by_text
from clarifai_emulator.contracts.rules.example import example_of, in_markdown
from clarifai_emulator.contracts.rules.finding import Finding, Location
from clarifai_emulator.contracts.rules.rule import Rule, Severity

_LEVELS = {
    Severity.ERROR: "error",
    Severity.WARNING: "warning",
    Severity.UNCHECKED: "note",
    Severity.NOTE: "note",
}
SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def render(report: Report) -> str:
    """Return the document, with a line break at its end."""
    ids = list(dict.fromkeys(each.rule for each in report.findings))
    driver = {
        "name": "clarifai-emulator",
        "semanticVersion": version("clarifai-emulator"),
        "rules": [_rule(report, each) for each in ids],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"ROOT": {"uri": report.root.as_uri().rstrip("/") + "/"}},
        "results": [_result(report, each, ids.index(each.rule)) for each in report.findings],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, ensure_ascii=False) + "\n"


def _rule(report: Report, rule_id: str) -> dict[str, Any]:
    rule = report.rule_of(rule_id)
    if rule is None:
        return {"id": rule_id}
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.explanation or rule.title},
        "helpUri": f"{_documentation()}#{rule.id}",
        "help": {"text": rule.fix or rule.title, "markdown": _help(rule)},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
    }


@functools.cache
def _documentation() -> str:
    """Return the address of the page of rules: of the documentation that the distribution names, else its path in
    the repository."""
    named = (each.partition(",") for each in metadata("clarifai-emulator").get_all("Project-URL") or ())
    base = next((url.strip() for label, _, url in named if label.strip().lower() == "documentation"), "docs")
    return f"{base.rstrip('/')}/rules.md"


def _help(rule: Rule) -> str:
    """Return what to do about the rule in Markdown, with code that breaks it and the same mended."""
    return f"{rule.fix or rule.title}\n\n{in_markdown(example_of(rule.id))}"


def _result(report: Report, finding: Finding, index: int) -> dict[str, Any]:
    told = (finding.message, change_text(finding), used_by_text(report, finding), finding.hint)
    text = " ".join(each if each.endswith((".", "?", "!", "`")) else f"{each}." for each in told if each)
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": _LEVELS[finding.severity],
        "message": {"text": text},
        "partialFingerprints": {"clarifaiContract/v1": report.fingerprint(finding)},
        "properties": {"severity": finding.severity.value, "model": finding.model, "method": finding.method},
    }
    if finding.location is not None:
        result["locations"] = [_location(report, finding.location)]
    related = [(each, "breaks") for each in finding.used_by]
    if finding.declared is not None:
        related.insert(0, (finding.declared, "declared here"))
    if related:
        result["relatedLocations"] = [
            {"id": number, **_location(report, where), "message": {"text": _said(where, text)}}
            for number, (where, text) in enumerate(related, 1)
        ]
    return result


def _said(where: Location, text: str) -> str:
    """Add the revision: a URI can name the file of today only."""
    return f"{text}, in revision {where.revision}" if where.revision else text


def _location(report: Report, where: Location) -> dict[str, Any]:
    path = report.file(where)
    inside = not path.startswith(("/", "../"))
    artifact = {"uri": quote(path), "uriBaseId": "ROOT"} if inside else {"uri": where.path.as_uri()}
    physical: dict[str, Any] = {"artifactLocation": artifact}
    # A line of a cell is no line of the file: the notebook as a whole is named then.
    if where.line and not where.cell and not where.revision:
        region = {"startLine": where.line}
        if where.column:
            region["startColumn"] = where.column
        if where.end_line >= where.line and where.end_column:
            region |= {"endLine": where.end_line, "endColumn": where.end_column}
        physical["region"] = region
    location: dict[str, Any] = {"physicalLocation": physical}
    if where.cell:
        location["message"] = {"text": f"cell {where.cell}, line {where.line}"}
    return location
