"""Defines the command ``page``, which opens the page of a running emulator in a browser."""

from __future__ import annotations

import html
from pathlib import Path

import click

from clarifai_emulator.cli.connection import find_emulator
from clarifai_emulator.cli.output import Failure, json_option, port_option, print_json
from clarifai_emulator.control.page.page_address import page_address
from clarifai_emulator.control.running import Running, run_dir
from clarifai_emulator.whole_file import write_whole


@click.command(short_help="Open the page of a running emulator in a browser.")
@click.option(
    "--open/--no-open", "opens", default=True, show_default=True, help="Open it, or print its address only."
)
@port_option()
@json_option()
def page(opens: bool, port: int | None, as_json: bool) -> None:
    """Open the page on which a browser shows what runs, which requests came, and why they went where they went.

    Prints its address, whose token lets a browser in: whoever has it can look at everything in the emulator.

    \b
    Examples:
      clarifai-emulator page
      clarifai-emulator page --no-open --port 7878
    """
    running = find_emulator(port)
    if not running.page:
        raise Failure(
            f"The emulator at {running.url} was started without its page.",
            hint="Start it with `clarifai-emulator up`, without --no-page.",
        )
    address = page_address(running)
    if as_json:
        print_json({"page": address})
    else:
        click.echo(address)
    if opens and not as_json:
        open_page(running)


def open_page(running: Running) -> bool:
    """Open the page in this user's browser, if there is one. What the browser is given is a file that only this
    user reads: everybody sees the arguments of its process."""
    import webbrowser

    try:
        return webbrowser.open(_opening_file(running).as_uri())
    except (OSError, webbrowser.Error):
        return False


def _opening_file(running: Running) -> Path:
    """Write the file that leads a browser to the page."""
    folder = run_dir()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"page-{running.port}.html"
    address = html.escape(page_address(running))
    text = (
        f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={address}">'
        f'<title>Clarifai emulator</title><a href="{address}">The emulator\'s page</a>\n'
    )
    write_whole(path, text, is_private=True)
    return path
