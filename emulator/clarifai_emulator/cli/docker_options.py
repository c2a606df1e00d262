"""Defines the options of ``up`` that concern containers and accelerators."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from clarifai_emulator.backends.docker.build_credentials import is_credential
from clarifai_emulator.cli.env_option import VariableWords
from clarifai_emulator.cli.output import Failure, warn

BUILD_ARGS_VARIABLE = "CLARIFAI_EMULATOR_DOCKER_BUILD_ARGS"

_FILE = click.Path(dir_okay=False, path_type=Path)

_OPTIONS = (
    click.option(
        "--accelerators",
        default="",
        metavar="SPEC",
        help="Pretend to have these, for example simulated:2xNVIDIA-A10G.  [default: what this machine has]",
    ),
    click.option("--docker-base-image", metavar="IMAGE", help="What generated images begin with."),
    click.option(
        "--docker-build-arg",
        "docker_build_args",
        multiple=True,
        type=VariableWords(BUILD_ARGS_VARIABLE),
        metavar="NAME[=VALUE]",
        envvar=BUILD_ARGS_VARIABLE,
        help="For every image build; without a value, that of this variable. May be repeated.",
    ),
    click.option("--docker-ca", type=_FILE, help="Certificates (PEM) that builds and containers trust too."),
    click.option(
        "--docker-builder",
        type=click.Choice(["auto", "classic", "buildkit"]),
        default="auto",
        show_default=True,
        help="What builds images; auto takes BuildKit for Dockerfiles that need it.",
    ),
    click.option(
        "--docker-engine",
        "--docker-host",
        "docker_engine",
        metavar="ADDRESS",
        help="The engine: a Docker context, ssh://user@host, tcp://host:2376, unix://…  [default: found]",
    ),
    click.option(
        "--advertise",
        multiple=True,
        metavar="[ENGINE=]ADDRESS",
        help="This machine's address for containers on other machines. May be repeated.  [default: found]",
    ),
    click.option(
        "--docker-listen",
        metavar="ADDRESS",
        help="This machine's address for containers.  [default: found]",
    ),
    click.option(
        "--docker-secrets",
        type=click.Choice(["environment", "files"]),
        default="environment",
        show_default=True,
        help="Hand a model its secrets as variables, or as files, which `docker inspect` does not show.",
    ),
    click.option(
        "--docker-limits/--no-docker-limits",
        default=True,
        show_default=True,
        help="Hold containers to the CPU and memory that their model asks for.",
    ),
)


def docker_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def docker_settings(options: Mapping[str, Any]) -> Any:
    """Return the settings that the options of ``up`` give. Raises ``Failure`` for an invalid build argument."""
    from clarifai_emulator.config import DEFAULT_BASE_IMAGE, DockerSettings

    ca_file: Path | None = options["docker_ca"]
    return DockerSettings(
        engine=options["docker_engine"] or "",
        advertise=tuple(options["advertise"]),
        base_image=options["docker_base_image"] or DEFAULT_BASE_IMAGE,
        build_args=_build_args(options["docker_build_args"]),
        ca_file=ca_file.absolute() if ca_file is not None else None,
        builder=options["docker_builder"],
        listen=options["docker_listen"] or "",
        limits=options["docker_limits"],
        secrets=options["docker_secrets"],
    )


def _build_args(words: Sequence[str]) -> dict[str, str]:
    found = dict(map(_build_arg, words))
    typed = [word.partition("=")[0] for word in words if "=" in word]
    seen = [name for name in typed if is_credential(name, found[name])]
    if seen and _is_typed():
        warn(
            f"Everyone on this machine sees the value of {seen[0]} in the list of processes: set it as a variable, "
            f"and write --docker-build-arg {seen[0]}."
        )
    return found


def _is_typed() -> bool:
    context = click.get_current_context(silent=True)
    source = context.get_parameter_source("docker_build_args") if context is not None else None
    return source is ParameterSource.COMMANDLINE


def _build_arg(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if name and not equals and name in os.environ:
        return name, os.environ[name]
    if name and not equals:
        raise Failure(
            f"--docker-build-arg {name}: there is no variable {name} in the environment.",
            hint=f"Set it, or write --docker-build-arg {name}=VALUE.",
        )
    if not name:
        raise Failure(
            f"--docker-build-arg {text!r} is neither NAME nor NAME=VALUE.",
            hint="Example: --docker-build-arg PROXY=none",
        )
    return name, value
