"""The command ``dev``: runs model directories and brings each save of them to where it answers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from clarifai_emulator.cli.client import Client
from clarifai_emulator.cli.lifecycle import wait_until_gone
from clarifai_emulator.cli.output import Failure, json_option, port_option, step, warn
from clarifai_emulator.cli.state import Running, find_running, running_emulators, state_dir

# Options of `up`, for an emulator that `dev` starts.
_OF_UP = ("topology", "backend", "runner")


@click.command(short_help="Run model directories, and every save of them.")
@click.argument("directories", metavar="DIR…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--nodepool", default="cpu", show_default=True, help="The nodepool to run them in.")
@click.option("--cluster", default="", help="Its compute cluster; needed when several have such a nodepool.")
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
@click.option("--backend", type=click.Choice(["process", "inprocess", "docker"]), help="As for `up`.")
@click.option("--runner", type=click.Choice(["genuine", "lean"]), help="As for `up`.")
@click.option("--plain", is_flag=True, help="Lines instead of the live view, also in a terminal.")
@port_option()
@json_option("Print each event as a line of JSON.")
def dev(directories: tuple[Path, ...], port: int | None, as_json: bool, plain: bool, **options: Any) -> None:
    """Run the model directories DIR… and watch them: what you save answers within a tenth of a second.

    Joins a running emulator, or starts one and stops it at the end. A save is reloaded in the cheapest way that is
    right: a changed method is put behind the loaded model (its weights stay), a changed load_model loads it again.
    Broken code is shown, and what served before goes on. Ctrl-C ends it.

    \b
    Examples:
      clarifai-emulator dev my-model
      clarifai-emulator dev model-a model-b --exclude '*.md' --strict
      clarifai-emulator dev my-model --client app.py --client clients/ --stubs typings
      clarifai-emulator dev my-model --always fork --runner lean
    """
    emulator = _emulator(port, options)
    with emulator as running:
        from clarifai_emulator.cli.dev_loop import DevLoop

        if not emulator.is_ours:
            options["topology"] = ()
        with Client(running) as client:
            DevLoop(client, directories, options, as_json=as_json, plain=plain).run()


def _emulator(port: int | None, options: Mapping[str, Any]) -> _Emulator:
    known = running_emulators(state_dir())
    if any(port in (None, 0, each.port) for each in known):
        running = find_running(port)
        given = [f"--{name}" for name in _OF_UP if options[name]]
        if given:
            warn(f"{running.url} is running already: {', '.join(given)} of this command has no effect on it.")
        return _Emulator(running, is_ours=False)
    from clarifai_emulator.cli.background import launch
    from clarifai_emulator.cli.up import arguments_of

    step("starting an emulator")
    arguments = arguments_of({name: options[name] for name in _OF_UP})
    launched = launch([*arguments, "--port", str(_free(port))], state_dir(), is_tied=True)
    step(f"{launched.running.url}, its log is in {launched.log_file}")
    return _Emulator(launched.running, is_ours=True)


def _free(port: int | None) -> int:
    """The port of an emulator that is to be started: the usual one if nobody has it."""
    import socket

    from clarifai_emulator.config import DEFAULT_PORT

    if port is not None:
        return port
    with socket.socket() as probe:
        return 0 if probe.connect_ex(("127.0.0.1", DEFAULT_PORT)) == 0 else DEFAULT_PORT


class _Emulator:
    """The emulator of one `dev`: stopped at the end if it was started for it."""

    def __init__(self, running: Running, *, is_ours: bool) -> None:
        self._running = running
        self.is_ours = is_ours

    def __enter__(self) -> Running:
        return self._running

    def __exit__(self, *_: object) -> None:
        if not self.is_ours:
            return
        try:
            with Client(self._running) as client:
                client.result("Down")
            wait_until_gone(self._running, state_dir())
        except Failure as failure:
            warn(f"The emulator at {self._running.url} could not be stopped: {failure.message}")
