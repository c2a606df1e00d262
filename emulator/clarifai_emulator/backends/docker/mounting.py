"""Tells whether containers can see a model directory of this machine, and what else they need to be reloaded
inside."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

from clarifai_emulator.backends.docker.engine import Engine
from clarifai_emulator.messages.quantities import parse_memory
from clarifai_emulator.models.directory import ModelDirectory, part_files
from clarifai_emulator.models.image_content import image_content


def why_not_mounted(directory: ModelDirectory, engine: Engine) -> str:
    """Why edits of this model cannot reach its containers as files; empty when they can."""
    is_here = (
        sys.platform == "linux"
        and engine.is_local
        and engine.address.startswith("unix://")
        and engine.kind != "docker desktop"
    )
    if not is_here:
        return f"containers of {engine.kind} at {engine.address} do not run on this machine itself"
    checkpoints = directory.config.get("checkpoints")
    if isinstance(checkpoints, dict) and checkpoints.get("when") == "build":  # pyright: ignore[reportUnknownMemberType]
        return "its checkpoints are in its image (checkpoints.when: build in config.yaml)"
    beside = image_content(directory.path).beside
    if beside:
        return f"{', '.join(beside[:3])} beside the folder 1 would come with the mount, and is not in its image"
    hidden = next((each for each in (directory.path, *_files(directory)) if not _is_for_all(each)), None)
    if hidden is not None:
        return f"the user of its containers may not read {hidden} (chmod -R o+rX {directory.path})"
    return ""


def room_for_two(memory: str) -> str:
    """The memory of a container in which, for a moment, a replica runs beside the one whose place it takes."""
    return str(2 * parse_memory(memory)) if memory else ""


def _files(directory: ModelDirectory) -> list[Path]:
    """The model's files, and the folders on the way to them."""
    files = [directory.path / each for each in part_files(directory.path)]
    return sorted({folder for file in files for folder in file.parents if directory.path in folder.parents}) + files


def _is_for_all(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except OSError:
        return True  # gone meanwhile
    wanted = stat.S_IROTH | stat.S_IXOTH if stat.S_ISDIR(mode) else stat.S_IROTH
    return mode & wanted == wanted
