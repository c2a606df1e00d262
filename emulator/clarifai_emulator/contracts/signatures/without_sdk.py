"""Reads models where no SDK is installed: by import those that have an environment of their own, else from the
source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from clarifai_emulator.config import default_cache_dir
from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.finding import Location
from clarifai_emulator.contracts.signatures.imported import Reading, read_by_import
from clarifai_emulator.contracts.signatures.static import read_by_source
from clarifai_emulator.models.environment import find_environment
from clarifai_emulator.models.image_content import model_file_of
from clarifai_emulator.models.progress import Progress


def read_without_sdk(
    directories: Sequence[Path], *, seconds: float, cache_dir: Path | None, progress: Progress, upload: bool
) -> list[Reading]:
    """Read each directory, in order. The arguments are those of ``read_by_import``."""
    own = [each for each in directories if find_environment(each, default_cache_dir()) is not None]
    imported = dict(
        zip(
            own,
            read_by_import(own, seconds=seconds, cache_dir=cache_dir, progress=progress, upload=upload),
            strict=True,
        )
    )
    return [imported[each] if each in imported else _from_source(each) for each in directories]


def _from_source(directory: Path) -> Reading:
    """Read a source and say so. It is not kept for the next time: an SDK may be there by then."""
    reading = read_by_source(directory)
    said = found(
        "sdk-not-installed",
        "No clarifai SDK is installed here, so the methods were read from the source, without running it.",
        Location(model_file_of(directory), 1, 1),
    )
    return replace(reading, findings=(*reading.findings, said), is_self_contained=False)
