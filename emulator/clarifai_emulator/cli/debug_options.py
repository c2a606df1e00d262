"""Defines the options ``--debug`` and ``--debug-wait``, and tells how to attach an editor."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from clarifai_emulator.cli.output import heading

_Function = TypeVar("_Function", bound=Callable[..., Any])


def debug_options(what: str) -> Callable[[_Function], _Function]:
    """Return a decorator that adds the parameters ``debug`` (a port; 0: a free one, None: no debugger) and
    ``debug_wait``."""

    def add(function: _Function) -> _Function:
        wait = click.option("--debug-wait/--no-debug-wait", help="Load the model once an editor has attached.")
        port = click.option(
            "--debug",
            type=click.IntRange(0, 65535),
            is_flag=False,
            flag_value=0,
            metavar="[PORT]",
            help=f"Let an editor's debugger attach to {what}.  [default: a free port]",
        )
        return port(wait(function))

    return add


def debug_request(options: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what the options ask of a deployment, or None; ``--debug-wait`` implies ``--debug``. Raises
    ``click.UsageError`` if there would be several replicas."""
    port, wait = options["debug"], options["debug_wait"]
    if port is None and not wait:
        return None
    if options["min_replicas"] > 1:
        raise click.UsageError(
            "--debug is for one replica: an editor would see the requests of one of several only."
        )
    return {"port": port or 0, "wait": wait}


def show_attaching(deployed: Mapping[str, Any]) -> None:
    """Print how to attach an editor, ready to paste, if the deployment can be debugged."""
    if not deployed["debug_port"]:
        return
    port = int(deployed["debug_port"])
    if deployed["waits_for_debugger"]:
        click.echo("\nIts model is loaded once an editor has attached.")
    heading('\nAttach VS Code (.vscode/launch.json, under "configurations")')
    click.echo(textwrap.indent(vs_code(deployed["model_id"], port), "  "))
    heading("\nAttach PyCharm")
    click.echo(f"  Run | Edit Configurations | + | Attach to DAP: remote address 127.0.0.1, port {port}")


def vs_code(model_id: str, port: int) -> str:
    """Return a configuration for ``launch.json``."""
    return json.dumps(
        {
            "name": f"{model_id} (clarifai-emulator)",
            "type": "debugpy",
            "request": "attach",
            "connect": {"host": "127.0.0.1", "port": port},
            "justMyCode": True,
        },
        indent=2,
    )
