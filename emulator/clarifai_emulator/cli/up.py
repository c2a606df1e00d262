"""Defines the command ``up``, which starts an emulator, in the foreground or detached."""

from __future__ import annotations

import gc
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from clarifai_emulator.backend_table import BACKENDS, DEFAULT_BACKEND, abilities_of, summaries
from clarifai_emulator.cli.debug_options import debug_options
from clarifai_emulator.cli.docker_options import BUILD_ARGS_VARIABLE, docker_options, docker_settings
from clarifai_emulator.cli.env_option import ENV_VARIABLE, as_setting, env_option
from clarifai_emulator.cli.interruption import held_back
from clarifai_emulator.cli.output import USAGE, Failure, json_option, print_json, wants_json, warn
from clarifai_emulator.control.running import TOKEN_VARIABLE, has_token_characters

_FILE = click.Path(dir_okay=False, path_type=Path)
_TOKEN_LENGTH = 16
_OPTION_NAMES = {"pats_file": "--pats"}


def _size(ctx: click.Context, param: click.Parameter, value: str) -> int:
    """Return the bytes that ``512Mi`` or a number means."""
    from clarifai_emulator.messages.quantities import parse_memory

    try:
        return parse_memory(value)
    except ValueError as error:
        raise click.BadParameter(f"{error}.", ctx, param) from None


@click.command(context_settings={"auto_envvar_prefix": "CLARIFAI_EMULATOR"})
@click.option("--port", type=click.IntRange(0, 65535), default=7878, show_default=True, help="0 takes a free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--user-id",
    envvar=["CLARIFAI_EMULATOR_USER_ID", "CLARIFAI_USER_ID"],
    default="me",
    help="The user whose account this is.  [env: CLARIFAI_USER_ID; default: me]",
)
@click.option(
    "--pat",
    "pats",
    multiple=True,
    metavar="PAT[=USER]",
    envvar="CLARIFAI_EMULATOR_PAT",
    allow_from_autoenv=False,  # CLARIFAI_EMULATOR_PATS names the file of tokens
    help="Accept this token only. May be repeated.",
)
@click.option(
    "--pats",
    "pats_file",
    type=_FILE,
    envvar="CLARIFAI_EMULATOR_PATS",
    allow_from_autoenv=False,
    help="Accept only the tokens of this file, each with its user, scopes and expiry.",
)
@click.option(
    "--topology", multiple=True, type=_FILE, help="Clusters, nodepools, … to begin with. May be repeated."
)
@click.option(
    "--hold-seconds",
    type=float,
    default=120.0,
    show_default=True,
    help="Longest a request waits for a replica to start, or for one that is free.",
)
@click.option(
    "--request-seconds", type=float, default=1800.0, show_default=True, help="Longest a request may take."
)
@click.option(
    "--reclaim-seconds",
    type=float,
    default=60.0,
    show_default=True,
    help="Replace a replica that is so long at a request nobody waits for.",
)
@click.option(
    "--queue-size", type=int, default=128, show_default=True, help="Requests of a deployment that may wait."
)
@click.option("--call-depth", type=int, default=16, show_default=True, help="How deep models may call one another.")
@click.option(
    "--call-fan-out",
    type=int,
    default=1000,
    show_default=True,
    help="Calls that a model may have open for one request.",
)
@click.option("--num-threads", type=int, help="Requests a replica takes at once.  [default: what config.yaml says]")
@click.option(
    "--backend",
    type=click.Choice(list(BACKENDS)),
    default=DEFAULT_BACKEND,
    show_default=True,
    help=f"Run replicas {summaries()}.",
)
@docker_options
@click.option(
    "--runner",
    type=click.Choice(["lean", "genuine"]),
    default="lean",
    show_default=True,
    help="Hand requests straight to replicas, or let them fetch their work as on the platform, which takes longer; "
    "containers always do.",
)
@click.option(
    "--replica-network",
    type=click.Choice(["own", "watched", "shared"]),
    default="own",
    show_default=True,
    help="Give each replica ports of its own where the system can, so that two models may have a server at one "
    "port; watch the ports that they share; or leave them alone.",
)
@click.option(
    "--replica-access",
    type=click.Choice(["owner", "work-only"]),
    default="owner",
    show_default=True,
    help="Let the CLARIFAI_PAT of a replica ask models and read about them in its owner's name, as on the "
    "platform, or let it fetch the replica's work only.",
)
@click.option(
    "--strict-capacity/--no-strict-capacity",
    help="Place no more on this machine than its CPUs and memory, to test placement; by default, models that ask "
    "for more run all the same, with a warning.",
)
@click.option("--start-method", type=click.Choice(["auto", "fork", "spawn"]), default="auto", show_default=True)
@click.option(
    "--contract",
    type=click.Choice(["record", "strict", "off"]),
    default="record",
    show_default=True,
    help="What to do with requests that disagree with the model's signatures: tell, refuse, or do not look.",
)
@click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep resources, uploaded versions and logs in this directory over restarts.  [default: in memory only]",
)
@click.option(
    "--durability",
    type=click.Choice(["machine", "process"]),
    default="machine",
    show_default=True,
    help="With --state: what was answered survives a crash of the machine, or of the process alone, which is "
    "faster.",
)
@click.option(
    "--max-upload-bytes",
    default="16Gi",
    show_default=True,
    metavar="SIZE",
    callback=_size,
    help="The largest archive of an uploaded model version.",
)
@click.option(
    "--max-connection-buffer-bytes",
    default="512Mi",
    show_default=True,
    metavar="SIZE",
    callback=_size,
    help="The most memory in which requests and answers of one connection wait.",
)
@click.option(
    "--max-buffer-bytes",
    default="2Gi",
    show_default=True,
    metavar="SIZE",
    callback=_size,
    help="The most memory in which requests and answers of all connections wait together.",
)
@click.option(
    "--cors",
    multiple=True,
    metavar="ORIGIN",
    help="Let pages of this origin use the HTTP endpoints; localhost: any port of this machine; *: all pages.",
)
@click.option(
    "--allow-host",
    "allow_hosts",
    multiple=True,
    metavar="NAME",
    help="Answer HTTP requests to this name, too, where --host lets other machines connect. Addresses, names "
    "without a dot and those of local networks are always answered.",
)
@click.option(
    "--behaviour",
    multiple=True,
    metavar="NAME=VALUE",
    help="Choose where the platform's way is unknown or hinders: latest-version=when-ready|at-once, "
    "apps=explicit|on-mention, secret-values=shown|hidden. May be repeated.",
)
@env_option("Let replicas have this variable too: its value here, or the one given.")
@debug_options("every deployment, at this port and those after it")
@click.option(
    "--page/--no-page", default=True, show_default=True, help="Serve the page that shows a browser what runs."
)
@click.option("--open/--no-open", "opens_page", help="Open the page in a browser.")
@click.option("-d", "--detach", is_flag=True, help="Start it in the background; return when it answers.")
@click.option("--ready-fd", type=int, hidden=True)
@click.option("--tied-to-fd", type=int, hidden=True)
@json_option("Print each event as a line of JSON.")
def up(
    detach: bool,
    ready_fd: int | None,
    tied_to_fd: int | None,
    as_json: bool,
    page: bool,
    opens_page: bool,
    **options: Any,
) -> None:
    """Start an emulator and print what happens in it. Ctrl-C stops it and every replica.

    Every option can be set in the environment as CLARIFAI_EMULATOR_<OPTION>. CLARIFAI_EMULATOR_TOKEN is the token
    by which other commands control it; each start makes one where it is not set, and keeps it in a file for you
    only.

    \b
    Examples:
      clarifai-emulator up
      clarifai-emulator up --port 0 --detach
      clarifai-emulator up --open                   (and look at it in a browser)
      clarifai-emulator up --backend inprocess      (breakpoints in model.py stop here)
      clarifai-emulator up --backend docker         (each replica is a container)
      clarifai-emulator up --accelerators simulated:2xNVIDIA-A10G
      clarifai-emulator up --env OPENAI_API_KEY --env MODE=test
      clarifai-emulator up --pat alice-token=alice --pat bob-token=bob
      clarifai-emulator up --pats pats.yaml
      clarifai-emulator up --topology topology.yaml --json
      clarifai-emulator up --state ~/my-platform    (deployments are there again after a restart)
      CLARIFAI_EMULATOR_TOKEN=$(openssl rand -hex 24) clarifai-emulator up --host 0.0.0.0
    """
    config = config_of(options)
    if opens_page and not page:
        raise click.UsageError("--open and --no-page exclude each other: there is no page to open.")
    token = _control_token(os.environ)
    if detach and ready_fd is None:
        _warn(config)
        _detach({**options, "page": page}, opens_page=opens_page)
        return
    gc.disable()  # until it listens: what is made before that stays
    click.get_current_context().call_on_close(gc.enable)
    os.environ.pop(TOKEN_VARIABLE, None)  # hide the token from models
    parent = None
    if abilities_of(config.backend).warm_start == "parent" and config.port:
        from clarifai_emulator.backends.process.parent import launch_early

        with held_back():
            parent = launch_early(config.url(config.port), config.start_method, wanted=config.env)
    try:
        from clarifai_emulator.cli.foreground import PageWishes, serve
    except BaseException:
        if parent is not None:
            parent.close()
        raise
    serve(
        config,
        parent=parent,
        as_json=as_json,
        ready_fd=ready_fd,
        token=token,
        tied_to_fd=tied_to_fd,
        page=PageWishes(page, opens_page),
    )


def _control_token(environ: Mapping[str, str]) -> str:
    """Return the token of the controls, if the user chose one."""
    token = environ.get(TOKEN_VARIABLE, "")
    if token and (len(token) < _TOKEN_LENGTH or not has_token_characters(token)):
        raise Failure(
            f"{TOKEN_VARIABLE} must have at least {_TOKEN_LENGTH} printable ASCII characters, without spaces.",
            hint="Whoever has it can run code here: make one with `openssl rand -hex 24`.",
            code=USAGE,
        )
    return token


def parse_pats(values: tuple[str, ...], user_id: str) -> dict[str, str]:
    """Return the user of each token; without one, the emulator's. A token may itself end with ``=``."""
    pats: dict[str, str] = {}
    for value in values:
        pat, _, user = value.rpartition("=")
        pats.update({pat: user} if pat and user else {value: user_id})
    return pats


def config_of(options: Mapping[str, Any]) -> Any:
    """Return the configuration that the options of ``up`` mean. Raises ``Failure``."""
    from clarifai_emulator.config import EmulatorConfig
    from clarifai_emulator.errors import ConfigError

    of_others = ("pats", "advertise")
    values = {
        name: value for name, value in options.items() if name not in of_others and not name.startswith("docker_")
    }
    if options["pats_file"] is not None:
        values["pats_file"] = options["pats_file"].absolute()
    state = values.pop("state")
    values["data_dir"] = state and state.absolute()
    values["behaviour"] = _behaviour(options["behaviour"])
    values["topology"] = tuple(path.absolute() for path in options["topology"])
    try:
        pats = parse_pats(options["pats"], options["user_id"])
        return EmulatorConfig(pats=pats, docker=docker_settings(options), **values)
    except ConfigError as error:
        problems = "\n".join(f"  - {problem}" for problem in error.problems)
        raise Failure(
            f"{error.what}\n{problems}", hint="`clarifai-emulator up --help` lists the options."
        ) from None


def _behaviour(choices: tuple[str, ...]) -> Any:
    from clarifai_emulator.behaviour import Behaviour

    try:
        return Behaviour.of(choices)
    except ValueError as error:
        text = f"--behaviour: {error}"
        raise Failure(text, hint="`clarifai-emulator up --help` lists them.", code=USAGE) from None


def _warn(config: Any) -> None:
    """Print the warnings that the emulator itself would write to its log file only."""
    from clarifai_emulator.api.access.accounts import security_warnings

    for warning in security_warnings(config):
        warn(warning)


def arguments_of(options: Mapping[str, Any]) -> list[str]:
    """Return the options as ``up`` takes them on a command line, without tokens, variables of models and build
    arguments, because everyone sees it."""
    arguments: list[str] = []
    for name, value in options.items():
        if name in ("pats", "env", "docker_build_args"):
            continue
        if isinstance(value, bool):
            arguments.append(f"--{'' if value else 'no-'}{name.replace('_', '-')}")
            continue
        option = _OPTION_NAMES.get(name, f"--{name.replace('_', '-')}")
        values = value if isinstance(value, tuple) else () if value is None else (value,)
        for each in values:
            arguments += [option, str(each.absolute() if isinstance(each, Path) else each)]
    return arguments


def _detach(options: Mapping[str, Any], *, opens_page: bool) -> None:
    from clarifai_emulator.cli.background import launch
    from clarifai_emulator.control.running import run_dir

    told = {
        "CLARIFAI_EMULATOR_PAT": " ".join(options["pats"]),
        ENV_VARIABLE: as_setting(options["env"]),
        BUILD_ARGS_VARIABLE: as_setting(options["docker_build_args"]),
    }
    environ = {**os.environ, **told}
    launched = launch(arguments_of(options), run_dir(), environ=environ)
    running, log_file = launched.running, launched.log_file
    if opens_page:
        from clarifai_emulator.cli.page import open_page

        open_page(running)
    if wants_json():
        facts = {"url": running.url, "port": running.port, "pid": running.pid, "user_id": running.user_id}
        print_json({**facts, "log_file": str(log_file)})
        return
    click.echo(
        click.style(f"Clarifai emulator at {running.url}", bold=True, fg="green") + f" (process {running.pid})"
    )
    if running.page:
        from clarifai_emulator.control.page.page_address import page_address

        click.echo(f"  page:  {page_address(running)}")
    click.echo(f"  log:   {log_file}")
    click.echo(f'  use:   eval "$(clarifai-emulator env --port {running.port})"')
    click.echo(f"  stop:  clarifai-emulator down --port {running.port}")
