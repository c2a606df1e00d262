"""Defines groups of commands that know other tools' words, typing errors and misplaced options."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

import click

from clarifai_emulator.cli.output import failure_of
from clarifai_emulator.errors import EmulatorError

# Other tools' words → the commands they may mean here; a group names those that it has.
_OTHER_WORDS: dict[str, tuple[str, ...]] = {
    "ps": ("status",),
    "ls": ("list", "status"),
    "list": ("status",),
    "info": ("status",),
    "top": ("status",),
    "get": ("status", "list"),
    "show": ("list", "status"),
    "describe": ("status", "route"),
    "deployments": ("status",),
    "models": ("status",),
    "stop": ("down", "undeploy"),
    "kill": ("down", "undeploy"),
    "quit": ("down",),
    "exit": ("down",),
    "shutdown": ("down",),
    "start": ("up", "deploy"),
    "server": ("up",),
    "serve": ("dev", "deploy"),
    "run": ("dev", "deploy", "predict"),
    "watch": ("dev",),
    "reload": ("dev",),
    "develop": ("dev",),
    "apply": ("deploy",),
    "push": ("deploy",),
    "upload": ("deploy",),
    "publish": ("deploy",),
    "create": ("deploy", "init", "add"),
    "update": ("deploy",),
    "add": ("deploy",),
    "rm": ("remove", "undeploy", "down", "reset"),
    "delete": ("remove", "undeploy", "down", "reset"),
    "remove": ("undeploy", "down", "reset"),
    "destroy": ("undeploy", "down", "reset"),
    "clean": ("reset", "clear"),
    "clear": ("reset",),
    "purge": ("reset", "clear"),
    "restart": ("down", "up", "reset"),
    "new": ("init", "add"),
    "scaffold": ("init",),
    "template": ("init",),
    "call": ("predict",),
    "invoke": ("predict",),
    "query": ("predict",),
    "curl": ("predict",),
    "chat": ("predict",),
    "generate": ("predict",),
    "explain": ("route",),
    "where": ("route",),
    "log": ("logs",),
    "tail": ("logs",),
    "trace": ("events",),
    "history": ("events",),
    "inject": ("fault", "add"),
    "chaos": ("fault",),
    "lint": ("check", "contract"),
    "validate": ("check", "contract", "topology"),
    "test": ("check", "contract"),
    "verify": ("contract",),
    "types": ("stubs",),
    "dump": ("export",),
    "backup": ("export",),
    "save": ("export",),
    "load": ("import",),
    "restore": ("import",),
    "login": ("env",),
    "config": ("env",),
    "context": ("env",),
    "health": ("doctor", "status"),
    "diagnose": ("doctor",),
    "autocomplete": ("completion",),
    "scale": ("deploy",),
}
# Options that people take for commands.
_OPTIONS = {"help": "--help", "version": "--version"}


class HintingGroup(click.Group):
    """A group that answers an unknown word with what was probably meant."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        word = args[0]
        if not word.startswith("-") and self.get_command(ctx, word) is None:
            ctx.fail(f"No such command '{word}'. {self.guess(ctx, word, args[1:])}")
        return super().resolve_command(ctx, args)

    def guess(self, ctx: click.Context, word: str, rest: list[str]) -> str:
        """Return a sentence that names what may have been meant by ``word``, or all there is."""
        known = self.list_commands(ctx)
        if word.lower() in _OPTIONS:
            of = f"{rest[0]} " if rest and rest[0] in known else ""
            return f"Did you mean '{ctx.command_path} {of}{_OPTIONS[word.lower()]}'?"
        # Meanings elsewhere come first: similar letters mislead (`test` looks like `reset`).
        meant = [each for each in _OTHER_WORDS.get(word.lower(), ()) if each in known]
        meant = meant or difflib.get_close_matches(word.lower(), known, n=1)
        if not meant:
            return f"There are: {', '.join(known)}."
        *others, last = [f"'{each}'" for each in meant[:3]]
        return f"Did you mean {', '.join(others)}{' or ' if others else ''}{last}?"

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except EmulatorError as error:
            raise failure_of(error) from None
        except click.NoSuchOption as error:
            whose = "" if error.possibilities or ctx.parent is not None else self._whose(ctx, error)
            raise click.UsageError(f"{_no_such_option(error)} {whose}".rstrip(), ctx=error.ctx) from None

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if not any(self._having(ctx, error.option_name)):
                raise click.UsageError(_no_such_option(error), ctx=ctx) from None
            after = f"Write it after the command: '{ctx.command_path} COMMAND {error.option_name}'."
            raise click.UsageError(f"No such option '{error.option_name}' here. {after}", ctx=ctx) from None

    def _whose(self, ctx: click.Context, error: click.NoSuchOption) -> str:
        """Return a sentence that names the commands which have the option; empty when none has it."""
        names = [f"`{ctx.command_path} {name}`" for name in self._having(ctx, error.option_name)][:3]
        return f"It is an option of {', '.join(names)}." if names else ""

    def _having(self, ctx: click.Context, option: str) -> Iterator[str]:
        """Yield the names of the commands that have this option."""
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if command is not None and any(option in each.opts for each in command.params):
                yield name


def _no_such_option(error: click.NoSuchOption) -> str:
    """Say it in the same words with every version of click."""
    guesses = [f"'{each}'" for each in sorted(error.possibilities or ())]
    guess = f" Did you mean {' or '.join(guesses)}?" if guesses else ""
    return f"No such option '{error.option_name}'.{guess}"
