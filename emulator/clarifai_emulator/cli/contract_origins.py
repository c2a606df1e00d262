"""Reads what the arguments of ``contract`` name: lock files, model directories, revisions and model URLs."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from clarifai_emulator.cli.output import unusable
from clarifai_emulator.contracts.changes.origins import ControlPlane, Origin, model_directories, resolve
from clarifai_emulator.contracts.rules.project_settings import split_model
from clarifai_emulator.errors import ConfigError, ControlError
from clarifai_emulator.left_out import of_the_whole

if TYPE_CHECKING:
    from clarifai_emulator.contracts.calls.call_targets import GivenModel

_Arguments = ParamSpec("_Arguments")
_Answer = TypeVar("_Answer")


def read_origins(texts: Sequence[str], static: bool, base_url: str | None, port: int | None) -> list[Origin]:
    """Read each origin. Raises ``Failure``."""
    return [
        usable(resolve, text, static=static, control_plane=_control_plane(text, base_url, port)) for text in texts
    ]


def given_models(texts: Sequence[str]) -> list[GivenModel]:
    """Return the models that these arguments name: DIR, DIR=URL, or a folder of models. Raises ``ConfigError`` for
    a folder without any."""
    from clarifai_emulator.contracts.calls.call_targets import GivenModel

    found: list[GivenModel] = []
    for text in texts:
        directory, address = split_model(text)
        path = Path(directory).expanduser()
        if address or not path.is_dir():
            found.append(GivenModel(path, address))
        else:
            found += map(GivenModel, _below(path))
    return list(dict.fromkeys(found))


def _below(path: Path) -> list[Path]:
    directories = model_directories(path)
    if not directories:
        raise ConfigError(
            f"'{path}' holds no model:",
            ["there is no model directory in it"],
            hint="A model directory holds config.yaml, requirements.txt and 1/model.py.",
        )
    return directories


def usable(
    function: Callable[_Arguments, _Answer], *arguments: _Arguments.args, **more: _Arguments.kwargs
) -> _Answer:
    """Call the function; end the command with exit code 2 if a file or revision cannot be used."""
    try:
        return function(*arguments, **more)
    except ConfigError as error:
        raise unusable(error) from None


def _control_plane(text: str, base_url: str | None, port: int | None) -> ControlPlane | None:
    """Return the control plane to ask for a model URL: the given address, the running emulator, or the platform."""
    if "/models/" not in text or Path(text).exists():
        return None
    pat = os.environ.get("CLARIFAI_PAT", "")
    if base_url:
        return ControlPlane(base_url, pat or "none")
    with of_the_whole("asking a control plane for a model URL"):
        from clarifai_emulator.cli.connection import find_emulator
    try:
        return ControlPlane(find_emulator(port).url, pat or "none")
    except ControlError:
        return ControlPlane("https://api.clarifai.com", pat) if pat else None
