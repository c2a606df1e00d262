"""Prints the output of commands: failures with their way out, JSON, columns and colours."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Mapping
from typing import IO, Any, TypeVar

import click
from click.core import ParameterSource

from clarifai_emulator.cli.columns import paragraph
from clarifai_emulator.cli.completing import ports
from clarifai_emulator.cli.terminal_text import inert
from clarifai_emulator.errors import (
    CallerError,
    ConfigError,
    ControlError,
    EmulatorError,
    LeftOut,
    ModelError,
    UnforeseenError,
)

FAILED = 1
USAGE = 2
NO_ROUTE = 3
NOT_RUNNING = 4

_JSON = "clarifai_emulator.json"
_URL = "clarifai_emulator.url"
_Function = TypeVar("_Function", bound=Callable[..., Any])


class Failure(click.ClickException):
    """Ends a command. ``message``: what happened; ``log``: what the model or uv said; ``hint``: what to do.

    ``data`` are further facts for ``--json``. Shown as one JSON object on stdout if the command was asked for JSON,
    else as text on stderr.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        log: str = "",
        code: int = FAILED,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.exit_code = code  # pyright: ignore[reportAttributeAccessIssue] - click reads it from the instance
        self.hint = hint
        self.log = log
        self.data = dict(data or {})
        self.as_json = wants_json()

    def show(self, file: IO[Any] | None = None) -> None:
        if self.as_json:
            print_json({"error": {"message": self.message, "hint": self.hint, "log": self.log, **self.data}})
            return
        # What a model said may be in any of them.
        message, log, hint = inert(self.message), inert(self.log), inert(self.hint)
        click.echo(_labelled("Error: ", message, colour="red"), file=file, err=True)
        if log.strip():
            click.echo("\n" + textwrap.indent(log.rstrip(), "    ") + "\n", file=file, err=True)
        if hint:
            click.echo(_labelled("Next: ", hint), file=file, err=True)


_EXIT_CODES = {"failed": FAILED, "not running": NOT_RUNNING, "usage": USAGE}


def failure_of(error: EmulatorError | Failure) -> Failure:
    """Return the failure for an error that finding, reaching or asking an emulator raised."""
    if isinstance(error, Failure):
        return error
    if isinstance(error, ControlError):
        return Failure(error.message, hint=error.hint, code=_EXIT_CODES[error.reason], data=error.data)
    if isinstance(error, CallerError):
        data = {"kind": "refused", "code": error.code, "message": error.details, "hint": error.hint}
        return Failure(f"{status_name(error.code)}: {error.details}", hint=error.hint, data=data)
    if isinstance(error, ModelError):
        data = {"kind": "model", "message": error.summary, "hint": error.hint, "log": error.log}
        return Failure(error.summary, hint=error.hint, log=error.log, data=data)
    if isinstance(error, LeftOut):
        return Failure(error.message, hint=error.hint, code=USAGE, data={"kind": "left out"})
    if isinstance(error, UnforeseenError):
        return Failure(
            f"The emulator failed inside: {error}",
            hint="This is a bug of the emulator; the output of `clarifai-emulator up` has the trace.",
            data={"kind": "bug", "message": str(error)},
        )
    return Failure(str(error), data={"kind": "config", "message": str(error)})


def unusable(error: ConfigError) -> Failure:
    """Return the failure for an unusable file or option, with everything that is wrong with it."""
    return Failure(
        "\n".join([error.what, *(f"  - {each}" for each in error.problems)]), hint=error.hint, code=USAGE
    )


def status_name(code: int) -> str:
    """Name a Clarifai status code, as in ``21351 MODEL_DEPLOYING``."""
    from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

    try:
        return f"{code} {StatusCode.Name(code)}"  # pyright: ignore[reportArgumentType]
    except ValueError:
        return str(code)


def json_option(help: str = "Print JSON instead of text.") -> Callable[[_Function], _Function]:
    """Add the option ``--json``, as the parameter ``as_json``; failures are then JSON too."""

    def remember(ctx: click.Context, _: click.Parameter, value: bool) -> bool:
        ctx.meta[_JSON] = value
        return value

    return click.option("--json", "as_json", is_flag=True, is_eager=True, callback=remember, help=help)


def port_option() -> Callable[[_Function], _Function]:
    """Add the options of commands that talk to a running emulator: ``--port``, as a parameter, None for the only
    one; and ``--url``, which ``given_url`` gives."""

    def remember(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
        ctx.meta[_URL] = (value, ctx.get_parameter_source(str(param.name)) is ParameterSource.COMMANDLINE)

    def add(function: _Function) -> _Function:
        url = click.option(
            "--url",
            envvar="CLARIFAI_EMULATOR_URL",
            show_envvar=True,
            expose_value=False,
            callback=remember,
            help="The emulator at this address: in a container, on another machine. Its token is taken from "
            "CLARIFAI_EMULATOR_TOKEN.",
        )
        port = click.option(
            "--port",
            type=click.IntRange(0, 65535),
            envvar="CLARIFAI_EMULATOR_PORT",
            show_envvar=True,
            shell_complete=ports,
            help="Which running emulator; may be left out while there is only one.",
        )
        return port(url(function))

    return add


def given_url() -> str:
    """Return the address of the emulator that the command is for; empty if none is given. ``--port`` on the command
    line takes precedence over a variable."""
    context = click.get_current_context(silent=True)
    if context is None:
        return ""
    url, is_typed = context.meta.get(_URL) or (None, False)
    has_port = context.get_parameter_source("port") is ParameterSource.COMMANDLINE
    if url and is_typed and has_port:
        raise click.UsageError("--url and --port both name an emulator: give one of them.")
    return "" if has_port else url or ""


def wants_json() -> bool:
    """Tell whether the command that runs was asked for JSON."""
    context = click.get_current_context(silent=True)
    return bool(context is not None and context.meta.get(_JSON))


def print_json(value: Any) -> None:
    """Print one JSON document on stdout; indented for people, one line for pipes."""
    import sys

    click.echo(json.dumps(value, indent=2 if sys.stdout.isatty() else None, ensure_ascii=False))


def step(text: str) -> None:
    """Print one line of progress; on stderr when stdout is for JSON."""
    click.echo(click.style("  · ", fg="cyan") + inert(text), err=wants_json())


def warn(text: str) -> None:
    """Print a warning on stderr."""
    click.echo(_labelled("Warning: ", text, colour="yellow"), err=True)


def _labelled(label: str, text: str, *, colour: str | None = None) -> str:
    """Wrap a text together with the bold label in front of it."""
    wrapped = paragraph(f"{label}{text}").removeprefix(label)
    return click.style(label, fg=colour, bold=True) + wrapped


def heading(text: str) -> None:
    """Print a bold line."""
    click.echo(click.style(text, bold=True))
