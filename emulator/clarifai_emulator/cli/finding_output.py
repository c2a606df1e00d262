"""Shows findings on the terminal and as JSON, and ends with the exit code they ask for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from clarifai_emulator.cli.output import FAILED, print_json, unusable
from clarifai_emulator.contracts.rules import RULES
from clarifai_emulator.contracts.rules.finding import Finding, Location
from clarifai_emulator.contracts.rules.policy import (
    Judged,
    Policy,
    file_lines,
    judge,
    project_levels,
    read_baseline,
    read_levels,
    write_baseline,
)
from clarifai_emulator.contracts.rules.rule import Severity
from clarifai_emulator.errors import ConfigError

_COLOURS = {
    Severity.ERROR: "red",
    Severity.WARNING: "yellow",
    Severity.UNCHECKED: "magenta",
    Severity.NOTE: "cyan",
}


def report(ctx: click.Context, findings: Sequence[Finding], as_json: bool, options: dict[str, Any]) -> None:
    """Print the findings that are not silenced and end with their exit code."""
    judged = _judged(findings, options)
    if as_json:
        print_json({"findings": [finding_json(each) for each in judged.findings], "silenced": judged.silenced})
    else:
        for each in judged.findings:
            show(each)
        click.echo(summary(judged))
    if judged.fails(Severity(options["fail_on"])):
        ctx.exit(FAILED)


def _judged(findings: Sequence[Finding], options: dict[str, Any]) -> Judged:
    root, baseline = Path.cwd(), options["baseline"]
    if options["write_baseline"] and baseline is None:
        raise click.UsageError("--write-baseline needs --baseline FILE.")
    try:
        levels = read_levels([*project_levels(root), *options["rules"]], RULES)
        if options["write_baseline"]:
            judged = judge(findings, Policy(levels, {}, root), file_lines)
            write_baseline(baseline, judged.findings, root, file_lines)
        known = read_baseline(baseline) if baseline is not None else {}
        return judge(findings, Policy(levels, known, root), file_lines)
    except ConfigError as error:
        raise unusable(error) from None


def summary(judged: Judged) -> str:
    """Count the findings of each severity."""
    counts = [(level, sum(each.severity is level for each in judged.findings)) for level in _COLOURS]
    told = [f"{count} {level}{'s' if count != 1 else ''}" for level, count in counts if count]
    silenced = f" ({judged.silenced} silenced)" if judged.silenced else ""
    return (", ".join(told) or "nothing found") + silenced


def show(finding: Finding) -> None:
    """Print one finding for people."""
    head = click.style(str(finding.severity), fg=_COLOURS[finding.severity], bold=True)
    click.echo(f"{head} {click.style(finding.rule, bold=True)} {place(finding.location)}")
    click.echo(f"    {finding.message}")
    if finding.hint:
        click.echo(click.style("    Next: ", bold=True) + finding.hint)


def place(location: Location | None) -> str:
    """Return ``path:line:column``, as far as known, relative to the current folder."""
    if location is None:
        return ""
    path = location.path
    if path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    return ":".join(str(each) for each in (path, location.line, location.column) if each)


def finding_json(finding: Finding) -> dict[str, Any]:
    """Return one finding for programs."""
    location = finding.location
    return {
        "rule": finding.rule,
        "severity": str(finding.severity),
        "breaks": str(RULES[finding.rule].breaks),
        "message": finding.message,
        "hint": finding.hint,
        "model": finding.model,
        "method": finding.method,
        "file": str(location.path) if location is not None else "",
        "line": location.line if location is not None else 0,
        "column": location.column if location is not None else 0,
        "declared": place(finding.declared),
    }
