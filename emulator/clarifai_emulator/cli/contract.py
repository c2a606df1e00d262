"""Defines the command ``contract``: shows and locks what models promise, and tells what a change would break."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from clarifai_emulator.cli import completing
from clarifai_emulator.cli.contract_completing import model_places, origin_places, rule_names
from clarifai_emulator.cli.contract_options import report_options
from clarifai_emulator.cli.hints import HintingGroup
from clarifai_emulator.cli.output import FAILED, Failure, json_option, port_option
from clarifai_emulator.left_out import of_the_whole

_LOCK = "clarifai.contract.yaml"


@click.group(cls=HintingGroup, short_help="What a model promises its clients, and what changed.")
def contract() -> None:
    """What the methods of a model promise its clients: show it, lock it, compare it.

    \b
    Examples:
      clarifai-emulator contract show my-model    what the SDK would refuse, too
      clarifai-emulator contract lock my-model    write clarifai.contract.yaml
      clarifai-emulator contract diff main:my-model my-model
      clarifai-emulator contract verify my-model  whom deploying it would break
      clarifai-emulator contract graph models     who calls whom
      clarifai-emulator contract fuzz hello       call it with generated values

    \b
    Exit codes:
      0  nothing at or above --fail-on was found
      1  something was found, or a directory could not be read
      2  the command line, a lock file or a revision cannot be understood
      4  fuzz: no emulator is running
    """


@contract.command(short_help="Show the methods, and what the SDK would refuse.")
@click.argument("directories", nargs=-1, type=click.Path(path_type=Path), metavar="[DIR]...")
@click.option("--static", is_flag=True, help="Read the source without running it; less exact.")
@click.option(
    "--topology",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Nodepools the models are for; may be repeated.",
)
@report_options()
@json_option("Print the methods and the findings of each directory as JSON; --format json has the findings alone.")
@click.pass_context
def show(ctx: click.Context, directories: tuple[Path, ...], as_json: bool, **options: Any) -> None:
    """Show the methods of model directories, and everything the SDK would refuse at upload.

    model.py is imported in a child process: without the network, without writing outside a scratch folder, for 30
    seconds at most. Modules that are not installed are stood in for. A directory that fails does not keep the next
    from being shown; the exit code is then 1. A folder of models stands for all of them. Without DIR, the models of
    [tool.clarifai-emulator] in the nearest pyproject.toml are taken.

    \b
    Examples:
      clarifai-emulator contract show my-model
      clarifai-emulator contract show models --json
      clarifai-emulator contract show my-model --static
    """
    from clarifai_emulator.cli.contract_show import show_contracts

    show_contracts(ctx, directories or [Path(each) for each in _models_here()], as_json, options)


@contract.command(short_help="Write down the methods of models.")
@click.argument("origins", nargs=-1, required=True, metavar="ORIGIN...", shell_complete=origin_places)
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path(_LOCK), show_default=True)
@click.option("--static", is_flag=True, help="Read the source without running it; less exact.")
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 when the file would change.")
@click.option("--base-url", envvar="CLARIFAI_API_BASE", help="The API that model URLs are asked of.")
@port_option()
@click.pass_context
def lock(
    ctx: click.Context,
    origins: tuple[str, ...],
    output: Path,
    static: bool,
    check: bool,
    base_url: str | None,
    port: int | None,
) -> None:
    """Write down the methods of models, to be committed beside a client or a model.

    ORIGIN is a model directory, a folder of them, REVISION:PATH, or a model URL (of a running emulator, or with
    CLARIFAI_PAT of the platform). Models that the file has already and that are not named stay as they are.

    \b
    Examples:
      clarifai-emulator contract lock my-model
      clarifai-emulator contract lock https://clarifai.com/me/main/models/hello
      clarifai-emulator contract lock my-model -o client/clarifai.contract.yaml
      clarifai-emulator contract lock models --check
    """
    from clarifai_emulator.cli.contract_origins import read_origins, usable
    from clarifai_emulator.cli.writable_places import written_to
    from clarifai_emulator.contracts.changes.lock import read_lock, write_lock
    from clarifai_emulator.contracts.reports.report import counted
    from clarifai_emulator.whole_file import write_whole

    found = read_origins(origins, static, base_url, port)
    promises = {each.name: each for each in usable(read_lock, output)} if output.is_file() else {}
    promises.update({each.name: each for origin in found for each in origin.promises})
    errors = [each for origin in found for each in origin.findings if each.severity == "error"]
    if errors:
        from clarifai_emulator.contracts.reports import render
        from clarifai_emulator.contracts.reports.judged_report import Result, report_of
        from clarifai_emulator.contracts.rules.policy import Policy

        refused = Result(errors, "contract lock", scope=f"{counted(len(found), 'origin')} read")
        click.echo(render(report_of(refused, Policy()), "text"), nl=False)
        raise Failure("Nothing was locked: the SDK would refuse a model.", hint="Mend what is named above.")
    text = write_lock(promises.values())
    is_same = output.is_file() and output.read_text(encoding="utf-8") == text
    if check:
        click.echo(f"{output} is {'as the models are' if is_same else 'not as the models are'}.")
        ctx.exit(0 if is_same else FAILED)
    with written_to(output, "--output"):
        write_whole(output, text)
    methods = sum(len(each.methods) for each in promises.values())
    click.echo(f"{output}: {counted(len(promises), 'model')}, {counted(methods, 'method')}")


def _diff_options(function: Any) -> Any:
    clients = click.option(
        "--clients",
        type=click.Choice(["all", "fetching", "pinning"]),
        default="all",
        show_default=True,
        help="Whom to look after: those that fetch signatures, as the SDK does, or those that keep old ones.",
    )
    used_by = click.option(
        "--used-by",
        multiple=True,
        type=click.Path(path_type=Path),
        metavar="PATH",
        help="Files or folders of clients: also tell which of their calls were right before and are wrong now.",
    )
    callers = click.option(
        "--models",
        "callers",
        multiple=True,
        metavar="DIR",
        shell_complete=model_places,
        help="Models, or folders of them: also tell which of their calls were right before and are wrong now.",
    )
    static = click.option("--static", is_flag=True, help="Read sources without running them; less exact.")
    base = click.option("--base-url", envvar="CLARIFAI_API_BASE", help="The API that model URLs are asked of.")
    as_json = json_option("Print JSON; the same as --format json.")
    for option in (as_json, port_option(), base, static, callers, used_by, clients, report_options()):
        function = option(function)
    return function


@contract.command()
@click.argument("old", shell_complete=origin_places)
@click.argument("new", shell_complete=origin_places)
@_diff_options
@click.pass_context
def diff(ctx: click.Context, old: str, new: str, as_json: bool, **options: Any) -> None:
    """Show what changed from OLD to NEW, and whom each change breaks.

    Each of them is a lock file, a model directory, a folder of them, REVISION:PATH of git, or a model URL (of a
    running emulator, or with CLARIFAI_PAT of the platform).

    \b
    Examples:
      clarifai-emulator contract diff clarifai.contract.yaml my-model
      clarifai-emulator contract diff main:my-model my-model --fail-on warning
      clarifai-emulator contract diff main:my-model my-model --used-by src/
      clarifai-emulator contract diff main:my-model my-model --models models
      clarifai-emulator contract diff HEAD~1:models models --format markdown
      clarifai-emulator contract diff https://clarifai.com/me/main/models/a a
    """
    from clarifai_emulator.cli.contract_compare import show_changes

    show_changes(ctx, old, new, as_json, options)


@contract.command(short_help="Say whether deploying would break clients.")
@click.argument("models", nargs=-1, metavar="[DIR]...", shell_complete=model_places)
@click.option("--lock", "locks", multiple=True, metavar="FILE", shell_complete=origin_places,
              help="May be repeated.  [default: all below here]")  # fmt: skip
@_diff_options
@click.pass_context
def verify(
    ctx: click.Context, models: tuple[str, ...], locks: tuple[str, ...], as_json: bool, **options: Any
) -> None:
    """Say whether deploying these models would break the clients whose lock files are here.

    Without DIR, the models of [tool.clarifai-emulator] in the nearest pyproject.toml are taken.

    \b
    Examples:
      clarifai-emulator contract verify my-model
      clarifai-emulator contract verify models --clients fetching
      clarifai-emulator contract verify my-model --lock ../clarifai.contract.yaml
    """
    from clarifai_emulator.cli.contract_compare import guard_deploy

    guard_deploy(ctx, models or _models_here(), locks, as_json, options)


@contract.command(short_help="Show which models call which.")
@click.argument("paths", nargs=-1, metavar="[PATH]...", shell_complete=origin_places)
@click.option("--clients", multiple=True, metavar="PATH", type=click.Path(path_type=Path),
              help="Files or folders of clients, to be shown as well. May be repeated.")  # fmt: skip
@click.option("--format", "format_", type=click.Choice(["text", "mermaid", "json"]), default="text",
              show_default=True, help="How to write it.")  # fmt: skip
@click.option("--static", is_flag=True, help="Read the models without running their code; less exact.")
def graph(paths: tuple[str, ...], clients: tuple[Path, ...], **options: Any) -> None:
    """Show who calls whom: models, the workflows that ask them, and clients.

    PATH is a model directory (DIR, or DIR=URL), a folder of them, the YAML file of a workflow, or a topology file.
    Without PATH, the models of [tool.clarifai-emulator] in the nearest pyproject.toml are taken. Calls of which the
    source does not say whom they ask are named as such, and so are models that call one another in a circle.

    \b
    Examples:
      clarifai-emulator contract graph models
      clarifai-emulator contract graph models flow.yml --format mermaid
      clarifai-emulator contract graph models --clients app --format json
    """
    with of_the_whole("`contract graph`"):
        from clarifai_emulator.cli.contract_graph import show_graph

    show_graph(paths or _given_here(), clients, options)


def _given_here() -> tuple[str, ...]:
    """Return the models of pyproject.toml, with their addresses. Raises ``UsageError`` if there are none."""
    from clarifai_emulator.cli.settings_here import require_models

    return tuple(require_models())


def _fuzz_options(function: Any) -> Any:
    positive = click.FloatRange(0, min_open=True)
    method = click.option("--method", "methods", multiple=True, help="Only this method. May be repeated.")
    examples = click.option("--examples", type=click.IntRange(1), default=25, show_default=True, help="Per method.")
    seconds = click.option(
        "--seconds", type=positive, default=10.0, show_default=True, help="A call that takes longer hangs."
    )
    limit = click.option(
        "--method-seconds", type=positive, default=60.0, show_default=True,
        help="A method is called no more after so long; what was found by then is told.",
    )  # fmt: skip
    seed = click.option("--seed", type=int, default=0, show_default=True, help="The same seed, the same calls.")
    as_json = json_option("Print JSON; the same as --format json.")
    for option in (as_json, port_option(), seed, limit, seconds, examples, method, report_options()):
        function = option(function)
    return function


@contract.command(short_help="Call every method with generated values.")
@click.argument("models", nargs=-1, required=True, metavar="MODEL...", shell_complete=completing.models)
@_fuzz_options
@click.pass_context
def fuzz(ctx: click.Context, models: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Call every method of deployed models with generated values of its signature.

    Reports methods that fail, hang, or give something their signature does not say, with the smallest arguments
    that were found to do it. Needs the extra: pip install 'clarifai-emulator[fuzz]'. `check --fuzz` does the same
    for the models that clients are checked against.

    \b
    Examples:
      clarifai-emulator contract fuzz hello
      clarifai-emulator contract fuzz hello --method predict --examples 200 --json
    """
    with of_the_whole("`contract fuzz`"):
        from clarifai_emulator.cli.contract_fuzz import fuzz_models

    fuzz_models(ctx, models, as_json, options)


@contract.command()
@click.argument("rule", required=False, shell_complete=rule_names)
@json_option()
def rules(rule: str | None, as_json: bool) -> None:
    """List every rule, or explain one.

    \b
    Examples:
      clarifai-emulator contract rules
      clarifai-emulator contract rules out-of-range
    """
    from clarifai_emulator.cli.contract_show import show_rules

    show_rules(rule, as_json=as_json)


def _models_here() -> tuple[str, ...]:
    """Return the model directories that pyproject.toml names. Raises ``UsageError`` if there are none."""
    from clarifai_emulator.cli.settings_here import model_directory, require_models

    return tuple(str(model_directory(each)) for each in require_models())
