"""Reads what the arguments of ``contract`` name: lock files, model directories, revisions and model URLs."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ParamSpec, TypeVar

from clarifai_emulator.cli.output import unusable
from clarifai_emulator.contracts.changes.origins import ControlPlane, Origin, resolve
from clarifai_emulator.errors import ConfigError, ControlError
from clarifai_emulator.left_out import of_the_whole

_Arguments = ParamSpec("_Arguments")
_Answer = TypeVar("_Answer")


def read_origins(texts: Sequence[str], static: bool, base_url: str | None, port: int | None) -> list[Origin]:
    """Read each origin. Raises ``Failure``."""
    return [
        usable(resolve, text, static=static, control_plane=_control_plane(text, base_url, port)) for text in texts
    ]


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
