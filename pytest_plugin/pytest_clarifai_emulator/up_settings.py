"""Defines the options of ``clarifai-emulator up`` as settings of the plugin, one row each.

Read from the command line, the environment (the variable that ``up`` has) or the ini file, the first of them that
says something.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

if TYPE_CHECKING:
    from clarifai_emulator.behaviour import Behaviour
    from clarifai_emulator.config import DockerSettings

Kind = Literal["text", "number", "whole", "yes or no", "file", "files", "words"]
_YES, _NO = ("1", "true", "t", "yes", "y", "on"), ("0", "false", "f", "no", "n", "off")


@dataclass(frozen=True, slots=True)
class UpSetting:
    """An option of ``up``: its name with underscores, what kind of value it takes, and what it does."""

    name: str
    kind: Kind
    help: str
    choices: tuple[str, ...] = ()

    @property
    def variable(self) -> str:
        """Return the environment variable that sets it, for ``up`` and for the plugin."""
        return f"CLARIFAI_EMULATOR_{self.name.upper()}"


# The plugin's older settings are in ``settings.py``; their variables are read too.
UP_SETTINGS = (
    UpSetting("request_seconds", "number", "longest a request may take"),
    UpSetting(
        "reclaim_seconds", "number", "replace a replica still busy with an abandoned request after this long"
    ),
    UpSetting("queue_size", "whole", "requests of one deployment that may wait"),
    UpSetting("call_depth", "whole", "how deep models may call one another"),
    UpSetting("call_fan_out", "whole", "calls that a model may have open for one request"),
    UpSetting("num_threads", "whole", "requests that a replica takes at once"),
    UpSetting("start_method", "text", "fork replicas from a warm parent, or spawn each", ("auto", "fork", "spawn")),
    UpSetting("replica_network", "text", "whose ports the servers of models take", ("own", "watched", "shared")),
    UpSetting("replica_access", "text", "what the CLARIFAI_PAT of a replica opens", ("owner", "work-only")),
    UpSetting("max_upload_bytes", "text", "largest archive of an uploaded model version, for example 512Mi"),
    UpSetting("max_connection_buffer_bytes", "text", "memory of what waits on one connection, for example 512Mi"),
    UpSetting("max_buffer_bytes", "text", "memory of what waits on all connections, for example 2Gi"),
    UpSetting(
        "cors", "words", "origins whose pages may use the HTTP endpoints; localhost for any port of it, * for all"
    ),
    UpSetting("behaviour", "words", "NAME=VALUE: choose where the platform's way is unknown or hinders"),
    UpSetting(
        "env", "words", "NAME or NAME=VALUE: a variable that replicas get too; AWS_* means all that begin so"
    ),
    UpSetting("accelerators", "text", "pretend to have these, for example simulated:2xNVIDIA-A10G"),
    UpSetting("docker_base_image", "text", "image that generated images begin with"),
    UpSetting("docker_build_args", "words", "NAME=VALUE for every image build"),
    UpSetting("docker_ca", "file", "certificates (PEM) that builds and containers trust too"),
    UpSetting("docker_builder", "text", "what builds images", ("auto", "classic", "buildkit")),
    UpSetting("docker_engine", "text", "the container engine: a Docker context, its socket or URL"),
    UpSetting("advertise", "words", "[ENGINE=]ADDRESS of this machine, for containers on other machines"),
    UpSetting("docker_listen", "text", "this machine's address for containers"),
    UpSetting("docker_secrets", "text", "how a model's container gets its secrets", ("environment", "files")),
    UpSetting("docker_limits", "yes or no", "hold containers to the CPU and memory that their model asks for"),
)
OLDER = ("backend", "runner", "hold_seconds", "topology", "strict_capacity")
# Options of ``up`` that are no settings of the plugin, and why.
NOT_FOR_TESTS = {
    "port": "the plugin takes a free port, before anything imports the SDK",
    "allow_hosts": "tests call the emulator by this machine's address",
    "durability": "each session begins with nothing, and keeps nothing",
    "host": "tests call the emulator from this machine",
    "user_id": "the user of a test is `me`, or its worker's own; `clarifai.user(…)` makes others",
    "pats": "tokens are those of the test's users",
    "pats_file": "tokens are those of the test's users",
    "contract": "`clarifai_contract` is it, with what a finding does to the test: strict, warn, off",
    "state": "each session begins with nothing, and each test with an empty account",
    "page": "the page is for people; a test has reports",
    "opens_page": "it says how the command runs",
    "detach": "it says how the command runs",
    "ready_fd": "it says how the command runs",
    "as_json": "it says how the command prints",
    "debug": "an editor attaches to replicas of `up` or `dev`; in a test `breakpoint()` asks in the terminal",
    "debug_wait": "an editor attaches to replicas of `up` or `dev`; in a test `breakpoint()` asks in the terminal",
    "tied_to_fd": "it says how the command runs (for programs that start `up`)",
}


def add_up_options(group: pytest.OptionGroup, parser: pytest.Parser) -> None:
    """Register the options with pytest, for the command line and for the ini file."""
    for each in UP_SETTINGS:
        ini = f"clarifai_{each.name}"
        choices = {"choices": ("yes", "no")} if each.kind == "yes or no" else {}
        choices = {"choices": each.choices} if each.choices else choices
        repeated = {"action": "append"} if each.kind == "words" else {}
        metavar = {} if choices else {"metavar": each.kind.upper()}
        group.addoption(
            f"--{ini.replace('_', '-')}", help=f"{each.help} (ini: {ini})", **choices, **repeated, **metavar
        )
        if each.kind == "words":
            parser.addini(ini, each.help, type="args", default=[])
        else:
            parser.addini(ini, each.help, default="")


def variable_of(name: str, environ: Mapping[str, str] = os.environ) -> str:
    """Return the value of the environment variable of an option of ``up``; empty when it is not set."""
    return environ.get(f"CLARIFAI_EMULATOR_{name.upper()}", "").strip()


def is_yes(name: str, text: str, problems: list[str]) -> bool | None:
    """Return the answer that a word means; None for an invalid one."""
    if text.lower() not in (*_YES, *_NO):
        problems.append(f"{name} must be yes or no, found {text!r}")
        return None
    return text.lower() in _YES


def number_in(name: str, given: str | float, problems: list[str], kind: type[float] = float) -> float | None:
    """Return the number that was given; None, and a problem more, unless it is a number that is not negative."""
    try:
        value = kind(given)
    except ValueError:
        value = -1
    if value < 0:
        what = "whole number" if kind is int else "number"
        problems.append(f"{name} must be a {what} that is not negative, found {given!r}")
        return None
    return value


def read_up_settings(
    config: pytest.Config, problems: list[str], environ: Mapping[str, str] = os.environ
) -> dict[str, Any]:
    """Return the settings that are set, as ``up`` would have them."""
    found: dict[str, Any] = {}
    for each in UP_SETTINGS:
        name, given = _given(config, each, environ)
        value = _value(config, each, name, given, problems) if given else None
        if value is not None:
            found[each.name] = value
    return found


def config_of(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of ``EmulatorConfig`` that the settings set. Raises ``ConfigError``."""
    from clarifai_emulator.errors import ConfigError
    from clarifai_emulator.messages.quantities import parse_memory

    fields = {
        name: value for name, value in found.items() if name != "advertise" and not name.startswith("docker_")
    }
    for name in ("max_upload_bytes", "max_connection_buffer_bytes", "max_buffer_bytes"):
        if name in fields:
            try:
                fields[name] = parse_memory(fields[name])
            except ValueError as error:
                raise ConfigError("The settings of the tests cannot be used:", [f"{name}: {error}"]) from None
    if "behaviour" in fields:
        fields["behaviour"] = _behaviour(fields["behaviour"])
    return {**fields, "docker": _docker(found)}


def _behaviour(choices: Sequence[str]) -> Behaviour:
    from clarifai_emulator.behaviour import Behaviour
    from clarifai_emulator.errors import ConfigError

    try:
        return Behaviour.of(choices)
    except ValueError as error:
        raise ConfigError("The settings of the tests cannot be used:", [f"behaviour: {error}"]) from None


def _docker(found: Mapping[str, Any]) -> DockerSettings:
    from clarifai_emulator.config import DockerSettings

    names = {"ca": "ca_file"}
    fields = {name.removeprefix("docker_"): value for name, value in found.items() if name.startswith("docker_")}
    if "build_args" in fields:
        fields["build_args"] = dict(each.split("=", 1) for each in fields["build_args"])
    if "advertise" in found:
        fields["advertise"] = tuple(found["advertise"])
    return DockerSettings(**{names.get(name, name): value for name, value in fields.items()})


def _given(config: pytest.Config, each: UpSetting, environ: Mapping[str, str]) -> tuple[str, str | Sequence[str]]:
    """Return the name of the source that sets the option, and its value."""
    ini = f"clarifai_{each.name}"
    on_command_line = getattr(config.known_args_namespace, ini, None)
    if on_command_line:
        return f"--{ini.replace('_', '-')}", on_command_line
    in_environment = variable_of(each.name, environ)
    if in_environment:
        return each.variable, shlex.split(in_environment) if each.kind == "words" else in_environment
    return ini, config.getini(ini)


def _value(config: pytest.Config, each: UpSetting, name: str, given: Any, problems: list[str]) -> Any:
    if each.choices and given not in each.choices:
        problems.append(f"{name} must be one of {', '.join(each.choices)}, found {given!r}")
        return None
    if each.kind == "yes or no":
        return is_yes(name, given, problems)
    if each.kind in ("number", "whole"):
        return number_in(name, given, problems, int if each.kind == "whole" else float)
    if each.kind == "file":
        return (config.rootpath if name.startswith("clarifai_") else Path.cwd()) / Path(given).expanduser()
    if each.name == "docker_build_args":
        wrong = [word for word in given if not word.partition("=")[0] or "=" not in word]
        problems.extend(f"{name}: {word!r} is not NAME=VALUE" for word in wrong)
        return None if wrong else tuple(given)
    return tuple(given) if each.kind == "words" else given
