"""Chooses the interpreter that a model is read with: one that has the SDK which its requirements.txt names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from clarifai_emulator.config import default_cache_dir
from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.finding import Finding, Location
from clarifai_emulator.errors import ModelError
from clarifai_emulator.models.directory import REQUIREMENTS_FILE, read_model_directory
from clarifai_emulator.models.environment import find_environment, needs_of
from clarifai_emulator.models.progress import Progress
from clarifai_emulator.models.requirements import Line, UnreadableRequirements, read_lines
from clarifai_emulator.models.sdk_environment import installed_sdk, is_own_sdk, prepare_sdk_environment
from clarifai_emulator.models.sdk_needs import require_runnable


@dataclass(frozen=True, slots=True)
class Reader:
    """An interpreter to read a model with; None where no version that its requirements allow could run it.
    ``is_own_sdk``: it has the SDK that the model names. ``problem``: what has to be said about it."""

    python: Path | None
    is_own_sdk: bool = True
    problem: Finding | None = None


def known_reader(directory: Path, default: Path) -> Reader | None:
    """Return the reader of a model directory as far as it is there; None where it has to be built. ``default``: an
    interpreter with the SDK that is installed beside the emulator."""
    lines = _lines(directory)
    if is_own_sdk(lines):
        return Reader(default)
    try:
        require_runnable(needs_of(lines))
    except ModelError as error:
        return Reader(None, problem=found("other-sdk", error.summary, _place(directory), hint=error.hint))
    built = find_environment(directory, default_cache_dir())
    return Reader(built) if built is not None else None


async def built_reader(directory: Path, default: Path, progress: Progress) -> Reader:
    """Return a reader with the model's own SDK, which is installed for it; with the emulator's, and why, where it
    cannot be."""
    try:
        wanted = read_model_directory(directory).python_version
    except ModelError:
        wanted = ""
    try:
        python = await prepare_sdk_environment(_lines(directory), wanted, default_cache_dir(), progress)
    except ModelError as error:
        message = f"Read with clarifai {installed_sdk()}: {error.summary}"
        return Reader(
            default, is_own_sdk=False, problem=found("sdk-not-read", message, _place(directory), hint=error.hint)
        )
    return Reader(python)


def _lines(directory: Path) -> list[Line]:
    try:
        return list(read_lines(directory / REQUIREMENTS_FILE))
    except UnreadableRequirements:
        return []  # told elsewhere


def _place(directory: Path) -> Location:
    """Return the line of requirements.txt that names the SDK."""
    file = directory / REQUIREMENTS_FILE
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip().lower().startswith("clarifai") and not line.strip().lower().startswith("clarifai-"):
            return Location(file, number, 1)
    return Location(file, 1, 1)
