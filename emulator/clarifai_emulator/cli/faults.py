"""Defines the commands ``fault add``, ``list``, ``remove`` and ``clear``, which make things go wrong on purpose."""

from __future__ import annotations

from typing import Any

import click
from click.shell_completion import CompletionItem

from clarifai_emulator.cli import completing
from clarifai_emulator.cli.columns import columns
from clarifai_emulator.cli.connection import connect
from clarifai_emulator.cli.hints import HintingGroup
from clarifai_emulator.cli.output import heading, json_option, port_option, print_json


@click.group(cls=HintingGroup, short_help="Make requests fail, wait or break off on purpose.")
def fault() -> None:
    """Make requests fail, wait or break off on purpose, to test what a client does then.

    \b
    Examples:
      clarifai-emulator fault add --throttle --times 3
      clarifai-emulator fault list
      clarifai-emulator fault clear
    """


def _rpcs(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from clarifai_emulator.faults.selectors import rpc_names

    return [CompletionItem(name) for name in rpc_names() if name.startswith(incomplete)]


def _statuses(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

    return [CompletionItem(name) for name, _ in StatusCode.items() if name.startswith(incomplete.upper())]


def _grpc_statuses(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from clarifai_emulator.errors import GRPC_CODES

    return [CompletionItem(name) for name in GRPC_CODES if name.startswith(incomplete.upper())]


def _upper(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    return value.upper() if value else value


@fault.command(short_help="Inject a fault from now on.")
@click.argument("id", required=False)
@click.option("--rpc", shell_complete=_rpcs, help="Which RPC; Get* for several, * for all.  [default: inference]")
@click.option(
    "--model", metavar="ID", shell_complete=completing.models, help="Requests of this model: ID or USER/APP/ID."
)
@click.option(
    "--deployment",
    metavar="ID",
    shell_complete=completing.deployments,
    help="Requests that go to this deployment: ID or USER/ID.",
)
@click.option(
    "--nodepool",
    metavar="ID",
    shell_complete=completing.nodepools,
    help="Requests that this nodepool takes: ID or CLUSTER/ID.",
)
@click.option(
    "--replica",
    metavar="ID",
    shell_complete=completing.replicas,
    help="Requests that this replica takes: its id, or the beginning of it.",
)
@click.option(
    "--from",
    "caller",
    metavar="MODEL",
    shell_complete=completing.models,
    help="Requests that this model makes while it answers others: ID or USER/APP/ID.",
)
@click.option("--status", shell_complete=_statuses, help="Answer with this status, by number or name.")
@click.option("--grpc", shell_complete=_grpc_statuses, callback=_upper, help="End the call with this gRPC status.")
@click.option("--message", help="The text of --status, --grpc or --throttle.")
@click.option("--throttle", is_flag=True, help="Answer 11005 CONN_THROTTLED.")
@click.option("--latency", help="Delay: SECONDS, uniform:LEAST,MOST, normal:MEAN,DEVIATION or exponential:MEAN.")
@click.option("--cut-after", type=int, metavar="CHUNKS", help="Break a stream off after so many chunks.")
@click.option("--lose-replica", is_flag=True, help="Kill the replica that takes the request.")
@click.option("--cold-start", type=click.Choice(["hold", "bounce"]), help="Treat it as if no replica was ready.")
@click.option("--scale-to-zero", is_flag=True, help="End the deployment's replicas before the request.")
@click.option("--times", type=int, help="At most so often.  [default: always]")
@click.option("--after", type=int, help="Not for the first so many requests.  [default: 0]")
@click.option("--probability", type=float, help="For so large a part of the requests.  [default: 1]")
@click.option("--seed", type=int, help="What probability and latency are drawn from.  [default: 0]")
@port_option()
@json_option()
def add(port: int | None, as_json: bool, **options: Any) -> None:
    """Inject a fault from now on, under the name ID (or one that is made up).

    \b
    Examples:
      clarifai-emulator fault add busy --status MODEL_BUSY_PLEASE_RETRY --times 2
      clarifai-emulator fault add --rpc 'Get*' --grpc UNAVAILABLE --probability 0.3 --seed 7
      clarifai-emulator fault add slow --model hello --latency normal:0.3,0.1
      clarifai-emulator fault add --deployment deploy-hello --cut-after 3
      clarifai-emulator fault add --model hello --lose-replica --times 1
      clarifai-emulator fault add --model tool --from agent --status 21303
      clarifai-emulator fault add cold --model hello --scale-to-zero --cold-start bounce --times 1
    """
    given = {name: value for name, value in options.items() if value is not None and value is not False}
    with connect(port) as client:
        answer = client.result("Faults", add=given)
    (added,), warnings = answer["changed"], answer["warnings"]
    for text in warnings:
        click.secho(f"{text} The fault waits for it.", fg="yellow", err=True)
    if as_json:
        print_json(added)
        return
    click.echo(f"{click.style(added['id'], bold=True)} is injected from now on  {added['rule']}")
    click.echo(f"Remove it with `clarifai-emulator fault remove {added['id']}`.")


@fault.command("list", short_help="Show the faults, and how often each was injected.")
@port_option()
@json_option()
def list_(port: int | None, as_json: bool) -> None:
    """Show the faults, how many requests each concerned so far, and into how many it was injected.

    \b
    Examples:
      clarifai-emulator fault list
      clarifai-emulator fault list --json | jq '.[] | select(.active).id'
    """
    with connect(port) as client:
        faults = client.result("Faults")["faults"]
    if as_json:
        print_json(faults)
    elif not faults:
        click.echo("There are no faults. Add one with `clarifai-emulator fault add`.")
    else:
        heading("Faults")
        rows = [["id", "rule", "seen", "injected", "state", "from"]]
        rows += [[each["id"], each["rule"], str(each["seen"]), str(each["injected"]), _state(each), each["origin"]]
                 for each in faults]  # fmt: skip
        click.echo("\n".join(columns(rows, heading=True)))


def _state(each: dict[str, Any]) -> str:
    return click.style("active", fg="yellow") if each["active"] else "used up"


@fault.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True, shell_complete=completing.faults)
@port_option()
@json_option()
def remove(ids: tuple[str, ...], port: int | None, as_json: bool) -> None:
    """Inject these faults no more.

    \b
    Examples:
      clarifai-emulator fault remove fault-1
      clarifai-emulator fault remove slow busy
    """
    with connect(port) as client:
        _removed(client.result("Faults", remove=ids)["changed"], as_json)


@fault.command()
@port_option()
@json_option()
def clear(port: int | None, as_json: bool) -> None:
    """Remove all faults, also those of the topology. `reset` brings the latter back.

    \b
    Example:
      clarifai-emulator fault clear
    """
    with connect(port) as client:
        _removed(client.result("Faults", clear=True)["changed"], as_json)


def _removed(faults: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json(faults)
        return
    for each in faults:
        click.echo(
            f"Removed {each['id']}, injected into {each['injected']} of {each['seen']} requests it concerned."
        )
    if not faults:
        click.echo("There are no faults.")
