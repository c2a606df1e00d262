"""Defines the command ``route``, which shows where a request would go and why, and what was rejected."""

from __future__ import annotations

from typing import Any

import click

from clarifai_emulator.cli import completing
from clarifai_emulator.cli.callers import chosen_caller
from clarifai_emulator.cli.columns import columns
from clarifai_emulator.cli.connection import connect
from clarifai_emulator.cli.model_names import read_model_name
from clarifai_emulator.cli.output import (
    NO_ROUTE,
    json_option,
    port_option,
    print_json,
    status_name,
)
from clarifai_emulator.control.client import Client


@click.command(short_help="Explain where a request would go, without sending one.")
@click.argument("model", required=False, shell_complete=completing.models)
@click.option(
    "--deployment",
    metavar="[USER/]ID",
    shell_complete=completing.deployments,
    help="As deployment_id of a request.",
)
@click.option(
    "--cluster", shell_complete=completing.clusters, help="As compute_cluster_id of a request; with --nodepool."
)
@click.option(
    "--nodepool", shell_complete=completing.nodepools, help="As nodepool_id of a request; with --cluster."
)
@click.option("--runner", default="", help="As the runner of a request; with --nodepool.")
@click.option(
    "--caller",
    default="",
    shell_complete=completing.users,
    help="The user who asks.  [default: whose token predict would use]",
)
@port_option()
@json_option()
@click.pass_context
def route(ctx: click.Context, model: str | None, port: int | None, as_json: bool, **options: Any) -> None:
    """Explain where a request for MODEL would go, without sending one. Exit code 3 when it is refused.

    \b
    Examples:
      clarifai-emulator route hello
      clarifai-emulator route me/demo/models/hello --caller someone-else
      clarifai-emulator route hello --deployment deploy-hello
      clarifai-emulator route hello --cluster local --nodepool cpu --json
    """
    if bool(options["cluster"]) != bool(options["nodepool"]):
        raise click.UsageError("--cluster and --nodepool belong together: give both.")
    if model is None and not options["deployment"]:
        raise click.UsageError("Give a MODEL, or --deployment.")
    with connect(port) as client:
        answer = client.result("Route", **_request(client, model, options))
    if as_json:
        print_json(answer)
    elif "decision" in answer:
        _show_decision(answer["decision"], is_settled=answer["is_settled"])
    else:
        _show_refusal(answer["refusal"])
    if "refusal" in answer:
        ctx.exit(NO_ROUTE)


def _request(client: Client, model: str | None, options: dict[str, Any]) -> dict[str, Any]:
    caller = options["caller"] or chosen_caller(client).user_id or client.running.user_id
    request: dict[str, Any] = {"caller": caller, "runner_id": options["runner"]}
    if model is not None:
        name = read_model_name(model, client.result("Status")["models"])
        request |= {
            "model_user": caller if name.user_id == "me" else name.user_id,
            "model_app": name.app_id,
            "model_id": name.model_id,
            "version_id": name.version_id,
        }
    if options["deployment"]:
        user, _, deployment = options["deployment"].rpartition("/")
        request["deployment"] = [user or caller, deployment]
    if options["nodepool"]:
        request["nodepool"] = [caller, options["cluster"], options["nodepool"]]
    return request


def _show_decision(decision: dict[str, Any], *, is_settled: bool) -> None:
    rows = [
        ["rule", click.style(decision["rule"], fg="green", bold=True)],
        ["because", decision["reason"]],
        ["deployment", decision["deployment"] or "none, default autoscaling"],
        ["nodepools", ", then ".join(decision["nodepools"])],
        ["model", f"{decision['model']} version {decision['version_id'][:8]}"],
    ]
    if decision["runner_id"]:
        rows.append(["runner", decision["runner_id"]])
    if not is_settled:
        rows.append(["holds", "for now: it depends on how busy everything is when a request comes"])
    click.echo("\n".join(columns(rows, indent="")))
    _show_rejected(decision["rejected"])


def _show_refusal(refusal: dict[str, Any]) -> None:
    title = click.style("refused", fg="red", bold=True)
    click.echo(f"{title}  {status_name(refusal['code'])}: {refusal['details']}")
    if refusal["note"]:
        click.echo(f"{click.style('In fact', bold=True)}  {refusal['note']}")
    if refusal["hint"]:
        click.echo(click.style("Next: ", bold=True) + refusal["hint"])
    _show_rejected(refusal["rejected"])


def _show_rejected(rejected: list[dict[str, str]]) -> None:
    if rejected:
        click.echo("not taken")
        click.echo("\n".join(columns([[each["what"], each["reason"]] for each in rejected])))
