"""The commands ``logs`` (what models print) and ``events`` (what the emulator does)."""

from __future__ import annotations

from typing import Any

import click

from clarifai_emulator.cli import completing
from clarifai_emulator.cli.client import Client, connect
from clarifai_emulator.cli.event_lines import EventLines
from clarifai_emulator.cli.output import Failure, json_option, port_option, print_json

_TYPES = ("runner", "runner.events", "builder")


@click.command(short_help="Show what the replicas printed.")
@click.argument("deployment", required=False, shell_complete=completing.deployments)
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option(
    "--type",
    "types",
    type=click.Choice(_TYPES),
    multiple=True,
    help="Which log. May be repeated.  [default: runner and runner.events]",
)
@port_option()
@json_option("Print each line as a line of JSON.")
def logs(deployment: str | None, follow: bool, types: tuple[str, ...], port: int | None, as_json: bool) -> None:
    """Show what the replicas printed, of all deployments or of DEPLOYMENT.

    runner is what the model prints, runner.events the life of its replicas, builder its builds.

    \b
    Examples:
      clarifai-emulator logs
      clarifai-emulator logs deploy-hello --follow
      clarifai-emulator logs deploy-hello --type runner.events
    """
    with connect(port) as client:
        match = _match(client, deployment) if deployment else {}
        request = {"log_types": list(types or _TYPES[:2]), "match": match, "follow": follow}
        try:
            for answer in client.answers("Logs", **request):
                if "line" in answer:
                    _show_line(answer["line"], as_json)
        except KeyboardInterrupt:
            return


def _match(client: Client, deployment: str) -> dict[str, str]:
    """What the log entries of a deployment have in common: log entries name models, not deployments."""
    known = client.result("Status")["deployments"]
    for each in known:
        if each["deployment_id"] == deployment and each["model"]:
            user, app, model = each["model"].split("/")
            return {"user_id": user, "app_id": app, "model_id": model}
    listed = ", ".join(each["deployment_id"] for each in known) or "none"
    raise Failure(
        f"There is no deployment '{deployment}'. There are: {listed}.",
        hint="Leave it out to see the logs of all.",
    )


def _show_line(line: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(line)
        return
    own = line["log_type"] == "runner"
    click.echo(line["message"] if own else click.style(f"[{line['log_type']}] {line['message']}", dim=True))


@click.command(short_help="Show what happened: requests, routes, replicas, refusals.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option("--kind", default="", metavar="PREFIX", help="Only kinds that begin so, such as request or replica.")
@click.option("--details", is_flag=True, help="Every event, not one line per happening.")
@port_option()
@json_option("Print each event as a line of JSON.")
def events(follow: bool, kind: str, details: bool, port: int | None, as_json: bool) -> None:
    """Show what happened: requests and their routes, replicas starting and ending, refusals.

    \b
    Examples:
      clarifai-emulator events
      clarifai-emulator events --follow --kind route
      clarifai-emulator events --kind request.finished --json | jq .milliseconds
    """
    lines = EventLines(details=details or bool(kind))
    with connect(port) as client:
        try:
            for answer in client.answers("Events", prefix=kind, follow=follow):
                if "event" in answer:
                    _show_event(answer["event"], lines, as_json)
        except KeyboardInterrupt:
            return


def _show_event(event: dict[str, Any], lines: EventLines, as_json: bool) -> None:
    if as_json:
        print_json(event)
        return
    line = lines.line(event)
    if line is not None:
        click.echo(line)
