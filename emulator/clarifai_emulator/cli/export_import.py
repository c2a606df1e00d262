"""Defines the commands ``export`` and ``import``, which write an emulator to one readable file and read it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from clarifai_emulator.cli.connection import connect
from clarifai_emulator.cli.output import Failure, json_option, port_option, print_json, warn
from clarifai_emulator.whole_file import write_whole


@click.command(short_help="Write every resource to one readable file.")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@port_option()
@json_option()
def export(file: Path, port: int | None, as_json: bool) -> None:
    """Write every resource of the emulator to FILE (- for standard output), as JSON.

    Versions are written with the path of their code, not with the code. Keys and secrets are written in clear
    text: the file is readable for you only.

    \b
    Examples:
      clarifai-emulator export platform.json
      clarifai-emulator export - | jq '.resources[].kind'
    """
    with connect(port) as client:
        document = client.result("Export")
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    if str(file) == "-":
        sys.stdout.write(text)
        return
    try:
        _write_privately(file, text)
    except OSError as error:
        raise Failure(f"{file} cannot be written: {error.strerror}.") from None
    count = len(document["resources"])
    if as_json:
        print_json({"file": str(file), "resources": count})
    else:
        click.echo(f"Wrote {count} resources to {file}. It holds keys and secrets in clear text.")


@click.command("import", short_help="Add every resource of such a file.")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@port_option()
@json_option()
def import_(file: Path, port: int | None, as_json: bool) -> None:
    """Add every resource of FILE (- for standard input) to the emulator; what has the same id is replaced.

    \b
    Examples:
      clarifai-emulator import platform.json
      clarifai-emulator export --port 7878 - | clarifai-emulator import --port 7879 -
    """
    document = _read(file)
    with connect(port) as client:
        result = client.result("Import", document=document)
    if as_json:
        print_json(result)
        return
    for warning in result["warnings"]:
        warn(warning)
    there = f"; {result['unchanged']} were there as they are" if result["unchanged"] else ""
    click.echo(f"Added {result['added']} resources, replaced {result['replaced']}{there}.")


def _read(file: Path) -> Any:
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        return json.loads(text)
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise Failure(
            f"{file} is no JSON: {error}.", hint="`clarifai-emulator export FILE` writes what this command reads."
        ) from None


def _write_privately(file: Path, text: str) -> None:
    """Write a file for its user only, whole or not at all: an earlier export is not lost to a full disk. What is no
    file (a pipe, a device) is written to, and left as it is."""
    if file.exists() and not file.is_file():
        file.write_text(text, encoding="utf-8")
    else:
        write_whole(file.resolve(), text, is_private=True)
