"""Defines the command ``undeploy``, which takes deployments away and ends their replicas."""

from __future__ import annotations

from typing import Any

import click

from clarifai_emulator.cli import completing
from clarifai_emulator.cli.connection import connect
from clarifai_emulator.cli.output import json_option, port_option, print_json


@click.command(short_help="Take deployments away.")
@click.argument("names", metavar="MODEL|DEPLOYMENT…", nargs=-1, shell_complete=completing.deployed)
@click.option("--all", "every", is_flag=True, help="Every deployment of the emulator's user.")
@port_option()
@json_option()
def undeploy(names: tuple[str, ...], port: int | None, every: bool, as_json: bool) -> None:
    """Delete a deployment, or every deployment of a model, and end its replicas.

    Name the deployment by its id, the model by its id, USER/APP/models/ID or its URL. The model and its versions
    stay: `deploy` it again, and an unchanged directory is still its version.

    \b
    Examples:
      clarifai-emulator undeploy my-model
      clarifai-emulator undeploy deploy-my-model other-deployment
      clarifai-emulator undeploy --all
    """
    if bool(names) == every:
        raise click.UsageError("Name what to undeploy, or give --all.")
    done: list[dict[str, Any]] = []
    with connect(port) as client:
        for name in names or (None,):
            done += client.result("Undeploy", name=name)["undeployed"]
    if as_json:
        print_json({"undeployed": done})
        return
    for each in done:
        click.echo(f"Undeployed {each['deployment_id']} of user {each['user_id']}, which served {each['model']}.")
    if not done:
        click.echo("Nothing was deployed.")
