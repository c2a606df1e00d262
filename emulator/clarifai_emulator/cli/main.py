"""Runs the command ``clarifai-emulator``; finds each subcommand when it is needed, so that ``--help`` is quick."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from clarifai_emulator.cli.hints import HintingGroup

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
    "check": "check",
    "stubs": "stubs",
    "fault": "faults",
    "contract": "contract",
    "export": "export_import",
    "import": "export_import",
    "topology": "topology",
    "reset": "lifecycle",
    "down": "lifecycle",
    "init": "init",
    "demo": "demo",
    "conform": "conform",
    "doctor": "doctor",
    "completion": "completion",
}


class _Commands(HintingGroup):
    """Subcommands by name, in the order in which a newcomer meets them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = _COMMANDS.get(cmd_name)
        if module is None:
            return None
        name = "import_" if cmd_name == "import" else cmd_name  # `import` is a keyword of Python
        return getattr(importlib.import_module(f"clarifai_emulator.cli.{module}"), name)

    def invoke(self, ctx: click.Context) -> Any:
        from clarifai_emulator.cli.interruption import Interrupted, was_interrupted

        try:
            return super().invoke(ctx)
        except Interrupted:
            raise
        except (KeyboardInterrupt, click.Abort):
            raise Interrupted from None
        except Exception:
            # Python wraps an interruption that comes while a class is made, and libraries do so elsewhere.
            if was_interrupted():
                raise Interrupted from None
            raise


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
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
    if os.environ.get("NO_COLOR"):
        ctx.color = False


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line; ends the process."""
    from clarifai_emulator.cli.interruption import run_interruptible

    run_interruptible(lambda: _run(args))


def _run(args: Sequence[str] | None) -> NoReturn:
    """Run as click does by itself, except for interruptions, for which click would say "Aborted!"."""
    try:
        code: Any = cli.main(list(args) if args is not None else None, PROGRAM, standalone_mode=False)
    except click.ClickException as failure:
        failure.show()
        code = failure.exit_code
    except click.Abort:
        raise KeyboardInterrupt from None
    sys.exit(code if isinstance(code, int) else 0)
