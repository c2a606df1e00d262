"""Defines the commands ``reset`` and ``down``, which empty and stop an emulator."""

from __future__ import annotations

import time
from pathlib import Path

import click

from clarifai_emulator.cli.connection import client_of, connect
from clarifai_emulator.cli.output import Failure, json_option, port_option, print_json
from clarifai_emulator.control.running import Running, remove_state, run_dir, running_emulators
from clarifai_emulator.machine.processes import has_ended

_STOP_SECONDS = 30.0


@click.command(short_help="Forget everything, and begin again.")
@port_option()
@json_option()
def reset(port: int | None, as_json: bool) -> None:
    """Forget every resource, replica, log and event; begin again as after `up`, at the same address.

    \b
    Example:
      clarifai-emulator reset
    """
    with connect(port) as client:
        client.result("Reset")
        _done(client.running, as_json, f"The emulator at {client.running.url} is as it was when it started.")


@click.command()
@click.option("--all", "every", is_flag=True, help="Every emulator of this user.")
@port_option()
@json_option()
def down(port: int | None, every: bool, as_json: bool) -> None:
    """Stop a running emulator and everything it started.

    \b
    Examples:
      clarifai-emulator down
      clarifai-emulator down --port 7878
      clarifai-emulator down --all     (and containers that killed emulators left)
    """
    clients = [client_of(each) for each in running_emulators(run_dir())] if every else [connect(port)]
    for client in clients:
        with client:
            client.result("Down")
        wait_until_gone(client.running, run_dir())
        running = client.running
        _done(running, as_json, f"Stopped the emulator at {running.url} (process {running.pid}) and its replicas.")
    removed = _remove_left_behind() if every else []
    if removed and as_json:
        print_json({"removed": removed})
    elif removed:
        click.echo(f"Removed what emulators that are gone had left: {', '.join(removed)}.")
    if not clients and not as_json:
        click.echo("No emulator is running.")


def _remove_left_behind() -> list[str]:
    """Remove containers and networks of killed emulators; none if no engine answers."""
    from clarifai_emulator.backends.docker.engine import NoEngine, connect
    from clarifai_emulator.backends.docker.leftovers import remove_left_behind

    try:
        client, _ = connect()
    except NoEngine:
        return []
    try:
        return remove_left_behind(client)
    finally:
        client.close()


def wait_until_gone(running: Running, folder: Path) -> None:
    """Wait until an emulator that was told to stop has ended. Raises ``Failure``."""
    deadline = time.monotonic() + _STOP_SECONDS
    while not (has_ended(running.pid) if running.is_here else _is_silent(running)):
        if time.monotonic() > deadline:
            raise Failure(
                f"The emulator at {running.url} still runs {_STOP_SECONDS:g} s after it was told to stop.",
                hint=f"Look at its output, or end it with `kill -9 {running.pid}`; its replicas end with it.",
            )
        time.sleep(0.02)
    if running.is_here:
        remove_state(folder, running.port, running.pid)


def _is_silent(running: Running) -> bool:
    """Tell whether nothing answers any more where an emulator was."""
    from clarifai_emulator.control.network import health

    return health(running.url) is None


def _done(running: Running, as_json: bool, text: str) -> None:
    if as_json:
        print_json({"url": running.url, "port": running.port, "pid": running.pid})
    else:
        click.echo(text)
