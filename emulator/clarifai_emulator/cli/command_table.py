"""Runs programs of subcommands that are imported when they are needed, so that ``--help`` is quick."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import click

from clarifai_emulator.cli.hints import HintingGroup


class CommandTable(HintingGroup):
    """A group of subcommands. ``modules``: the module of each, which defines a function of that name, in the order
    in which a newcomer meets them."""

    def __init__(self, *arguments: Any, modules: Mapping[str, str], **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._modules = dict(modules)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = self._modules.get(cmd_name)
        if module is None:
            return None
        name = "import_" if cmd_name == "import" else cmd_name  # `import` is a keyword of Python
        return getattr(importlib.import_module(module), name)

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


def heed_no_color(ctx: click.Context) -> None:
    """Leave colours out where the environment has ``NO_COLOR``."""
    if os.environ.get("NO_COLOR"):
        ctx.color = False


def run_program(program: click.Command, name: str, args: Sequence[str] | None) -> None:
    """Run a command line; ends the process. ``args``: those of the process if None."""
    from clarifai_emulator.cli.interruption import run_interruptible

    run_interruptible(lambda: _run(program, name, args))


def _run(program: click.Command, name: str, args: Sequence[str] | None) -> NoReturn:
    """Run as click does by itself, except for interruptions, for which click would say "Aborted!"."""
    try:
        code: Any = program.main(list(args) if args is not None else None, name, standalone_mode=False)
    except click.ClickException as failure:
        failure.show()
        code = failure.exit_code
    except click.Abort:
        raise KeyboardInterrupt from None
    sys.exit(code if isinstance(code, int) else 0)
