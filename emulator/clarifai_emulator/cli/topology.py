"""Defines the commands ``topology check``, ``apply`` and ``schema``, for topology files."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import click

from clarifai_emulator.cli.hints import HintingGroup
from clarifai_emulator.cli.output import FAILED, json_option, port_option, print_json


@click.group(cls=HintingGroup, short_help="Check and apply topology files; print their schema.")
def topology() -> None:
    """Check the files that `up --topology` takes, apply them to a running emulator, and print their JSON Schema
    for editors.

    \b
    Examples:
      clarifai-emulator topology check topology.yaml
      clarifai-emulator topology apply brain.yaml
      clarifai-emulator topology schema > topology.schema.json
    """


@topology.command(short_help="Say what is wrong with topology files.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@json_option()
@click.pass_context
def check(ctx: click.Context, files: tuple[Path, ...], as_json: bool) -> None:
    """Say what is wrong with topology files, each mistake with its file, line and key. Exit code 1 when anything
    is.

    The files are read together, as `up` reads them; nothing is started. What only a running platform can tell, such
    as a quota or a model that cannot be imported, is not looked at.

    \b
    Examples:
      clarifai-emulator topology check topology.yaml
      clarifai-emulator topology check clusters.yaml models.yaml --json
    """
    from clarifai_emulator.errors import ConfigError
    from clarifai_emulator.topology.files import load_topology

    problems: Sequence[str] = ()
    found: dict[str, int] = {}
    try:
        found = _counts(load_topology([path.absolute() for path in files]))
    except ConfigError as error:
        problems = error.problems
    if as_json:
        print_json({"files": [str(path) for path in files], "problems": list(problems), "found": found})
    elif problems:
        here = f"{Path.cwd()}/"
        for each in problems:
            click.echo(click.style("error: ", fg="red", bold=True) + each.removeprefix(here))
    else:
        named = {name: name.replace("_", " ") for name in found}
        listed = ", ".join(
            f"{count} {named[name] if count > 1 else named[name][:-1]}" for name, count in found.items()
        )
        click.echo(f"{', '.join(map(str, files))}: {listed or 'empty'}. Nothing is wrong.")
    if problems:
        ctx.exit(FAILED)


@topology.command(short_help="Create what topology files name, now.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@port_option()
@json_option()
def apply(files: tuple[Path, ...], port: int | None, as_json: bool) -> None:
    """Create what topology files name in the emulator that runs: a stand-in with another script, say, or a further
    deployment. A stand-in takes the place of an earlier one of the same model; what else is there already is an
    error. After a `reset` it is gone.

    \b
    Examples:
      clarifai-emulator topology apply brain.yaml
    """
    from clarifai_emulator.cli.connection import connect
    from clarifai_emulator.cli.sending import refuse_elsewhere

    with connect(port) as client:
        refuse_elsewhere(client, "topology apply", "the files name directories of this machine")
        done = client.result("Topology", files=[str(path.absolute()) for path in files])
    if as_json:
        print_json(done)
    else:
        click.echo(f"Applied {', '.join(map(str, files))}.")


@topology.command(short_help="Print the JSON Schema of topology files.")
@click.option("--path", "wants_path", is_flag=True, help="Print where the file with it is, instead.")
def schema(wants_path: bool) -> None:
    """Print the JSON Schema of topology files, with which editors complete and check them.

    With the YAML language server (VS Code, Neovim, Helix …), this comment at the top of a file is enough:

    \b
      # yaml-language-server: $schema=topology.schema.json

    \b
    Examples:
      clarifai-emulator topology schema > topology.schema.json
      clarifai-emulator topology schema --path
    """
    file = resources.files("clarifai_emulator.topology").joinpath("topology.schema.json")
    if wants_path:
        with resources.as_file(file) as path:
            click.echo(path)
    else:
        click.echo(file.read_text(encoding="utf-8"), nl=False)


def _counts(read: Any) -> dict[str, int]:
    """Count the entries of each kind."""
    from dataclasses import fields

    counts = {each.name: len(getattr(read, each.name)) for each in fields(read)}
    return {name: count for name, count in counts.items() if count}
