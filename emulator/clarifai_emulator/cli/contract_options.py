"""Defines options that commands about findings share; imports nothing heavy, because ``--help`` imports it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from clarifai_emulator.cli.contract_completing import report_formats, rule_levels
from clarifai_emulator.contracts.reports import FORMATS

_Function = TypeVar("_Function", bound=Callable[..., Any])


def report_options() -> Callable[[_Function], _Function]:
    """Add the options of a report to a command: which findings count, and how they are written."""
    options = [
        click.option(
            "--format", "format_", type=click.Choice(list(FORMATS)), default="text", help="How to report."
        ),
        click.option(
            "--output",
            metavar="FORMAT:FILE",
            multiple=True,
            shell_complete=report_formats,
            help="Write a report to a file too.",
        ),
        click.option(
            "--fail-on",
            type=click.Choice(["error", "warning", "unchecked", "note"]),
            default="error",
            show_default=True,
            help="The least severity that makes the exit code 1; notes < unchecked < warnings < errors.",
        ),
        click.option(
            "--severity",
            "--rule",
            "rules",
            multiple=True,
            metavar="RULE=LEVEL",
            shell_complete=rule_levels,
            help="error, warning, unchecked, note or off.",
        ),
        click.option(
            "--baseline", type=click.Path(path_type=Path), help="Findings in this file are known and do not count."
        ),
        click.option("--write-baseline", is_flag=True, help="Write what is found to the --baseline."),
    ]

    def add(function: _Function) -> _Function:
        for option in reversed(options):
            function = option(function)
        return function

    return add
