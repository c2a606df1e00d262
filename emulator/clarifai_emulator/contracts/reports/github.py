"""Writes a report as GitHub's workflow commands: an annotation at the line of each finding."""

from __future__ import annotations

from clarifai_emulator.contracts.reports.report import Report, full_text
from clarifai_emulator.contracts.rules.finding import Finding
from clarifai_emulator.contracts.rules.rule import Severity

_COMMANDS = {
    Severity.ERROR: "error",
    Severity.WARNING: "warning",
    Severity.UNCHECKED: "warning",
    Severity.NOTE: "notice",
}


def render(report: Report) -> str:
    """Write one command in each line, and the summary as a notice."""
    lines = [_annotation(report, each) for each in report.findings]
    return "\n".join([*lines, f"::notice title={report.title}::{_message(report.summary())}", ""])


def _annotation(report: Report, finding: Finding) -> str:
    where = finding.location
    facts: dict[str, str] = {}
    if where is not None:
        facts["file"] = report.file(where)
        # A line of a cell is no line of the file.
        if where.line and not where.cell:
            facts["line"] = str(where.line)
            if where.column:
                facts["col"] = str(where.column)
            if where.end_line >= where.line and where.end_column > 1:
                # GitHub takes the last column itself, and none where the lines differ.
                facts |= {"endLine": str(where.end_line)}
                facts |= {"endColumn": str(where.end_column - 1)} if where.end_line == where.line else {}
    unchecked = "not checked: " if finding.severity is Severity.UNCHECKED else ""
    facts["title"] = f"{unchecked}{finding.rule}"
    shown = ",".join(f"{name}={_property(value)}" for name, value in facts.items())
    cell = f"Cell {where.cell}, line {where.line}: " if where is not None and where.cell else ""
    return f"::{_COMMANDS[finding.severity]} {shown}::{_message(cell + full_text(report, finding))}"


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
