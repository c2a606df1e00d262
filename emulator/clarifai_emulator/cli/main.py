"""Runs the command ``clarifai-emulator``; finds each subcommand when it is needed, so that ``--help`` is quick."""

from __future__ import annotations

from collections.abc import Sequence

import click

from clarifai_emulator.cli.command_table import CommandTable, heed_no_color, run_program

PROGRAM = "clarifai-emulator"

# Command → module below clarifai_emulator.cli that defines a function of that name.
_COMMANDS = {
    "up": "up",
    "env": "env",
    "deploy": "deploy",
    "undeploy": "undeploy",
    "dev": "dev",
    "predict": "predict",
    "status": "status",
    "logs": "logs",
    "events": "logs",
    "route": "route",
    "page": "page",
    "check": "check",
    "stubs": "stubs",
    "fault": "faults",
    "contract": "contract",
    "export": "export_import",
    "import": "export_import",
    "topology": "topology",
    "state": "state",
    "reset": "lifecycle",
    "down": "lifecycle",
    "init": "init",
    "demo": "demo",
    "conform": "conform",
    "doctor": "doctor",
    "completion": "completion",
}


@click.group(
    cls=CommandTable,
    modules={name: f"clarifai_emulator.cli.{module}" for name, module in _COMMANDS.items()},
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name=PROGRAM, prog_name=PROGRAM)
@click.pass_context
def cli(ctx: click.Context) -> None:
    """The Clarifai platform on your own machine: nodepools, deployments and routing for your model directories.

    \b
    Examples:
      clarifai-emulator up --detach             start it
      eval "$(clarifai-emulator env)"           point the Clarifai SDK at it
      clarifai-emulator deploy my-model         run a model directory
      clarifai-emulator dev my-model            run it, and every save of it
      clarifai-emulator predict my-model prompt=Hello
      clarifai-emulator demo                    see all of it in one go

    \b
    Exit codes:
      0  it worked
      1  it failed: the model raised, the emulator refused, a check failed
      2  the command line cannot be understood
      3  there is no route for the request
      4  no emulator is running
      130, 143  Ctrl-C or SIGTERM came before it was done
    """
    heed_no_color(ctx)


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line; ends the process."""
    run_program(cli, PROGRAM, args)
