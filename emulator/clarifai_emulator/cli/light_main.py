"""Runs the command ``clarifai-emulator-check`` of the light distribution, where this module is ``cli.main``."""

from __future__ import annotations

from collections.abc import Sequence

import click

from clarifai_emulator.cli.command_table import CommandTable, heed_no_color, run_program

PROGRAM = "clarifai-emulator-check"

_COMMANDS = {
    "check": "clarifai_emulator.cli.check",
    "contract": "clarifai_emulator.cli.contract",
    "stubs": "clarifai_emulator.cli.stubs",
    "completion": "clarifai_emulator.cli.completion",
}


@click.group(cls=CommandTable, modules=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name=PROGRAM, prog_name=PROGRAM)
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Check clients against Clarifai model directories, without anything to deploy them: for hooks and CI.

    These are the commands of `clarifai-emulator` that need no emulator. Where no clarifai SDK is installed beside
    it, models are read from their source, as with --static.

    \b
    Examples:
      clarifai-emulator check clients/ --model my-model  calls that would fail
      clarifai-emulator contract lock my-model --check   is the lock as it is
      clarifai-emulator contract verify my-model         whom would it break
      clarifai-emulator stubs my-model                   types for editors

    \b
    Exit codes:
      0  it worked
      1  something was found
      2  the command line, a file or a directory cannot be used
      130, 143  Ctrl-C or SIGTERM came before it was done
    """
    heed_no_color(ctx)


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line; ends the process."""
    run_program(cli, PROGRAM, args)
