"""Writes a report as SARIF 2.1.0, which code scanning reads."""

from __future__ import annotations

import functools
import json
from importlib.metadata import metadata, version
from typing import Any
from urllib.parse import quote

from clarifai_emulator.contracts.reports.report import Report, caller_sentence, change_text, used_by_text
from clarifai_emulator.contracts.rules.example import example_of, in_markdown
from clarifai_emulator.contracts.rules.finding import Edit, Finding, Location
from clarifai_emulator.contracts.rules.rule import Rule, Severity

_LEVELS = {
    Severity.ERROR: "error",
    Severity.WARNING: "warning",
    Severity.UNCHECKED: "note",
    Severity.NOTE: "note",
}
# The light distribution has these modules under another name.
_DISTRIBUTION = __name__.partition(".")[0].replace("_", "-")
SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def render(report: Report) -> str:
    """Return the document, with a line break at its end."""
    ids = list(dict.fromkeys(each.rule for each in report.findings))
    driver = {
        "name": _DISTRIBUTION,
        "semanticVersion": version(_DISTRIBUTION),
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
    page = rules_page()
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.explanation or rule.title},
        # SARIF takes a whole address only: without one, the help says where to read.
        **({"helpUri": f"{page}#{rule.id}"} if page else {}),
        "help": {"text": rule.fix or rule.title, "markdown": _help(rule)},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
    }


@functools.cache
def rules_page() -> str:
    """Return the address of the page of rules in the documentation that the distribution names in its
    `[project.urls]`; an empty text where it names none."""
    named = (each.partition(",") for each in metadata(_DISTRIBUTION).get_all("Project-URL") or ())
    base = next((url.strip() for label, _, url in named if label.strip().lower() == "documentation"), "")
    return f"{base.rstrip('/')}/rules.md" if base else ""


def _help(rule: Rule) -> str:
    """Return what to do about the rule in Markdown, with code that breaks it and the same mended."""
    more = f"`{_DISTRIBUTION} contract rules {rule.id}` explains it."
    return f"{rule.fix or rule.title}\n\n{in_markdown(example_of(rule.id))}\n\n{more}"


def _result(report: Report, finding: Finding, index: int) -> dict[str, Any]:
    told = (
        finding.message,
        caller_sentence(finding),
        change_text(finding),
        used_by_text(report, finding),
        finding.hint,
    )
    text = " ".join(each if each.endswith((".", "?", "!", "`")) else f"{each}." for each in told if each)
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": _LEVELS[finding.severity],
        "message": {"text": text},
        "partialFingerprints": {"clarifaiContract/v1": report.fingerprint(finding)},
        "properties": {
            "severity": finding.severity.value,
            "model": finding.model,
            "method": finding.method,
            **({"caller": finding.caller} if finding.caller else {}),
        },
    }
    if finding.location is not None:
        result["locations"] = [_location(report, finding.location)]
    if finding.edit is not None and not finding.edit.location.cell:
        result["fixes"] = [_fix(report, finding, finding.edit)]
    related = [(each, "breaks") for each in finding.used_by]
    if finding.declared is not None:
        related.insert(0, (finding.declared, "declared here"))
    if related:
        result["relatedLocations"] = [
            {"id": number, **_location(report, where), "message": {"text": _said(where, text)}}
            for number, (where, text) in enumerate(related, 1)
        ]
    return result


def _fix(report: Report, finding: Finding, edit: Edit) -> dict[str, Any]:
    """Return the change of a file; of a notebook there is none, since its lines are not those of the file."""
    replacement = {"deletedRegion": _region(edit.location), "insertedContent": {"text": edit.text}}
    change = {"artifactLocation": _artifact(report, edit.location), "replacements": [replacement]}
    return {"description": {"text": finding.hint or finding.message}, "artifactChanges": [change]}


def _said(where: Location, text: str) -> str:
    """Add the revision: a URI can name the file of today only."""
    return f"{text}, in revision {where.revision}" if where.revision else text


def _location(report: Report, where: Location) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": _artifact(report, where)}
    # A line of a cell is no line of the file: the notebook as a whole is named then.
    if where.line and not where.cell and not where.revision:
        physical["region"] = _region(where)
    location: dict[str, Any] = {"physicalLocation": physical}
    if where.cell:
        location["message"] = {"text": f"cell {where.cell}, line {where.line}"}
    return location


def _artifact(report: Report, where: Location) -> dict[str, str]:
    path = report.file(where)
    inside = not path.startswith(("/", "../"))
    return {"uri": quote(path), "uriBaseId": "ROOT"} if inside else {"uri": where.path.as_uri()}


def _region(where: Location) -> dict[str, int]:
    region = {"startLine": where.line}
    if where.column:
        region["startColumn"] = where.column
    if where.end_line >= where.line and where.end_column:
        region |= {"endLine": where.end_line, "endColumn": where.end_column}
    return region
