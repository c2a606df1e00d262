"""Defines the command ``init``, which writes a small model directory to begin with."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

import click

from clarifai_emulator.cli.output import Failure

TEMPLATE = ("config.yaml", "requirements.txt", "1/model.py")


@click.command(short_help="Write a model directory to begin with.")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
def init(directory: Path) -> None:
    """Write a model directory to begin with: config.yaml, requirements.txt and 1/model.py.

    \b
    Examples:
      clarifai-emulator init my-model
      clarifai-emulator deploy my-model
    """
    write_template(directory, model_id(directory.absolute().name))
    click.echo(f"Wrote {', '.join(TEMPLATE)} to {directory}.")
    click.echo(f"Next: clarifai-emulator deploy {directory}")


def write_template(directory: Path, model: str) -> None:
    """Write the template as the model with that id. Raises ``Failure`` rather than overwrite a file."""
    from clarifai_emulator.models.own_sdk import sdk_for_models

    taken = [name for name in TEMPLATE if (directory / name).exists()]
    if taken:
        raise Failure(f"{directory} already has {', '.join(taken)}.", hint="Choose another directory.")
    source = resources.files("clarifai_emulator.cli") / "template"
    try:
        for name in TEMPLATE:
            target = directory / name
            target.parent.mkdir(parents=True, exist_ok=True)
            text = source.joinpath(*name.split("/")).read_text(encoding="utf-8")
            text = text.replace("MODEL_ID", model).replace("clarifai==SDK_VERSION", sdk_for_models())
            target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failure(
            f"{directory} cannot be written: {error.strerror}.", hint="Choose another directory."
        ) from None


def model_id(name: str) -> str:
    """Make an id that the platform takes from a directory's name."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")[:64] or "my-model"
