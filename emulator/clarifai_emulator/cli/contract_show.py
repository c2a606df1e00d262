"""Prints contracts for ``contract show`` and rules for ``contract rules``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from clarifai_emulator.cli.columns import columns
from clarifai_emulator.cli.finding_output import finding_json, place
from clarifai_emulator.cli.finding_output import show as show_finding
from clarifai_emulator.cli.output import USAGE, Failure, heading, print_json
from clarifai_emulator.contracts.rules import RULES, SUBJECTS
from clarifai_emulator.contracts.rules.rule import Rule, Severity
from clarifai_emulator.contracts.signatures.read_signatures import ModelContract, read_many
from clarifai_emulator.contracts.signatures.shapes import method_shape
from clarifai_emulator.messages.json import as_dict
from clarifai_emulator.models.sdk_environment import installed_sdk
from clarifai_emulator.spelling import did_you_mean

_WAYS = {
    "import": "read by importing model.py",
    "stubbed": "read by importing model.py, with stand-ins for modules that are not installed",
    "mocked": "read with every third-party module mocked, as the SDK's upload does: the import failed",
    "static": "read from the source alone: less exact",
    "failed": "could not be read",
}


def show_contracts(
    directories: Sequence[Path], *, static: bool, as_json: bool, topology: Sequence[Path] = ()
) -> bool:
    """Print the contracts of these directories; return whether any of them has an error."""
    contracts = read_many(directories, static=static, topology=topology, progress=_tell, upload=True)
    if as_json:
        print_json([_json(each) for each in contracts])
    else:
        for each in contracts:
            _show(each)
    return any(finding.severity is Severity.ERROR for each in contracts for finding in each.findings)


def _tell(line: str) -> None:
    """Say what takes its time, where it is not taken for the answer."""
    if not line.startswith((" ", "+", "Resolved", "Prepared", "Installed", "Using", "Creating", "Activate")):
        click.echo(line, err=True)


def _json(contract: ModelContract) -> dict[str, Any]:
    return {
        "directory": str(contract.directory),
        "model": contract.name,
        "way": contract.way,
        "sdk": contract.sdk,
        "methods": [as_dict(each.signature) for each in contract.methods],
        "findings": [finding_json(each) for each in contract.findings],
    }


def _show(contract: ModelContract) -> None:
    heading(f"{contract.name}  ({contract.directory})")
    with_sdk = f", with clarifai {contract.sdk}" if contract.sdk and contract.sdk != installed_sdk() else ""
    click.echo(f"  {_WAYS[contract.way]}{with_sdk}")
    rows = [[str(method_shape(each.signature)), place(each.location)] for each in contract.methods]
    for line in columns(rows):
        click.echo(line)
    for finding in contract.findings:
        show_finding(finding)
    click.echo()


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
    for line in rule.example.splitlines():
        click.echo(f"      {line}")


def _rule_json(rule: Rule) -> dict[str, str]:
    return {
        "id": rule.id,
        "severity": str(rule.severity),
        "breaks": str(rule.breaks),
        "title": rule.title,
        "explanation": rule.explanation,
        "fix": rule.fix,
        "example": rule.example,
    }
