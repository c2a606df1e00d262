"""Defines the commands ``logs`` (what models print) and ``events`` (what the emulator does)."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from clarifai_emulator.cli import completing
from clarifai_emulator.cli.connection import connect
from clarifai_emulator.cli.event_lines import EventLines
from clarifai_emulator.cli.log_lines import LogFilter, log_text, missed_text, read_since
from clarifai_emulator.cli.output import Failure, json_option, port_option, print_json
from clarifai_emulator.cli.terminal_text import inert
from clarifai_emulator.control.client import Client

_TYPES = ("runner", "runner.events", "builder")

if TYPE_CHECKING:
    _TimeParam = click.ParamType[float]
    _PatternParam = click.ParamType[re.Pattern[str]]
else:  # no generic class before click 8.4
    _TimeParam = _PatternParam = click.ParamType


class _Since(_TimeParam):
    """A time, or how long ago it was."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return read_since(str(value), time.time())
        except (ValueError, OverflowError):
            self.fail(
                f"{value!r} is no time. Write how long ago (30s, 5m, 1h30m, 2d), a time of day (22:15) or a "
                "timestamp (2026-11-28T22:15:00Z).",
                param,
                ctx,
            )


class _Pattern(_PatternParam):
    """A regular expression."""

    name = "pattern"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> re.Pattern[str]:
        try:
            return re.compile(value)
        except (re.error, OverflowError, RecursionError) as error:
            hint = f"To look for it as it stands, write {shlex.quote(re.escape(str(value)))}."
            self.fail(f"{value!r} is no regular expression: {error}. {hint}", param, ctx)


@click.command(short_help="Show what the replicas printed.")
@click.argument("deployment", required=False, shell_complete=completing.deployments)
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option("-n", "--tail", type=click.IntRange(0), metavar="N", help="Show only the last N lines.")
@click.option(
    "--since", type=_Since(), default=None, metavar="TIME", help="Show lines since then: 5m, 22:15, a timestamp."
)
@click.option(
    "--grep", "pattern", type=_Pattern(), metavar="PATTERN", help="Show lines that match this expression."
)
@click.option("--model-only", is_flag=True, help="Show what the model prints and logs, and nothing of the runner.")
@click.option(
    "--type",
    "types",
    type=click.Choice(_TYPES),
    multiple=True,
    help="Which log. May be repeated.  [default: runner and runner.events]",
)
@click.option(
    "--request",
    "request_id",
    metavar="REQUEST_ID",
    help="Show the lines of a request and, indented, of those that models made inside it.",
)
@click.option("--all", "noise", is_flag=True, help="Show also what the runner logs while it stops or reconnects.")
@port_option()
@json_option("Print each line as a line of JSON.")
def logs(
    deployment: str | None,
    follow: bool,
    since: float | None,
    types: tuple[str, ...],
    request_id: str | None,
    port: int | None,
    as_json: bool,
    **wanted: Any,
) -> None:
    """Show what the replicas printed, of all deployments or of DEPLOYMENT.

    runner is what the model prints, runner.events the life of its replicas, builder its builds. In front of each
    line are its time, deployment and replica.

    \b
    Examples:
      clarifai-emulator logs
      clarifai-emulator logs deploy-hello --follow --model-only
      clarifai-emulator logs --since 5m --grep 'Error|Warning' --tail 20
      clarifai-emulator logs deploy-hello --type builder
      clarifai-emulator logs --json | jq -r 'select(.stream == "model") | .message'
      clarifai-emulator logs --request 0c8e8ee2
    """
    if request_id is not None and follow:
        raise click.UsageError("--request shows what was printed: leave out --follow.")
    with connect(port) as client:
        match = _match(client, deployment) if deployment else {}
        request = {"log_types": list(types or _TYPES[:2]), "match": match, "since": since or 0.0, "follow": follow}
        lines = LogFilter(**wanted)
        if request_id is not None:
            _show_request(client, request_id, request, lines, as_json)
            return
        try:
            for answer in client.answers("Logs", **request):
                if "missed" in answer:
                    _show_missed(answer["missed"], "lines", as_json)
                for line in lines.take(answer):
                    _show_line(line, as_json)
        except KeyboardInterrupt:
            return


def _show_request(
    client: Client, request_id: str, request: dict[str, Any], chosen: LogFilter, as_json: bool
) -> None:
    from clarifai_emulator.cli.request_lines import RequestLines, lines_text
    from clarifai_emulator.control.request_trees import nodes_of

    kept = [answer["line"] for answer in client.answers("Logs", **request) if "line" in answer]
    answers = client.answers("Events", prefix="", follow=False)
    events = [answer["event"] for answer in answers if "event" in answer]
    nodes = nodes_of(events)
    found = (
        [nodes[request_id]]
        if request_id in nodes
        else [e for e in nodes.values() if e.request_id.startswith(request_id)]
    )
    if len(found) != 1:
        what = (
            f"{len(found)} requests begin with {request_id!r}" if found else f"There is no request {request_id!r}"
        )
        raise Failure(
            f"{what}, as far as the events go back.",
            hint="clarifai-emulator events shows the requests of models; --json shows their ids (request_id).",
        )
    placed = RequestLines(found[0], events).of(kept)
    answers = [*({"line": line} for line in placed), {"kept": len(placed)}]
    shown = [line for answer in answers for line in chosen.take(answer)]
    if as_json:
        for line in shown:
            print_json(line)
    elif shown:
        click.echo("\n".join(lines_text(shown)))
    else:
        click.echo(f"There are no such lines of request {found[0].request_id} or of those inside it.")


def _match(client: Client, deployment: str) -> dict[str, str]:
    """Return what the log lines of a deployment have in common; lines of builds name models, not deployments."""
    known = client.result("Status")["deployments"]
    for each in known:
        if each["deployment_id"] == deployment and each["model"]:
            user, app, model = each["model"].split("/")
            return {"user_id": user, "app_id": app, "model_id": model, "deployment_id": deployment}
    listed = ", ".join(each["deployment_id"] for each in known) or "none"
    raise Failure(
        f"There is no deployment '{deployment}'. There are: {listed}.",
        hint="Leave it out to see the logs of all.",
    )


def _show_line(line: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(line)
    else:
        click.echo(log_text(line))


@click.command(short_help="Show what happened: requests, routes, replicas, refusals.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option("--kind", default="", metavar="PREFIX", help="Only kinds that begin so, such as request or replica.")
@click.option("--details", is_flag=True, help="Every event, not one line per happening.")
@click.option(
    "--tree",
    is_flag=False,
    flag_value="",
    metavar="[REQUEST_ID]",
    help="Requests with those that models made inside them, each below the one around it.",
)
@port_option()
@json_option("Print each event, or each tree, as a line of JSON.")
def events(follow: bool, kind: str, details: bool, tree: str | None, port: int | None, as_json: bool) -> None:
    """Show what happened: requests and their routes, replicas starting and ending, refusals.

    \b
    Examples:
      clarifai-emulator events
      clarifai-emulator events --follow --kind route
      clarifai-emulator events --kind request.finished --json | jq .milliseconds
      clarifai-emulator events --tree
    """
    if tree is not None:
        if follow or kind:
            raise click.UsageError("--tree shows what has happened: leave out --follow and --kind.")
        with connect(port) as client:
            _show_trees(client, tree, details, as_json)
        return
    lines = EventLines(details=details or bool(kind))
    with connect(port) as client:
        try:
            for answer in client.answers("Events", prefix=kind, follow=follow):
                if "missed" in answer:
                    _show_missed(answer["missed"], "events", as_json)
                elif "event" in answer:
                    _show_event(answer["event"], lines, as_json)
        except KeyboardInterrupt:
            return


def _show_trees(client: Client, request_id: str, details: bool, as_json: bool) -> None:
    from clarifai_emulator.control.request_trees import tree_lines, trees_of

    answers = client.answers("Events", prefix="", follow=False)
    trees = trees_of((answer["event"] for answer in answers if "event" in answer), every_rpc=details)
    if request_id:
        trees = [each for each in trees if any(node.request_id.startswith(request_id) for node in each.everybody())]
    if not trees and not as_json:
        what = (
            f"request {request_id} with others inside it" if request_id else "request in which a model made others"
        )
        click.echo(f"There is no {what}, as far as the events go back.")
    for number, tree in enumerate(trees):
        if as_json:
            print_json(tree.as_dict())
            continue
        click.echo(("\n" if number else "") + "\n".join(inert(line) for line in tree_lines(tree)))


def _show_event(event: dict[str, Any], lines: EventLines, as_json: bool) -> None:
    if as_json:
        print_json(event)
        return
    line = lines.line(event)
    if line is not None:
        click.echo(line)


def _show_missed(number: int, what: str, as_json: bool) -> None:
    """Say how many lines or events are not shown, where they would stand."""
    text = missed_text(number, what)
    if as_json:
        print_json({"kind": f"{what}.missed", "stream": "emulator", "message": text, "missed": number})
    else:
        click.secho(f"({text})", fg="yellow")
