"""Defines the command ``deploy``, which serves a model directory and shows how to call it."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from clarifai_emulator.cli import completing
from clarifai_emulator.cli.callers import chosen_caller
from clarifai_emulator.cli.columns import columns
from clarifai_emulator.cli.connection import connect
from clarifai_emulator.cli.debug_options import debug_options, debug_request, show_attaching
from clarifai_emulator.cli.endpoints import endpoint_calls, is_carrier
from clarifai_emulator.cli.interruption import Interrupted
from clarifai_emulator.cli.output import (
    Failure,
    failure_of,
    heading,
    json_option,
    port_option,
    print_json,
    step,
    warn,
)
from clarifai_emulator.cli.place_options import place_of, place_options
from clarifai_emulator.cli.sending import deploy_on
from clarifai_emulator.cli.signatures import Signature, chosen_methods, command_line, snippet
from clarifai_emulator.control.client import Client
from clarifai_emulator.control.running import Running
from clarifai_emulator.errors import EmulatorError
from clarifai_emulator.messages.address import ModelAddress

# The word for the directory in the emulator's hints; users see the real path, ready to paste.
_PLACEHOLDER = re.compile(r"\bDIR\b")


@click.command(short_help="Deploy a model directory.")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@place_options
@click.option(
    "--deployment-id",
    default="",
    shell_complete=completing.deployments,
    help="The deployment's id.  [default: deploy-<model id>]",
)
@click.option("--model", default="", metavar="USER/APP/models/ID", help="Another name than config.yaml gives it.")
@click.option("--min-replicas", type=click.IntRange(0), default=1, show_default=True, help="0 starts on demand.")
@click.option("--max-replicas", type=click.IntRange(1), help="[default: 5, or --min-replicas where that is more]")
@click.option("--stop-first", is_flag=True, help="End what serves before the new version starts; requests wait.")
@click.option(
    "--wait",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="Longest to wait for a ready replica.  [default: 1800, of these 60 for room that others hold]",
)
@debug_options("its replica, of which there is one then")
@click.option("--no-wait", is_flag=True, help="Return before a replica is ready.")
@port_option()
@json_option()
def deploy(
    directory: Path, port: int | None, wait: float | None, no_wait: bool, as_json: bool, **options: Any
) -> None:
    """Deploy the model directory DIR: config.yaml, requirements.txt and 1/model.py.

    An unchanged directory keeps its version; a changed one becomes a new version of the same deployment.

    \b
    Examples:
      clarifai-emulator deploy my-model
      clarifai-emulator deploy my-model --min-replicas 2 --max-replicas 4
      clarifai-emulator deploy my-model --cluster my-cluster --nodepool my-pool
      clarifai-emulator deploy my-model --instance t3a.xlarge    (on such an instance, emulated by its size)
      clarifai-emulator deploy my-model --model openai/chat/models/gpt-4o
      clarifai-emulator deploy my-model --debug 5678      (stop at breakpoints in your editor)
      clarifai-emulator deploy my-model --url http://box:7878     (the directory is sent there)
    """
    if wait is not None and no_wait:
        raise click.UsageError("--wait and --no-wait exclude each other.")
    waits = not (no_wait or options["debug_wait"])
    request = {**_request(directory, options), "wait": waits, "wait_seconds": wait}
    with connect(port) as client:
        try:
            deployed = deploy_on(client, _show_progress, request)
        except KeyboardInterrupt:
            raise Interrupted("Nothing was deployed; what served before goes on.") from None
        except (EmulatorError, Failure) as error:
            failure = failure_of(error)
            failure.hint = _PLACEHOLDER.sub(lambda _: shlex.quote(str(directory)), failure.hint)
            raise failure from None
        default = _default_route(client, deployed)
    if as_json:
        print_json({**deployed, "default_route": default})
        return
    _show(deployed, default, client.running)


def _request(directory: Path, options: Mapping[str, Any]) -> dict[str, Any]:
    debug = debug_request(options)
    most = 1 if debug else options["max_replicas"]
    if most is not None and most < options["min_replicas"]:
        raise click.UsageError(f"--min-replicas {options['min_replicas']} is more than --max-replicas {most}.")
    return {
        "path": str(directory.expanduser().absolute()),
        **place_of(options),
        "deployment_id": options["deployment_id"],
        "model": options["model"],
        "min_replicas": options["min_replicas"],
        "max_replicas": most,
        "stop_first": options["stop_first"],
        "debug": debug,
    }


def _show_progress(answer: dict[str, Any]) -> None:
    if "progress" in answer:
        step(answer["progress"])


def _default_route(client: Client, deployed: dict[str, Any]) -> dict[str, Any]:
    """Ask the emulator where a request goes that names the model and nothing else."""
    return client.result(
        "Route",
        caller=chosen_caller(client).user_id,
        model_user=deployed["model_user_id"],
        model_app=deployed["app_id"],
        model_id=deployed["model_id"],
    )


def _show(deployed: dict[str, Any], default: dict[str, Any], running: Running) -> None:
    name = ModelAddress(deployed["model_user_id"], deployed["app_id"], deployed["model_id"]).name
    heading(f"\nDeployed {name} in {deployed['seconds']:.1f} s")
    version = f"{deployed['version_id'][:8]}{'' if deployed['is_new_version'] else ' (unchanged)'}"
    rows = [
        ["version", version],
        ["deployment", f"{deployed['deployment_id']} of user {deployed['user_id']}"],
        ["nodepool", f"{deployed['nodepool_id']} of compute cluster {deployed['compute_cluster_id']}"],
        ["environment", deployed["environment"]],
        ["default route", _default_text(deployed, default)],
    ]
    click.echo("\n".join(columns(rows)))
    for warning in deployed["warnings"]:
        warn(warning)
    show_calls(deployed, running)


def _default_text(deployed: dict[str, Any], default: dict[str, Any]) -> str:
    """Describe which deployment serves a request that names none: not always the one just made."""
    if "refusal" in default:
        return f"none, name the deployment: {default['refusal']['details']}"
    decision = default["decision"]
    target = decision["deployment"] or ", ".join(decision["nodepools"])
    here = f"{deployed['user_id']}/{deployed['deployment_id']}"
    now = "" if default["is_settled"] else ", as busy as everything is now"
    return f"{decision['rule']} → {target}{now}" + ("" if target == here else ", not this deployment")


def show_calls(deployed: dict[str, Any], running: Running) -> None:
    """Print how to call the deployed model, ready to paste; and how to debug it, if that was asked for."""
    show_attaching(deployed)
    for title, text in endpoint_calls(deployed, url=running.url, pat=running.pat):
        heading(f"\n{title}")
        click.echo(textwrap.indent(text, "  "))
    signatures = [each for each in deployed["signatures"] if not is_carrier(each)]
    if signatures:
        _show_sdk_calls(deployed, signatures)
    elif not deployed["signatures"]:
        heading('\nIt answers messages. From Python, after  eval "$(clarifai-emulator env)"')
        call = 'print(model.predict_by_bytes(b"Hello", input_type="text").outputs[0].data)'
        lines = ("from clarifai.client import Model", "", f'model = Model(url="{deployed["model_url"]}")', call)
        click.echo(textwrap.indent("\n".join(lines), "  "))


def _show_sdk_calls(deployed: dict[str, Any], signatures: Sequence[Signature]) -> None:
    chosen = chosen_methods(signatures)
    heading("\nCall it")
    click.echo(f"  {command_line(chosen[0], deployed['model_id'])}")
    heading('\nFrom Python, after  eval "$(clarifai-emulator env)"')
    text = snippet(chosen, model_url=deployed["model_url"], deployment_id=deployed["deployment_id"])
    click.echo(textwrap.indent(text, "  "))
    others = [each["name"] for each in signatures if each not in chosen]
    if others:
        click.echo(textwrap.fill(f"Further methods: {', '.join(others)}", 100, subsequent_indent="  "))
