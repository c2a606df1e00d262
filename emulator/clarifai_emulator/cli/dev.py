"""Defines the command ``dev``, which runs model directories and reloads them at each save."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from clarifai_emulator.backend_table import BACKENDS, DEFAULT_BACKEND, abilities_of
from clarifai_emulator.cli.connection import client_of, find_emulator
from clarifai_emulator.cli.debug_options import debug_options, debug_request
from clarifai_emulator.cli.emulator_here import emulator_here, has_terminal
from clarifai_emulator.cli.env_option import ENV_VARIABLE, as_setting, env_option
from clarifai_emulator.cli.lifecycle import wait_until_gone
from clarifai_emulator.cli.output import Failure, failure_of, given_url, json_option, port_option, step, warn
from clarifai_emulator.cli.place_options import place_of, place_options
from clarifai_emulator.control.running import Running, is_listening, run_dir, running_emulators
from clarifai_emulator.errors import EmulatorError

# Options of `up`, for an emulator that `dev` starts.
_OF_UP = ("topology", "backend", "runner", "accelerators", "strict_capacity", "env")
# Long: a model that waits for room, or loads for long, is waited for until Ctrl-C.
_READY_SECONDS = 1800.0


@click.command(short_help="Run model directories, and every save of them.")
@click.argument("directories", metavar="DIR…", nargs=-1, required=True, type=click.Path(path_type=Path))
@place_options
@click.option("--min-replicas", type=click.IntRange(1), default=1, show_default=True)
@click.option(
    "--always",
    type=click.Choice(["fork", "environment"]),
    help="At least this kind of reload for every save, also where less is enough.",
)
@click.option(
    "--strict", is_flag=True, help="Fail requests while an edit is broken; else the last good code answers."
)
@click.option("--poll", is_flag=True, help="Look at the files again and again, without events of the file system.")
@click.option(
    "--client",
    "clients",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="Client files or folders: their calls are checked when they or the methods change. May be repeated.",
)
@click.option(
    "--stubs", type=click.Path(file_okay=False, path_type=Path), help="Keep typed clients in this folder."
)
@click.option("--include", multiple=True, metavar="GLOB", help="Watch only such files. May be repeated.")
@click.option("--exclude", multiple=True, metavar="GLOB", help="Watch no such files. May be repeated.")
@click.option(
    "--topology",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="As for `up`, which starts if none is running. A save of the file is applied to what runs.",
)
@click.option("--backend", type=click.Choice(list(BACKENDS)), help="As for `up`.")
@click.option("--runner", type=click.Choice(["lean", "genuine"]), help="As for `up`.")
@debug_options("the replica of each directory")
@click.option("--accelerators", metavar="SPEC", help="As for `up`: simulated:1xNVIDIA-A10G pretends to have one.")
@click.option("--strict-capacity/--no-strict-capacity", default=None, help="As for `up`.")
@env_option("As for `up`: let replicas have this variable too.")
@click.option("--plain", is_flag=True, help="Lines instead of the live view, also in a terminal.")
@port_option()
@json_option("Print each event as a line of JSON.")
def dev(directories: tuple[Path, ...], port: int | None, as_json: bool, plain: bool, **options: Any) -> None:
    """Run the model directories DIR… and watch them: what you save answers within a tenth of a second.

    Joins a running emulator, or starts one and stops it at the end. A save is reloaded in the cheapest way that is
    right: a changed method is put behind the loaded model (its weights stay), a changed load_model loads it again.
    What the model prints, each call and each traceback are shown as they come. Broken code is shown too, while what
    served before goes on. Ctrl-C ends it.

    \b
    Examples:
      clarifai-emulator dev my-model
      clarifai-emulator dev model-a model-b --exclude '*.md' --strict
      clarifai-emulator dev my-model --client app.py --client clients/ --stubs typings
      clarifai-emulator dev my-model --always fork --runner genuine
      clarifai-emulator dev my-model --env OPENAI_API_KEY
      clarifai-emulator dev my-model --debug                 (stop at breakpoints in your editor)
      clarifai-emulator dev my-model --backend inprocess     (breakpoint() asks in this terminal)
    """
    requests = _requests(directories, options)
    asks_here = abilities_of(options["backend"] or DEFAULT_BACKEND).debugging == "terminal"
    is_here = asks_here and not as_json and has_terminal()
    with _emulator(port, options, is_here=is_here) as (running, is_ours):
        from clarifai_emulator.cli.dev_loop import DevLoop
        from clarifai_emulator.cli.sending import refuse_elsewhere

        if not is_ours:
            options["topology"] = ()
        with client_of(running) as client:
            refuse_elsewhere(client, "dev", "it watches files and has them loaded from where they are")
            # A debugger's prompt needs the terminal that a live view would draw on.
            DevLoop(client, requests, options, as_json=as_json, plain=plain or is_here).run()


def _requests(directories: Sequence[Path], options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the request to the emulator for each directory."""
    debug = debug_request(options)
    return [
        {
            "path": str(directory.expanduser().resolve()),
            **place_of(options),
            "min_replicas": options["min_replicas"],
            "max_replicas": 1 if debug else None,
            "debug": debug,
            "wait": not options["debug_wait"],
            "wait_seconds": _READY_SECONDS,
            "always": options["always"] or "none",
            "strict": options["strict"],
            "include": list(options["include"]),
            "exclude": list(options["exclude"]),
        }
        for directory in directories
    ]


@contextmanager
def _emulator(port: int | None, options: Mapping[str, Any], *, is_here: bool) -> Generator[tuple[Running, bool]]:
    """Find the running emulator, or start one for this command, and say whether it is this command's own.
    ``is_here``: the emulator is part of this process, so that breakpoints can have its terminal."""
    known = running_emulators(run_dir())
    if given_url() or any(port in (None, 0, each.port) for each in known):
        running = find_emulator(port)
        given = [f"--{name.replace('_', '-')}" for name in _OF_UP if options[name]]
        if given:
            warn(f"{running.url} is running already: {', '.join(given)} of this command has no effect on it.")
        yield running, False
        return
    from clarifai_emulator.cli.background import launch
    from clarifai_emulator.cli.up import arguments_of

    step("starting an emulator")
    arguments = [*arguments_of({name: options[name] for name in _OF_UP}), "--port", str(_free(port))]
    if is_here:
        with emulator_here([*arguments, *(f"--env={each}" for each in options["env"])]) as running:
            step(f"{running.url}, in this process: breakpoint() in a model asks here")
            yield running, True
        return
    environ = {**os.environ, ENV_VARIABLE: as_setting(options["env"])}
    launched = launch(arguments, run_dir(), environ=environ, is_tied=True)
    step(f"{launched.running.url}, its log is in {launched.log_file}")
    try:
        yield launched.running, True
    finally:
        _stop(launched.running)


def _free(port: int | None) -> int:
    """Return the port for an emulator that is to be started: the usual one if nobody has it."""
    from clarifai_emulator.config import DEFAULT_PORT

    if port is not None:
        return port
    return 0 if is_listening("127.0.0.1", DEFAULT_PORT) else DEFAULT_PORT


def _stop(running: Running) -> None:
    try:
        with client_of(running) as client:
            client.result("Down")
        wait_until_gone(running, run_dir())
    except (EmulatorError, Failure) as error:
        warn(f"The emulator at {running.url} could not be stopped: {failure_of(error).message}")
