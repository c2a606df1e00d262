"""Reads the project's settings for commands, as they are read before anything else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from clarifai_emulator.cli.output import unusable

if TYPE_CHECKING:
    from clarifai_emulator.contracts.rules.project_settings import ProjectSettings


def read_settings() -> ProjectSettings:
    """Return the settings of the nearest pyproject.toml. Raises ``Failure`` if they cannot be used."""
    from clarifai_emulator.contracts.rules.project_settings import project_settings
    from clarifai_emulator.errors import ConfigError

    try:
        return project_settings(Path.cwd())
    except ConfigError as error:
        raise unusable(error) from None


def require_models() -> tuple[str, ...]:
    """Return the models that pyproject.toml names. Raises ``UsageError`` if there are none."""
    models = read_settings().models
    if not models:
        raise click.UsageError(
            "Give at least one model directory, or name them as models in [tool.clarifai-emulator] of "
            "pyproject.toml."
        )
    return models


def model_directory(text: str) -> Path:
    """Return the directory of a model that is given as ``DIR`` or ``DIR=ADDRESS``."""
    from clarifai_emulator.contracts.rules.project_settings import split_model

    return Path(split_model(text)[0])
