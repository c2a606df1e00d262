"""Writes a report as SARIF 2.1.0, which code scanning reads."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Any
from urllib.parse import quote

from clarifai_emulator.contracts.reports.report import Report
from clarifai_emulator.contracts.rules.finding import Finding, Location
from clarifai_emulator.contracts.rules.rule import Severity

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
        "help": {"text": rule.fix or rule.title},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
    }


def _result(report: Report, finding: Finding, index: int) -> dict[str, Any]:
    text = f"{finding.message} {finding.hint}".strip()
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
    if finding.declared is not None:
        declared = {"id": 1, **_location(report, finding.declared), "message": {"text": "declared here"}}
        result["relatedLocations"] = [declared]
    return result


def _location(report: Report, where: Location) -> dict[str, Any]:
    path = report.path(where)
    inside = not path.startswith("/")
    artifact = {"uri": quote(path), "uriBaseId": "ROOT"} if inside else {"uri": where.path.as_uri()}
    physical: dict[str, Any] = {"artifactLocation": artifact}
    # A line of a cell is no line of the file: the notebook as a whole is named then.
    if where.line and not where.cell:
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
