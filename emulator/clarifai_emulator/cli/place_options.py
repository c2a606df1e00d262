"""Defines the options of ``deploy`` and ``dev`` that say where a model runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click
from click.shell_completion import CompletionItem

from clarifai_emulator.cli import completing

_DEFAULT_NODEPOOL = "cpu"


def _instance_types(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from clarifai_emulator.catalogue import Catalogue

    names = Catalogue().instance_type_ids()
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


_OPTIONS = (
    click.option(
        "--nodepool", shell_complete=completing.nodepools, help="Nodepool to run in.  [default: cpu, this machine]"
    ),
    click.option(
        "--cluster",
        shell_complete=completing.clusters,
        help="Compute cluster of the nodepool; needed when several have such a nodepool.",
    ),
    click.option(
        "--instance",
        metavar="TYPE",
        shell_complete=_instance_types,
        help="Run on an instance type (g5.xlarge, t3a.medium, A10G, cpu): makes its nodepool, and the model asks "
        "for what it has, whatever config.yaml says.",
    ),
)


def place_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def place_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a request that these options give. Raises ``click.UsageError``."""
    if options["instance"] and (options["nodepool"] or options["cluster"]):
        raise click.UsageError("--instance makes a nodepool of its own: leave --nodepool and --cluster out.")
    return {
        "nodepool_id": options["nodepool"] or _DEFAULT_NODEPOOL,
        "compute_cluster_id": options["cluster"] or "",
        "instance": options["instance"] or "",
    }
