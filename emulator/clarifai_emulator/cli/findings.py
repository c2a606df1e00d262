"""Findings on the terminal and as JSON, and the exit code they ask for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from clarifai_emulator.cli.output import FAILED, Failure, print_json
from clarifai_emulator.contracts.finding import Finding, Location
from clarifai_emulator.contracts.policy import (
    Judged,
    Policy,
    judge,
    project_severities,
    read_baseline,
    write_baseline,
)
from clarifai_emulator.contracts.rule import Severity
from clarifai_emulator.contracts.rules import RULES
from clarifai_emulator.errors import ConfigError

_COLOURS = {
    Severity.ERROR: "red",
    Severity.WARNING: "yellow",
    Severity.UNCHECKED: "magenta",
    Severity.NOTE: "cyan",
}
_Function = TypeVar("_Function", bound=Callable[..., Any])


def policy_options() -> Callable[[_Function], _Function]:
    """``--rule``, ``--baseline``, ``--write-baseline``, ``--fail-on``."""
    options = [
        click.option(
            "--rule", "rules", multiple=True, metavar="ID=SEVERITY", help="error, warning, unchecked, note or off."
        ),
        click.option("--baseline", type=click.Path(path_type=Path), help="Findings that are known already."),
        click.option("--write-baseline", is_flag=True, help="Write what is found to the --baseline file."),
        click.option(
            "--fail-on",
            type=click.Choice(["error", "unchecked", "warning", "note"]),
            default="error",
            show_default=True,
            help="The least severity that makes the exit code 1; notes < unchecked < warnings < errors.",
        ),
    ]

    def add(function: _Function) -> _Function:
        for option in reversed(options):
            function = option(function)
        return function

    return add


def report(ctx: click.Context, findings: Sequence[Finding], as_json: bool, options: dict[str, Any]) -> None:
    """Print what is left of the findings and end with their exit code."""
    judged = _judged(findings, options)
    if as_json:
        print_json({"findings": [finding_json(each) for each in judged.findings], "silenced": len(judged.silenced)})
    else:
        for each in judged.findings:
            show(each)
        click.echo(summary(judged))
    if judged.at_least(Severity(options["fail_on"])):
        ctx.exit(FAILED)


def _judged(findings: Sequence[Finding], options: dict[str, Any]) -> Judged:
    root, baseline = Path.cwd(), options["baseline"]
    if options["write_baseline"] and baseline is None:
        raise click.UsageError("--write-baseline needs --baseline FILE.")
    try:
        severities = {**project_severities(root), **dict(map(_override, options["rules"]))}
        if options["write_baseline"]:
            judged = judge(findings, Policy(severities, {}, root))
            baseline.write_text(write_baseline(judged.findings, root), encoding="utf-8")
        known = read_baseline(baseline) if baseline is not None else {}
        return judge(findings, Policy(severities, known, root))
    except ConfigError as error:
        raise Failure(str(error)) from None


def _override(word: str) -> tuple[str, str]:
    rule, sign, level = word.partition("=")
    if not sign:
        raise click.UsageError(f"--rule takes ID=SEVERITY, got '{word}'.")
    return rule, level


def summary(judged: Judged) -> str:
    """How many there are of each severity."""
    counts = [(level, sum(each.severity is level for each in judged.findings)) for level in _COLOURS]
    told = [f"{count} {level}{'s' if count != 1 else ''}" for level, count in counts if count]
    silenced = f" ({len(judged.silenced)} silenced)" if judged.silenced else ""
    return (", ".join(told) or "nothing found") + silenced


def show(finding: Finding) -> None:
    """One finding for people."""
    head = click.style(str(finding.severity), fg=_COLOURS[finding.severity], bold=True)
    click.echo(f"{head} {click.style(finding.rule, bold=True)} {place(finding.location)}")
    click.echo(f"    {finding.message}")
    if finding.hint:
        click.echo(click.style("    Next: ", bold=True) + finding.hint)


def place(location: Location | None) -> str:
    """``path:line:column``, as far as known, relative to the current folder."""
    if location is None:
        return ""
    path = location.path
    if path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    return ":".join(str(each) for each in (path, location.line, location.column) if each)


def finding_json(finding: Finding) -> dict[str, Any]:
    """One finding for programs."""
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
