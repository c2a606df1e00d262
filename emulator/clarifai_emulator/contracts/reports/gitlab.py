"""Writes a report as GitLab's code quality report, a JSON list."""

from __future__ import annotations

import hashlib
import json

from clarifai_emulator.contracts.reports.report import Report, full_text
from clarifai_emulator.contracts.rules.rule import Severity

_SEVERITIES = {
    Severity.ERROR: "major",
    Severity.WARNING: "minor",
    Severity.UNCHECKED: "info",
    Severity.NOTE: "info",
}


def render(report: Report) -> str:
    """Return the list, with a line break at its end."""
    seen: dict[str, int] = {}
    rows: list[dict[str, object]] = []
    for each in report.findings:
        key = report.fingerprint(each)
        seen[key] = seen.get(key, 0) + 1
        where = each.location
        cell = f"Cell {where.cell}, line {where.line}: " if where is not None and where.cell else ""
        rows.append(
            {
                "description": cell + full_text(report, each),
                "check_name": each.rule,
                # GitLab shows one of several with the same fingerprint.
                "fingerprint": hashlib.sha256(f"{key}{seen[key]}".encode()).hexdigest(),
                "severity": _SEVERITIES[each.severity],
                "location": {
                    "path": report.file(where) or ".",
                    "lines": {"begin": max(1, where.line) if where is not None and not where.cell else 1},
                },
            }
        )
    return json.dumps(rows, ensure_ascii=False) + "\n"
