"""Defines the options of ``up`` that concern containers and accelerators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from clarifai_emulator.cli.output import Failure

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
        metavar="NAME=VALUE",
        help="For every image build.",
    ),
    click.option("--docker-ca", type=_FILE, help="Certificates (PEM) that builds and containers trust too."),
    click.option(
        "--docker-builder",
        type=click.Choice(["auto", "classic", "buildkit"]),
        default="auto",
        show_default=True,
        help="What builds images; auto takes BuildKit for Dockerfiles that need it.",
    ),
    click.option("--docker-engine", metavar="ADDRESS", help="The engine's socket or URL.  [default: found]"),
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
        base_image=options["docker_base_image"] or DEFAULT_BASE_IMAGE,
        build_args=dict(_build_arg(text) for text in options["docker_build_args"]),
        ca_file=ca_file.absolute() if ca_file is not None else None,
        builder=options["docker_builder"],
        listen=options["docker_listen"] or "",
        limits=options["docker_limits"],
        secrets=options["docker_secrets"],
    )


def _build_arg(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise Failure(
            f"--docker-build-arg {text!r} is no NAME=VALUE.", hint="Example: --docker-build-arg PROXY=none"
        )
    return name, value
