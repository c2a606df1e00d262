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

_HTML, _JSON = "html", "json"
_SHOWN = ("requests", "replicas")


@click.command(short_help="Write every resource, or the page, to one file.")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@click.option(
    "--format",
    "kind",
    type=click.Choice([_JSON, _HTML]),
    default=_JSON,
    show_default=True,
    help="json: every resource, for `import`. html: the page, to look at without the emulator.",
)
@port_option()
@json_option()
def export(file: Path, kind: str, port: int | None, as_json: bool) -> None:
    """Write every resource of the emulator to FILE (- for standard output), as JSON, or its page, as HTML.

    As JSON, versions are written with the path of their code, not with the code. Keys and secrets are written in
    clear text. As HTML, FILE shows in a browser what the page shows now: requests, the map, replicas, their logs.
    It has no keys and secrets, but whatever models printed and answered. Either file is readable for you only.

    \b
    Examples:
      clarifai-emulator export platform.json
      clarifai-emulator export - | jq '.resources[].kind'
      clarifai-emulator export --format html page.html
    """
    if kind == _HTML:
        _export_page(file, port, as_json)
        return
    with connect(port) as client:
        document = client.result("Export")
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    if _wrote(file, text):
        count = len(document["resources"])
        if as_json:
            print_json({"file": str(file), "resources": count})
        else:
            click.echo(f"Wrote {count} resources to {file}. It holds keys and secrets in clear text.")


def _export_page(file: Path, port: int | None, as_json: bool) -> None:
    pieces: list[str] = []
    with connect(port) as client:
        told = client.result("Page", lambda answer: pieces.append(answer["piece"]))
    if not _wrote(file, "".join(pieces)):
        for note in told["notes"]:
            warn(note)
        return
    if as_json:
        print_json({"file": str(file), **told})
        return
    for note in told["notes"]:
        warn(note)
    requests, replicas = (f"{told[name]} {name.removesuffix('s' * (told[name] == 1))}" for name in _SHOWN)
    click.echo(
        f"Wrote the page to {file}: {requests}, {replicas}. Open it in a browser. "
        "It holds no keys and secrets, but whatever models printed and answered."
    )


def _wrote(file: Path, text: str) -> bool:
    """Write an export. Returns False where it went to standard output, on which nothing else is said."""
    if str(file) == "-":
        sys.stdout.write(text)
        return False
    try:
        _write_privately(file, text)
    except OSError as error:
        raise Failure(f"{file} cannot be written: {error.strerror}.") from None
    return True


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
