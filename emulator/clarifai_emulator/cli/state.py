"""Defines the commands ``state check`` and ``state repair``, for the directories that ``up --state`` keeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clarifai_emulator.cli.hints import HintingGroup
from clarifai_emulator.cli.output import FAILED, Failure, json_option, print_json

if TYPE_CHECKING:
    from clarifai_emulator.state.stored_rows import Damage

_MOST_SHOWN = 20
_DIRECTORY = click.argument("directory", type=click.Path(path_type=Path))
# What people call the rows of a table, one and several.
_ROWS = {"resources": ("resource", "resources"), "log_lines": ("log line", "log lines")}


@click.group(cls=HintingGroup, short_help="Check and repair what `up --state` keeps.")
def state() -> None:
    """Check a directory that `up --state` keeps for damage, and repair it. The emulator must not run meanwhile.

    \b
    Examples:
      clarifai-emulator state check ~/my-platform
      clarifai-emulator state repair ~/my-platform
    """


@state.command(short_help="Say what is damaged in a state directory.")
@_DIRECTORY
@json_option()
@click.pass_context
def check(ctx: click.Context, directory: Path, as_json: bool) -> None:
    """Say what is damaged in a state directory, each resource by its kind and ids. Changes nothing. Exit code 1
    when anything is damaged.

    \b
    Examples:
      clarifai-emulator state check ~/my-platform
      clarifai-emulator state check ~/my-platform --json | jq '.damages[].what'
    """
    from clarifai_emulator.state.state_check import check_state, repair_command

    report = _refusing(check_state, directory)
    if as_json:
        damages = [_as_json(each) for each in report.damages]
        print_json({"directory": str(directory), "damages": damages, "found": report.counts})
    elif report.damages:
        click.echo(f"{directory} is damaged:")
        _list(report.damages)
        click.echo(f"Next: {repair_command(directory)}")
    else:
        click.echo(f"{directory}: {_counted(report.counts)}. Nothing is damaged.")
    if report.damages:
        ctx.exit(FAILED)


@state.command(short_help="Save what can be read of a damaged state.")
@_DIRECTORY
@json_option()
def repair(directory: Path, as_json: bool) -> None:
    """Repair a damaged state directory: keep a copy of its files, save everything that can be read, and say what is
    lost. A state that is not damaged stays as it is.

    \b
    Examples:
      clarifai-emulator state repair ~/my-platform
    """
    from clarifai_emulator.state.state_repair import repair_state

    report = _refusing(repair_state, directory)
    if as_json:
        kept_in = str(report.kept_in) if report.kept_in is not None else None
        lost = [_as_json(each) for each in report.lost]
        print_json({"directory": str(directory), "kept_in": kept_in, "saved": dict(report.saved), "lost": lost})
    elif report.kept_in is None:
        click.echo(f"{directory}: {_counted(report.saved)}. Nothing is damaged, and nothing was changed.")
    else:
        click.echo(f"The damaged files are kept in {report.kept_in}.")
        click.echo(f"Saved {_counted(report.saved)}.")
        if report.lost:
            click.echo("Lost:")
            _list(report.lost)
            click.echo(
                "Next: start the emulator, and create again what is lost; `up --topology FILE` creates what the "
                "files name."
            )
        else:
            click.echo("Nothing that could be named is lost.")


def _refusing(do: Callable[[Path, Any], Any], directory: Path) -> Any:
    from clarifai_emulator.errors import ConfigError
    from clarifai_emulator.resources.kind_table import TABLE

    try:
        return do(directory.absolute(), TABLE)
    except ConfigError as error:
        raise Failure(error.what, hint=error.hint) from None


def _as_json(damage: Damage) -> dict[str, Any]:
    return {"part": damage.part, "what": damage.what, "kind": damage.kind, "id": list(damage.key)}


def _counted(counts: Any) -> str:
    """Count the rows of the tables that people know."""
    found = {name: counts.get(name, 0) for name in _ROWS}
    return ", ".join(f"{count} {_ROWS[name][count != 1]}" for name, count in found.items())


def _list(damages: Sequence[Damage]) -> None:
    for damage in damages[:_MOST_SHOWN]:
        click.echo(f"  - {damage.what}")
    left = len(damages) - _MOST_SHOWN
    if left > 0:
        click.echo(f"  … and {left} more (--json lists them all)")
