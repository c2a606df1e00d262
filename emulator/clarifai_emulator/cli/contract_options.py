"""Defines options that commands about findings share; imports nothing heavy, because ``--help`` imports it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

_Function = TypeVar("_Function", bound=Callable[..., Any])


def policy_options() -> Callable[[_Function], _Function]:
    """Add ``--rule``, ``--baseline``, ``--write-baseline`` and ``--fail-on`` to a command."""
    options = [
        click.option(
            "--severity",
            "--rule",
            "rules",
            multiple=True,
            metavar="ID=SEVERITY",
            help="error, warning, unchecked, note or off.",
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
