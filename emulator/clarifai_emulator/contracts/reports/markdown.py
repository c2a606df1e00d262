"""Writes a report as Markdown: a table for a pull request's comment or a job's summary."""

from __future__ import annotations

from clarifai_emulator.contracts.reports.report import (
    Report,
    caller_sentence,
    change_text,
    declared_text,
    used_by_text,
)
from clarifai_emulator.contracts.rules.finding import Finding

_HEAD = "| severity | place | what is wrong | what to do |\n|---|---|---|---|"


def render(report: Report) -> str:
    """Return a heading with the result, the table, and the summary."""
    result = "failed" if report.failed else "passed"
    parts = [f"### {report.title}: {result}"]
    if report.findings:
        parts.append("\n".join([_HEAD, *(_row(report, each) for each in report.findings)]))
    parts.append(_escaped(report.summary()) + ".")
    return "\n\n".join(parts) + "\n"


def _row(report: Report, finding: Finding) -> str:
    more = (
        caller_sentence(finding),
        change_text(finding),
        used_by_text(report, finding),
        declared_text(report, finding),
    )
    what = " <br> ".join(_escaped(each) for each in (finding.message, *more) if each)
    place = report.place(finding.location)
    cells = (
        f"{finding.severity.value} `{finding.rule}`",
        f"`{place.replace('|', '/')}`" if place else "",
        what,
        _escaped(finding.hint),
    )
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    """Text that shows as it is, on one line."""
    for character in ("\\", "|", "*", "_", "<", ">", "[", "]", "`"):
        text = text.replace(character, f"\\{character}")
    return text.replace("\n", " ")
