"""Prints contracts for ``contract show`` and rules for ``contract rules``."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click

from clarifai_emulator.cli.columns import columns, output_width, paragraph
from clarifai_emulator.cli.contract_origins import usable
from clarifai_emulator.cli.finding_output import Reporting
from clarifai_emulator.cli.output import FAILED, USAGE, Failure, heading, print_json
from clarifai_emulator.contracts.changes.origins import model_directories
from clarifai_emulator.contracts.reports.json_report import document
from clarifai_emulator.contracts.reports.judged_report import Result
from clarifai_emulator.contracts.reports.report import Report, counted
from clarifai_emulator.contracts.rules import RULES, SUBJECTS
from clarifai_emulator.contracts.rules.example import blocks, example_of
from clarifai_emulator.contracts.rules.finding import Finding, Location
from clarifai_emulator.contracts.rules.policy import relative
from clarifai_emulator.contracts.rules.rule import Rule, Severity
from clarifai_emulator.contracts.signatures.read_signatures import ModelContract, read_many
from clarifai_emulator.contracts.signatures.shapes import method_shape
from clarifai_emulator.messages.json import as_dict
from clarifai_emulator.models.sdk_environment import installed_sdk
from clarifai_emulator.spelling import did_you_mean

_RULES = frozenset(rule.id for name in ("model.py", "config.yaml and requirements.txt") for rule in SUBJECTS[name])
_WAYS = {
    "import": "read by importing model.py",
    "stubbed": "read by importing model.py, with stand-ins for modules that are not installed",
    "mocked": "read with every third-party module mocked, as the SDK's upload does: the import failed",
    "static": "read from the source alone: less exact",
    "failed": "could not be read",
}


def show_contracts(
    ctx: click.Context, directories: Sequence[Path], as_json: bool, options: Mapping[str, Any]
) -> None:
    """Print the contracts of these directories and report what is wrong with them."""
    began = time.perf_counter()
    reporting = Reporting(options)
    contracts = usable(
        read_many,
        [each for given in directories for each in model_directories(given) or [given]],
        static=options["static"],
        topology=options["topology"],
        progress=_tell,
        upload=True,
    )
    result = Result(
        [finding for each in contracts for finding in each.findings],
        "contract show",
        scope=f"{counted(len(contracts), 'model')} read",
        rules=_RULES,
        models=[(each.name, each.way) for each in contracts],
    )
    report = reporting.report(replace(result, seconds=time.perf_counter() - began))
    if as_json:
        reporting.write_files(report)
        print_json([_json(each, replace(report, findings=_own(each, report))) for each in contracts])
    else:
        if reporting.is_text:
            for each in contracts:
                _show(each)
        reporting.write(report)
    if report.failed:
        ctx.exit(FAILED)


def _own(contract: ModelContract, report: Report) -> list[Finding]:
    """Return the findings of the report about this model: a policy may have changed their severity."""
    own = {replace(each, severity=Severity.ERROR) for each in contract.findings}
    return [each for each in report.findings if replace(each, severity=Severity.ERROR) in own]


def _tell(line: str) -> None:
    """Say what takes its time, where it is not taken for the answer."""
    if not line.startswith((" ", "+", "Resolved", "Prepared", "Installed", "Using", "Creating", "Activate")):
        click.echo(line, err=True)


def _json(contract: ModelContract, report: Report) -> dict[str, Any]:
    return {
        "directory": str(contract.directory),
        "model": contract.name,
        "way": contract.way,
        "sdk": contract.sdk,
        "methods": [as_dict(each.signature) for each in contract.methods],
        "findings": document(report)["findings"],
    }


def _show(contract: ModelContract) -> None:
    heading(f"{contract.name}  ({relative(contract.directory, Path.cwd())})")
    with_sdk = f", with clarifai {contract.sdk}" if contract.sdk and contract.sdk != installed_sdk() else ""
    click.echo(f"  {_WAYS[contract.way]}{with_sdk}")
    for line in method_lines(contract, output_width()):
        click.echo(line)
    click.echo()


def method_lines(contract: ModelContract, width: int | None) -> list[str]:
    """Write each method with its place beside it, or below it where the terminal is too narrow for both."""
    rows = [(str(method_shape(each.signature)), _place(each.location)) for each in contract.methods]
    longest = [max((len(row[n]) for row in rows), default=0) for n in (0, 1)]
    if width is None or sum(longest) + 4 <= width:
        return columns(rows, width=width)
    return [
        line
        for signature, place in rows
        for line in (*paragraph(f"  {signature}", width=width).split("\n"), f"    {place}".rstrip())
        if line
    ]


def _place(location: Location | None) -> str:
    if location is None:
        return ""
    return f"{relative(location.path, Path.cwd())}:{location.line}:{location.column}"


def show_rules(rule_id: str | None, *, as_json: bool) -> None:
    """Print every rule in a line, or one rule in full."""
    if rule_id is not None and rule_id not in RULES:
        guess = did_you_mean(rule_id, RULES, lead=" ")
        hint = "`clarifai-emulator contract rules` lists them."
        raise Failure(f"There is no rule '{rule_id}'.{guess}", hint=hint, code=USAGE)
    chosen = [RULES[rule_id]] if rule_id is not None else list(RULES.values())
    if as_json:
        print_json([_rule_json(each) for each in chosen])
    elif rule_id is not None:
        _show_rule(chosen[0])
    else:
        for subject, rules in SUBJECTS.items():
            heading(f"\n{subject}")
            for line in columns([[each.id, str(each.severity), each.title] for each in rules]):
                click.echo(line)


def _show_rule(rule: Rule) -> None:
    heading(f"{rule.id}: {rule.title}")
    click.echo(f"  severity  {rule.severity}\n  breaks    {rule.breaks}\n\n  {rule.explanation}")
    if rule.fix:
        click.echo(f"\n  Next: {rule.fix}")
    example = example_of(rule.id)
    if example.model:
        click.echo(f"\n  The model has {example.model}.")
    for block in blocks(example):
        click.echo(f"\n  {block.title}:\n")
        for line in block.text.splitlines():
            click.echo(f"      {line}".rstrip())


def _rule_json(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "severity": str(rule.severity),
        "breaks": str(rule.breaks),
        "title": rule.title,
        "explanation": rule.explanation,
        "fix": rule.fix,
        "example": asdict(example_of(rule.id)),
    }
