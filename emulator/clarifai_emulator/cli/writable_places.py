"""Provides the places that the contract commands write to, and says what keeps them from being written."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import click

from clarifai_emulator.cli.output import USAGE, Failure
from clarifai_emulator.config import default_cache_dir

_SOME = 3


def results_cache() -> Path | None:
    """Return the folder that results are kept in for the next time; None where it cannot be written, which is said
    on stderr."""
    folder = default_cache_dir() / "contracts"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        click.echo(
            f"Note: {folder} cannot be written ({error.strerror}), so nothing is kept for the next time. "
            "XDG_CACHE_HOME names another place.",
            err=True,
        )
        return None


@contextmanager
def written_to(path: Path, option: str) -> Generator[None]:
    """Raise ``Failure`` where what is done inside cannot write. ``option``: names another place than ``path``."""
    try:
        yield
    except OSError as error:
        raise Failure(
            f"{path} cannot be written: {error.strerror or error}.",
            hint=f"Make it writable, or name another place with {option}.",
            code=USAGE,
        ) from None


def models_nearby() -> str:
    """Return the first model directories in the current folder, or one level below, as words of a command."""
    return " ".join(f"--model {each}" for each in islice(_model_directories(), _SOME))


def _model_directories() -> Iterator[Path]:
    for pattern in ("config.yaml", "*/config.yaml", "*/*/config.yaml"):
        for each in sorted(Path().glob(pattern)):
            if (each.parent / "1").is_dir() and not each.parts[0].startswith("."):
                yield each.parent
