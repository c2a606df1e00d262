"""Defines the command ``env``, which prints the variables that point the Clarifai SDK at a running emulator."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping

import click

from clarifai_emulator.cli.connection import find_emulator
from clarifai_emulator.cli.output import json_option, port_option, print_json
from clarifai_emulator.control.running import TOKEN_VARIABLE, Running

_PROXIES = ("http_proxy", "https_proxy", "grpc_proxy", "all_proxy")


@click.command(short_help="Print the variables that point the SDK and CLI at it.")
@click.option(
    "--shell",
    type=click.Choice(["bash", "zsh", "fish", "powershell", "dotenv"]),
    default="bash",
    show_default=True,
    help="Whose syntax; dotenv for a .env file.",
)
@click.option("--control", is_flag=True, help="Print those that let this command line control it from elsewhere.")
@port_option()
@json_option()
def env(shell: str, port: int | None, control: bool, as_json: bool) -> None:
    """Print the environment variables that point the Clarifai SDK and CLI at the emulator.

    With --control, those by which `status`, `deploy`, `logs` and the others reach it from another machine or out of
    a container. The token among them lets its holder run code where the emulator runs.

    \b
    Examples:
      eval "$(clarifai-emulator env)"
      clarifai-emulator env --shell fish | source
      clarifai-emulator env --shell powershell | Invoke-Expression
      clarifai-emulator env --shell dotenv > .env
      docker exec my-emulator clarifai-emulator env --control
    """
    running = find_emulator(port)
    variables = control_variables(running) if control else variables_for(running, os.environ)
    if as_json:
        print_json(variables)
        return
    for name, value in variables.items():
        click.echo(assignment(shell, name, value))


def variables_for(running: Running, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables to set. Where a proxy is set up they also exempt this host from it, because gRPC would
    ask the proxy."""
    variables = {
        "CLARIFAI_API_BASE": running.url,
        "CLARIFAI_PAT": running.pat,
        "CLARIFAI_USER_ID": running.user_id,
    }
    if is_behind_proxy(running.host, environ):
        known = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
        variables["no_proxy"] = variables["NO_PROXY"] = ",".join(filter(None, [known, running.host]))
    return variables


def control_variables(running: Running) -> dict[str, str]:
    """Return the variables to set where the emulator is controlled from: its address, which may be another one
    there, and its token."""
    return {"CLARIFAI_EMULATOR_URL": running.url, TOKEN_VARIABLE: running.token}


def is_behind_proxy(host: str, environ: Mapping[str, str]) -> bool:
    """Tell whether a client with this environment would ask a proxy for that host."""
    has_proxy = any(environ.get(name) or environ.get(name.upper()) for name in _PROXIES)
    excepted = (environ.get("no_proxy") or environ.get("NO_PROXY") or "").split(",")
    return has_proxy and not any(each.strip() in (host, "*") for each in excepted)


def assignment(shell: str, name: str, value: str) -> str:
    """Return the line that sets a variable in that shell."""
    if shell == "fish":
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"set -gx {name} '{escaped}';"
    if shell == "powershell":
        escaped = value.replace("'", "''")
        return f"$Env:{name} = '{escaped}'"
    if shell == "dotenv":
        return f"{name}={value}"
    return f"export {name}={shlex.quote(value)}"
