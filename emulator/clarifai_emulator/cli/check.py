"""Defines the command ``check``, which checks client calls against the methods of model directories.

Nothing is deployed for that.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clarifai_emulator.cli.contract_completing import model_places
from clarifai_emulator.cli.contract_options import report_options
from clarifai_emulator.cli.output import USAGE, Failure, json_option, port_option, unusable
from clarifai_emulator.cli.settings_here import read_settings
from clarifai_emulator.left_out import of_the_whole

if TYPE_CHECKING:
    from clarifai_emulator.contracts.calls.client_check import CallReport, GivenModel


@click.command(short_help="Find the calls in clients that fail or go wrong.")
@click.argument("paths", nargs=-1, metavar="[CLIENT_PATHS]...", type=click.Path(path_type=Path))
@click.option(
    "--model", "models", multiple=True, metavar="DIR[=URL]", shell_complete=model_places,
    help="A model directory, or a notebook that writes one, and the address that clients use where that is not "
    "what its config.yaml says: a URL, USER/APP/models/ID, localhost:PORT, or * for what is only known at run "
    "time. As often as needed.",
)  # fmt: skip
@report_options()
@click.option("--show-calls", is_flag=True,
              help="List every call, too: checked, wrong, not checked (and why), or ignored.")  # fmt: skip
@click.option("--static", is_flag=True, help="Read the models without running their code; less exact.")
@click.option("--packages", type=click.Path(path_type=Path, exists=True), multiple=True,
              help="The site-packages folder of the clients' environment, where it is another one.")  # fmt: skip
@click.option("--docs", is_flag=True,
              help="Check the code in Markdown below folders, too; a file that is named is anyway.")  # fmt: skip
@click.option("--fuzz", is_flag=True,
              help="Also call every method of the models, deployed in the running emulator, with generated values; "
              "CLIENT_PATHS may then be left out.")  # fmt: skip
@click.option("--fuzz-seconds", type=click.FloatRange(0, min_open=True), default=60.0, show_default=True,
              help="With --fuzz: stop calling a method after this many seconds.")  # fmt: skip
@port_option()
@click.option("--no-cache", is_flag=True, help="Check every file, also those that did not change.")
@json_option("Print JSON; the same as --format json.")
@click.pass_context
def check(
    ctx: click.Context, paths: tuple[Path, ...], models: tuple[str, ...], as_json: bool, **options: Any
) -> None:
    """Find the calls in CLIENT_PATHS that would fail, or silently go wrong, with the models as they are now.

    Python files, notebooks, JavaScript, TypeScript and shell scripts are read, not run, and so are the commands of
    Makefiles, Dockerfiles, workflows and compose files that call curl, and the code in Markdown that is named (or
    --docs). So are the models' own modules, where they call other models: with several --model, CLIENT_PATHS may
    be left out. model.py is imported in a process of its own (see --static). What could not be checked is told too.
    A comment ignores a rule on its line: `# clarifai: ignore[wrong-type] the reason`. Without CLIENT_PATHS or
    --model, the clients or models of [tool.clarifai-emulator] in the nearest pyproject.toml are taken.

    \b
    Examples:
      clarifai-emulator check
      clarifai-emulator check clients/ --model my-model
      clarifai-emulator check app.py use.ipynb README.md --model my-model
      clarifai-emulator check app.py --model my-model=me/main/models/greeter
      clarifai-emulator check --model models/agent --model models/ranker
      clarifai-emulator check . --model a --model "b=*" --fail-on unchecked
      clarifai-emulator check . --model my-model --output sarif:found.sarif
      clarifai-emulator check . --model my-model --show-calls
      clarifai-emulator check . --model my-model --baseline known.json
      clarifai-emulator check clients/ --model my-model --fuzz

    \b
    Exit codes:
      0  nothing found that --fail-on counts
      1  something was found
      2  it could not be checked: the command line, a path, a model directory,
         or the type checker
      4  with --fuzz: no emulator is running
    """
    from clarifai_emulator.cli.finding_output import Reporting
    from clarifai_emulator.contracts.calls.client_check import result_of

    settings = read_settings()
    paths = paths or settings.clients
    models = models or settings.models
    if not paths and len(models) < 2 and not options["fuzz"]:
        raise click.UsageError(
            "Say what to check: files or folders, or several models that call one another. Try "
            "`clarifai-emulator check . --model DIR`, or name them as clients in [tool.clarifai-emulator] of "
            "pyproject.toml."
        )
    if not models:
        from clarifai_emulator.cli.writable_places import models_nearby

        nearby = models_nearby()
        here = f" Here, that may be {nearby}." if nearby else ""
        raise click.UsageError(
            f"Give at least one --model DIR: the calls are checked against its methods.{here} "
            "Or name them as models in [tool.clarifai-emulator] of pyproject.toml."
        )
    # The syntax trees of 500 files are millions of objects: the garbage collector would visit them for nothing.
    gc.disable()
    ctx.call_on_close(gc.enable)
    reporting = Reporting(options, as_json=as_json)
    found = _check(paths, models, options)
    if not options["static"]:
        say_if_without_sdk([each.directory for each in found.known if each.way == "static"])
    if options["fuzz"]:
        found = _with_fuzzed(found, options)
    reporting.end(ctx, result_of(found))


def given_models(texts: Sequence[str]) -> list[GivenModel]:
    """Parse the models given as ``DIR`` or ``DIR=URL``."""
    from clarifai_emulator.contracts.calls.client_check import GivenModel
    from clarifai_emulator.contracts.rules.project_settings import split_model

    split = (split_model(text) for text in texts)
    return [GivenModel(Path(directory), address) for directory, address in split]


def _check(paths: Sequence[Path], models: Sequence[str], options: dict[str, Any]) -> CallReport:
    from clarifai_emulator.cli.writable_places import results_cache
    from clarifai_emulator.contracts.calls.client_check import check_calls
    from clarifai_emulator.contracts.calls.type_checker import CheckerError
    from clarifai_emulator.errors import ConfigError

    show = sys.stderr.isatty()
    try:
        return check_calls(
            paths,
            given_models(models),
            cache=None if options["no_cache"] else results_cache(),
            static=options["static"],
            packages=options["packages"],
            docs=options["docs"],
            progress=lambda line: click.echo(f"  · {line}", err=True) if show else None,
        )
    except ConfigError as error:
        raise unusable(error) from None
    except CheckerError as error:
        raise Failure(str(error), code=USAGE) from None


def say_if_without_sdk(directories: Sequence[Path]) -> None:
    """Say on stderr that these models were read from their source alone, because no SDK is installed."""
    if directories:
        names = ", ".join(str(each) for each in directories)
        read = f"{names} {'was' if len(directories) == 1 else 'were'} read from the source, without running it"
        click.echo(f"Note: no clarifai SDK is installed here, so {read}.", err=True)


def _with_fuzzed(found: CallReport, options: dict[str, Any]) -> CallReport:
    with of_the_whole("`check --fuzz`"):
        from clarifai_emulator.cli.contract_fuzz import fuzz_known

    fuzzed = fuzz_known(
        found.known, options["port"], options["fuzz_seconds"], lambda line: click.echo(f"  · {line}", err=True)
    )
    return replace(found, findings=(*found.findings, *fuzzed))
