"""Defines the command ``status``, which shows what runs in an emulator now."""

from __future__ import annotations

from typing import Any

import click

from clarifai_emulator.cli.columns import columns, paragraph
from clarifai_emulator.cli.connection import connect
from clarifai_emulator.cli.output import heading, json_option, port_option, print_json
from clarifai_emulator.cli.terminal_text import inert_values

_COLOURS = {"ready": "green", "failed": "red", "pending": "yellow", "starting": "yellow"}
_SHARED_OWNER = "clarifai"
_THIS_MACHINE = "local"


@click.command(short_help="Show nodepools, deployments and replicas.")
@port_option()
@json_option()
def status(port: int | None, as_json: bool) -> None:
    """Show the nodepools, deployments and replicas of a running emulator.

    \b
    Examples:
      clarifai-emulator status
      clarifai-emulator status --json | jq '.deployments[].versions[].state'
    """
    with connect(port) as client:
        state = client.result("Status")
    if as_json:
        print_json(state)
        return
    state = inert_values(state)  # with what a model said when it failed
    heading(f"Clarifai emulator at {state['url']}")
    devices = ", ".join(state["accelerators"]) or f"none, {state['no_accelerators_because']}"
    click.echo("\n".join(columns([["user", state["user_id"]], ["process", str(state["pid"])], ["GPUs", devices]])))
    _show_machines(state["machines"])
    _show_nodepools(state["nodepools"])
    _show_deployments(state["deployments"], state["shared"])
    _show_broken(state["dev"])
    _show_faults(state["faults"])
    show_failures(state["failures"])


def _show_faults(faults: list[dict[str, Any]]) -> None:
    """Print the active faults, so that what goes wrong is not a surprise."""
    active = [each["id"] for each in faults if each["active"]]
    if active:
        names = ", ".join(active[:5]) + (", …" if len(active) > 5 else "")
        text = f"\n{len(active)} fault{'s are' if len(active) > 1 else ' is'} active: {names}"
        click.echo(
            click.style(text, fg="yellow", bold=True) + "; `clarifai-emulator fault list` shows what each does"
        )


def show_failures(failures: list[dict[str, Any]]) -> None:
    """Print what failed in the emulator itself, and what to do about it."""
    if not failures:
        return
    heading("\nThe emulator itself failed")
    for each in failures:
        times = f", {each['count']} times" if each["count"] > 1 else ""
        click.echo(paragraph(f"  {each['part']}: {each['reason']} ({each['seconds_ago']:.0f} s ago{times})"))
    click.echo("  Whoever waited for it was told. These are bugs of the emulator; its log has the traces.")


def _show_machines(machines: list[dict[str, Any]]) -> None:
    """Print the machines beside this one, and what each has."""
    if not machines:
        return
    from clarifai_emulator.messages.quantities import format_memory

    heading("\nOther machines")
    rows = [["engine", "CPUs", "memory", "GPUs"]]
    for each in machines:
        devices = ", ".join(each["accelerators"]) or f"none, {each['no_accelerators_because']}"
        rows.append([each["id"], f"{each['cpus']:g}", format_memory(each["memory"]), devices])
    click.echo("\n".join(columns(rows, heading=True)))


def _show_nodepools(nodepools: list[dict[str, Any]]) -> None:
    """Print the user's own nodepools, and those of Clarifai's shared ones that are in use."""
    shown = [each for each in nodepools if each["user_id"] != _SHARED_OWNER or each["instances_in_use"]]
    heading("\nNodepools")
    rows = [["cluster", "nodepool", "instance types", "in use"]]
    rows += [
        [
            each["compute_cluster_id"],
            each["nodepool_id"],
            ", ".join(each["instance_types"]),
            f"{each['instances_in_use']} of {each['max_instances']}",
        ]
        for each in shown
    ]
    click.echo("\n".join(columns(rows, heading=True)))
    for each in shown:
        text = _overcommitted(each["overcommitted"])
        if text:
            said = paragraph(f"  {each['nodepool_id']}: its replicas ask for {text} more than it has")
            click.echo(click.style(said, "yellow"))
    if len(nodepools) > len(shown):
        click.echo(f"  and {len(nodepools) - len(shown)} shared nodepools of Clarifai, not in use")


def _overcommitted(over: dict[str, Any]) -> str:
    from clarifai_emulator.messages.quantities import format_cpu, format_memory

    parts = [format_cpu(round(over["cpus"] * 1000))] if over["cpus"] else []
    if over["memory"]:
        parts.append(f"{format_memory(over['memory'])} of memory")
    return " and ".join(parts)


def _show_deployments(deployments: list[dict[str, Any]], shared: list[dict[str, Any]]) -> None:
    if not deployments and not shared:
        click.echo("\nNothing is deployed. Deploy a model directory with `clarifai-emulator deploy DIR`.")
        return
    heading("\nDeployments")
    rows = [["deployment", "model", "version", "state", "replicas", "in flight", "queued"]]
    notes: list[str] = []
    for each in deployments:
        bounds = f"{each['min_replicas']}-{each['max_replicas']}"
        if not each["versions"]:
            state = "nothing to run" if each["enabled"] else "disabled"
            rows.append([each["deployment_id"], each["model"] or "", "", state, f"0 ({bounds})"])
        for version in each["versions"]:
            rows.append(_row(each["deployment_id"], each["model"] or "", version, bounds))
            notes += replica_notes(each["deployment_id"], version)
    for version in shared:
        rows.append(_row("(shared compute)", version["model"], version, "0-5"))
        notes += replica_notes("shared compute", version)
    click.echo("\n".join([*columns(rows, heading=True), *map(paragraph, notes)]))


def _show_broken(projects: list[dict[str, Any]]) -> None:
    """Print the directories in the dev loop whose code cannot be used, and what that means."""
    for each in projects:
        failure = (each["last"] or {}).get("failure")
        if failure:
            where = f"{failure['file']}:{failure['line']}: " if failure["file"] else ""
            label = click.style(f"  {each['deployment_id']}: the code in {each['directory']} is broken: ", fg="red")
            meanwhile = "Requests fail (--strict)." if each["strict"] else "The last good code answers."
            click.echo(paragraph(f"{label}{where}{failure['message']} {meanwhile}"))


def _row(name: str, model: str, version: dict[str, Any], bounds: str) -> list[str]:
    state = version["state"]
    live = sum(replica["state"] == "live" for replica in version["replicas"])
    return [
        name,
        model,
        version["version_id"][:8],
        click.style(state, fg=_COLOURS.get(state)),
        f"{live} ({bounds})",
        str(version["in_flight"]),
        str(version["queued"]),
    ]


def _process(replica: dict[str, Any]) -> str:
    if replica["pid"]:
        return f"process {replica['pid']}"
    if replica.get("machine") not in ("", None, _THIS_MACHINE):
        return f"a container at {replica['machine']}"
    return "started by its user" if replica["state"] == "live" else "no process yet"


def _devices(replica: dict[str, Any]) -> str:
    return f", on {', '.join(replica['devices'])}" if replica["devices"] else ""


def _runner(replica: dict[str, Any]) -> str:
    """Say why a replica fetches its work itself, where it does not go without saying."""
    because = replica.get("runner_because", "") if replica["pid"] else ""
    return f", with the genuine runner: {because}" if because else ""


def _network(replica: dict[str, Any]) -> str:
    """Say whose ports a replica uses."""
    network = replica.get("network")
    if not network:
        return ""
    if network["kind"] == "own":
        return f", own loopback {network['address']}" if network["address"] else ""
    how = "its ports are watched" if network["kind"] == "watched" else "nobody watches its ports"
    return f"; {how}: {network['because']}"


def replica_notes(name: str, version: dict[str, Any]) -> list[str]:
    """Return a line for each replica of a deployment's version, and for what is wrong with it."""
    lines = [
        f"  {name}: replica {each['replica_id'][:8]} is {each['state']} in {each['nodepool']}"
        f" ({_process(each)}{_devices(each)}{_runner(each)}{_network(each)})"
        for each in version["replicas"]
    ]
    if version["pending"]:
        lines.append(f"  {name} waits: {version['pending']}")
    if version["last_crash"]:
        crash = version["last_crash"]
        lines.append(f"  {name}: a replica ended {crash['seconds_ago']:.0f} s ago: {crash['reason']}")
    if version["error"]:
        cause = version["error"].strip().splitlines()[0]
        lines.append(click.style(f"  {name} failed: ", fg="red") + f"{cause} See `clarifai-emulator logs {name}`.")
    return lines
