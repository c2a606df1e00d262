"""Defines the command ``doctor``, which checks what the emulator needs and what could point clients elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clarifai_emulator.cli.columns import columns
from clarifai_emulator.cli.output import FAILED, heading, json_option, print_json

if TYPE_CHECKING:
    from clarifai_emulator.cli.doctor_checks import Check

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command(short_help="Check this machine: what is here, what is missing.")
@click.option("--rpcs", is_flag=True, help="List the platform's RPCs and which of them the emulator has.")
@click.option(
    "--port", type=click.IntRange(1, 65535), default=7878, show_default=True, help="The port `up` would take."
)
@click.option(
    "--docker-host",
    "engines",
    multiple=True,
    metavar="ADDRESS",
    help="Try the way to this engine and back: a Docker context, ssh://user@host, tcp://host:2376.",
)
@click.option(
    "--topology",
    "topologies",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Try the way to each engine that its nodepools name.",
)
@click.option(
    "--advertise",
    multiple=True,
    metavar="[ENGINE=]ADDRESS",
    envvar="CLARIFAI_EMULATOR_ADVERTISE",
    help="As for `up`.",
)
@click.option(
    "--docker-base-image", metavar="IMAGE", envvar="CLARIFAI_EMULATOR_DOCKER_BASE_IMAGE", help="As for `up`."
)
@json_option()
@click.pass_context
def doctor(
    ctx: click.Context,
    rpcs: bool,
    port: int,
    engines: tuple[str, ...],
    topologies: tuple[Path, ...],
    advertise: tuple[str, ...],
    docker_base_image: str | None,
    as_json: bool,
) -> None:
    """Check this machine: Python, SDK, uv, port, GPUs, folders, settings. Exit code 1 when something fails.

    \b
    Examples:
      clarifai-emulator doctor
      clarifai-emulator doctor --json
      clarifai-emulator doctor --rpcs
      clarifai-emulator doctor --docker-host ssh://me@gpu-box   (the way there and back, and nothing else)
    """
    if rpcs:
        _show_rpcs(as_json)
        return
    if engines or topologies:
        from clarifai_emulator.cli.doctor_checks import check_ways

        checks = list(check_ways(engines, topologies, advertise, docker_base_image))
    else:
        from clarifai_emulator.cli.doctor_checks import all_checks

        checks = list(all_checks(port))
    if as_json:
        print_json({"checks": [check.as_dict() for check in checks]})
    else:
        click.echo("\n".join(columns(list(_rows(checks)), indent="")))
    if any(check.level == "fail" for check in checks):
        ctx.exit(FAILED)


def _rows(checks: Iterable[Check]) -> Iterator[list[str]]:
    """Yield a row for each check, and beneath it what to do about it."""
    for check in checks:
        yield [
            click.style(f"{check.level:<4}", fg=_COLOURS[check.level], bold=True),
            f"{check.name:<12}",
            check.found,
        ]
        if check.advice:
            yield ["", "", f"→ {check.advice}"]


def _show_rpcs(as_json: bool) -> None:
    table = rpc_coverage()
    if as_json:
        print_json(table)
        return
    done = [name for name, row in table.items() if row["handled"]]
    heading(
        f"{len(done)} of the platform's {len(table)} RPCs; the others answer UNIMPLEMENTED and name themselves."
    )
    ordered = sorted(table.items(), key=lambda item: (not item[1]["handled"], item[0]))
    yes, no = click.style("yes", fg="green"), click.style("no ", dim=True)
    rows = [[yes if row["handled"] else no, f"{name:<40}", row["http"]] for name, row in ordered]
    click.echo("\n".join(columns(rows)))


def rpc_coverage() -> dict[str, dict[str, Any]]:
    """List every RPC of the platform: whether the emulator handles it, and its first REST form."""
    from clarifai_emulator.api.rpc import rpc_table
    from clarifai_emulator.config import EmulatorConfig
    from clarifai_emulator.emulator import Emulator

    served = Emulator(EmulatorConfig(port=0)).rpcs
    return {
        rpc.name: {
            "handled": rpc.name in served,
            "http": f"{rpc.http[0].method} {rpc.http[0].path}" if rpc.http else "",
        }
        for rpc in rpc_table().values()
    }
