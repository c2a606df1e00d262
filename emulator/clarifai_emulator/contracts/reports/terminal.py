"""Writes a report for people: each finding with its line of code, what is wrong under it, and a summary; the calls,
where they are asked for.

Colours are plain ANSI.
"""

from __future__ import annotations

from collections.abc import Iterator

import click

from clarifai_emulator.contracts.reports.judged_call import JudgedCall, Verdict
from clarifai_emulator.contracts.reports.report import Report, caller_text
from clarifai_emulator.contracts.rules.finding import Finding
from clarifai_emulator.contracts.rules.rule import Severity

_COLOURS = {
    Severity.ERROR: "red",
    Severity.WARNING: "yellow",
    Severity.UNCHECKED: "magenta",
    Severity.NOTE: "cyan",
}
_VERDICT_COLOURS = {
    Verdict.CHECKED: "green",
    Verdict.UNCHECKED: "magenta",
    Verdict.WARNING: "yellow",
    Verdict.ERROR: "red",
    Verdict.IGNORED: "cyan",
}


def render(report: Report) -> str:
    """Return the whole report."""
    blocks = ["\n".join(_finding(report, each)) for each in report.findings]
    summary = click.style(report.summary() + ".", fg="red" if report.failed else "green", bold=True)
    if report.shows_calls and report.calls:
        blocks.append("\n".join(_call(report, each) for each in report.calls))
    return "\n\n".join([*blocks, summary]) + "\n"


def _call(report: Report, judged: JudgedCall) -> str:
    call = judged.call
    model = f" of {call.model}" if call.model else ""
    by = f", by {call.caller}" if call.caller else ""
    reason = f": {judged.reason}" if judged.verdict is Verdict.IGNORED else ""
    rule = f" [{judged.rule}{reason}]" if judged.rule else ""
    verdict = click.style(judged.verdict.value, fg=_VERDICT_COLOURS[judged.verdict])
    called = " ".join(call.called.split())  # what is called may be written on several lines
    return f"{report.place(call.location)}: {verdict}: {called}{model}{by}{rule}"


def _finding(report: Report, finding: Finding) -> Iterator[str]:
    colour = _COLOURS[finding.severity]
    head = click.style(f"{finding.severity.value}[{finding.rule}]", fg=colour, bold=True)
    yield f"{head} {click.style(finding.message, bold=True)}"
    where = finding.location
    if where is not None:
        yield f"  {click.style('-->', fg='blue')} {report.place(where)}"
        yield from _frame(report, finding, colour)
    if finding.caller:
        yield f"  {click.style('in:', fg='blue')} {caller_text(finding)}"
    if finding.old or finding.new:
        yield from _signatures(report, finding)
    elif finding.declared is not None:
        yield f"  {click.style('declared:', fg='blue')} {report.place(finding.declared)}"
        line = report.line(finding.declared).strip()
        if line:
            yield f"      {click.style(line, dim=True)}"
    for number, call in enumerate(finding.used_by):
        label = click.style("breaks:", fg="blue") if number == 0 else "       "
        yield f"  {label} {report.place(call)}  {click.style(report.line(call).strip(), dim=True)}".rstrip()
    if finding.hint:
        yield f"  {click.style('next:', fg='green')} {finding.hint}"


def _signatures(report: Report, finding: Finding) -> Iterator[str]:
    """Show a method's signature before and after, one below the other, and where the old one stands."""
    if finding.old:
        place = f"  ({report.place(finding.declared)})" if finding.declared is not None else ""
        yield f"  {click.style('was:', fg='blue')} {finding.old}{place}"
    if finding.new:
        yield f"  {click.style('now:', fg='blue')} {finding.new}"


def _frame(report: Report, finding: Finding, colour: str) -> Iterator[str]:
    where = finding.location
    assert where is not None
    line = report.line(where)
    if not line:
        return
    number = str(where.line)
    bar = click.style("|", fg="blue")
    yield f"{number:>5} {bar} {line.expandtabs(4)}"
    if where.column:
        before = len(line[: where.column - 1].expandtabs(4))
        end = where.end_column if where.end_line == where.line else len(line) + 1
        width = max(1, min(end, len(line) + 1) - where.column)
        yield f"      {bar} {' ' * before}{click.style('^' * width, fg=colour)}"
