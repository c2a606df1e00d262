"""Writes a report as one JSON document: every finding with rule, severity, place and message, every call with what
became of it, and a summary.
"""

from __future__ import annotations

import json
from typing import Any

from clarifai_emulator.contracts.reports.judged_call import JudgedCall
from clarifai_emulator.contracts.reports.report import Report
from clarifai_emulator.contracts.rules.finding import Edit, Finding, Location

VERSION = 1


def render(report: Report) -> str:
    """Return the document, with a line break at its end."""
    return json.dumps(document(report), ensure_ascii=False) + "\n"


def document(report: Report) -> dict[str, Any]:
    """Return the report as JSON values."""
    return {
        "version": VERSION,
        "command": report.command,
        "failed": report.failed,
        "findings": [_finding(report, each) for each in report.findings],
        "ignored": [{**_finding(report, each.finding), "reason": each.reason} for each in report.ignored],
        "calls": [_call(report, each) for each in report.calls],
        "summary": {
            **{severity.value: number for severity, number in report.counts().items()},
            "in_baseline": report.known,
            "files": report.files,
            "calls": len(report.calls),
            "calls_by_verdict": {verdict.value: number for verdict, number in report.call_counts().items()},
            "seconds": round(report.seconds, 3),
        },
        "models": [{"model": name, "read_by": way} for name, way in report.models],
    }


def _finding(report: Report, finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "severity": finding.severity.value,
        **_place(report, finding.location),
        "message": finding.message,
        "hint": finding.hint,
        "model": finding.model,
        "method": finding.method,
        "caller": finding.caller,
        "breaks": str(rule.breaks) if (rule := report.rule_of(finding.rule)) is not None else "",
        "declared": _place(report, finding.declared) if finding.declared is not None else None,
        "old": finding.old,
        "new": finding.new,
        "edit": _edit(report, finding.edit) if finding.edit is not None else None,
        "used_by": [_place(report, each) for each in finding.used_by],
        "fingerprint": report.fingerprint(finding),
    }


def _edit(report: Report, edit: Edit) -> dict[str, Any]:
    return {**_place(report, edit.location), "text": edit.text}


def _call(report: Report, judged: JudgedCall) -> dict[str, Any]:
    return {
        "verdict": judged.verdict.value,
        **_place(report, judged.call.location),
        "called": judged.call.called,
        "model": judged.call.model,
        "caller": judged.call.caller,
        "rule": judged.rule,
        "reason": judged.reason,
    }


def _place(report: Report, where: Location | None) -> dict[str, Any]:
    if where is None:
        return {"file": "", "line": 0, "column": 0}
    place: dict[str, Any] = {
        "file": report.file(where),
        "line": where.line,
        "column": where.column,
        "end_line": where.end_line,
        "end_column": where.end_column,
    }
    more = {"cell": where.cell} if where.cell else {}
    return {**place, **more, **({"revision": where.revision} if where.revision else {})}
