"""Defines the option ``--env``, which names variables that replicas get beside those that all of them do."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from typing import Any

import click

ENV_VARIABLE = "CLARIFAI_EMULATOR_ENV"


class VariableWords(click.types.StringParamType):
    """Reads several variables from one setting: values may have spaces, within quotes as in a shell."""

    name = "variables"

    def __init__(self, setting: str = ENV_VARIABLE) -> None:
        self._setting = setting

    def split_envvar_value(self, rv: str) -> Sequence[str]:
        """Return the words of the setting. Raises ``BadParameter`` for a quote that is not closed."""
        try:
            return shlex.split(rv)
        except ValueError as error:
            raise click.BadParameter(f"{self._setting} cannot be read: {error}.") from None


def env_option(text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return what adds the option to a command."""
    return click.option(
        "--env",
        "env",
        multiple=True,
        type=VariableWords(),
        metavar="NAME[=VALUE]",
        envvar=ENV_VARIABLE,
        help=f"{text} AWS_* means all that begin so, * everything. May be repeated.",
    )


def as_setting(words: Sequence[str]) -> str:
    """Return the words as the setting holds them."""
    return shlex.join(words)
