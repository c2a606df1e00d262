"""Finds the source of the SDK that a model names, for reading it without running anything."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from clarifai_emulator.config import default_cache_dir
from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.finding import Finding, Location
from clarifai_emulator.contracts.stubs.sdk_surface import outline_version
from clarifai_emulator.models.directory import REQUIREMENTS_FILE
from clarifai_emulator.models.environment import find_environment, needs_of
from clarifai_emulator.models.requirements import UnreadableRequirements, read_lines
from clarifai_emulator.models.sdk_environment import find_sdk_environment, installed_sdk, is_own_sdk
from clarifai_emulator.models.sdk_needs import sdk_is

_INSTALL = "Install the whole emulator, which reads the model with its own SDK: pip install clarifai-emulator"


@dataclass(frozen=True, slots=True)
class SdkSource:
    """The folder with the SDK's package, None for the one beside the emulator; ``findings``: what has to be said
    about it."""

    folder: Path | None = None
    findings: tuple[Finding, ...] = ()


def sdk_source(directory: Path) -> SdkSource:
    """Return the SDK of a model: of its environment, where one is there; nothing is built."""
    try:
        lines = list(read_lines(directory / REQUIREMENTS_FILE))
    except UnreadableRequirements:
        return SdkSource()  # told elsewhere
    here = installed_sdk() or outline_version()
    if is_own_sdk(lines) if installed_sdk() else sdk_is(here, lines):
        return SdkSource()
    cache_dir = default_cache_dir()
    python = find_environment(directory, cache_dir) or find_sdk_environment(lines, cache_dir)
    folders = sorted(python.parent.parent.glob("lib/python*/site-packages")) if python is not None else []
    folder = next((each for each in folders if (each / "clarifai").is_dir()), None)
    message = (
        f"Read by the rules of clarifai {here}; requirements.txt asks for {needs_of(lines).named}, "
        "which may see other methods, or describe them otherwise."
    )
    where = Location(directory / REQUIREMENTS_FILE, 1, 1)
    hint = "Leave out --static: the model is read with its own SDK then." if installed_sdk() else _INSTALL
    return SdkSource(folder, (found("sdk-not-read", message, location=where, hint=hint),))
