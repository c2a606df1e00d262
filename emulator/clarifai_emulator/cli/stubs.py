"""Defines the command ``stubs``, which writes typed clients for editors and type checkers."""

from __future__ import annotations

from pathlib import Path

import click

from clarifai_emulator.cli.contract_completing import model_places
from clarifai_emulator.cli.output import Failure, json_option, print_json, unusable


@click.command(short_help="Write typed clients for your editor.")
@click.argument("models", nargs=-1, metavar="[DIR[=URL]]...", shell_complete=model_places)
@click.option("--out", type=click.Path(path_type=Path), default=Path("typings"), show_default=True,
              help="The folder to write to.")  # fmt: skip
@click.option("--static", is_flag=True, help="Read the models without running their code; less exact.")
@json_option()
def stubs(models: tuple[str, ...], out: Path, static: bool, as_json: bool) -> None:
    """Write .pyi files for the models in DIR, with which `Model(url=…).predict(…)` has a type.

    pyright, basedpyright and Pylance look into `typings` by themselves; for mypy set `mypy_path = "typings"`, for
    pyrefly `search-path = ["typings"]`. Each model has a class too, for annotations:
    `from clarifai.client.model import MyModel` under `if TYPE_CHECKING:`. Without DIR, the models of
    [tool.clarifai-emulator] in the nearest pyproject.toml are taken.

    \b
    Examples:
      clarifai-emulator stubs my-model
      clarifai-emulator stubs models/a models/b=me/main/models/b --out typings

    \b
    Exit codes:
      0  written
      1  the methods of a model could not be read; the others are written
      2  the command line, or a directory, cannot be used
    """
    from clarifai_emulator.cli.check import given_models, say_if_without_sdk
    from clarifai_emulator.cli.settings_here import require_models
    from clarifai_emulator.cli.writable_places import results_cache, written_to
    from clarifai_emulator.contracts.stubs.stub_files import write_stubs
    from clarifai_emulator.errors import ConfigError

    models = models or require_models()
    try:
        with written_to(out, "--out"):
            written = write_stubs(given_models(models), out, cache=results_cache(), static=static)
    except ConfigError as error:
        raise unusable(error) from None
    if not static:
        say_if_without_sdk(written.from_source)
    if as_json:
        print_json(
            {
                "files": [str(each) for each in written.files],
                "classes": dict(written.classes),
                "unreadable": [name for name, _ in written.unreadable],
            }
        )
    else:
        for url, name in written.classes.items():
            click.echo(f"{click.style(name, bold=True)}  {url}")
        click.echo(f"Wrote {len(written.files)} files to {out}.")
    if written.unreadable:
        lines = "\n".join(f"{name}: {reason}" for name, reason in written.unreadable)
        raise Failure(
            "The methods of some models could not be read, so they have no types.",
            log=lines,
            hint="`clarifai-emulator contract show DIR` says what is wrong with them.",
        )
