"""Finds debugpy: in the model's own environment, or beside the emulator, of which a model sees nothing else."""

from __future__ import annotations

import importlib.util
from importlib import metadata
from pathlib import Path

from clarifai_emulator.errors import ModelError


def folder_of_debugpy(python: Path, cache_dir: Path) -> str:
    """A folder with debugpy and nothing else, for a model whose environment lacks it; empty where it has its own.
    Raises ``ModelError`` where it is nowhere."""
    if any(python.parent.parent.glob("lib/python*/site-packages/debugpy/__init__.py")):
        return ""
    found = importlib.util.find_spec("debugpy")
    if found is None or found.origin is None:
        raise ModelError(
            "debugpy, which lets an editor debug a replica, is not installed.",
            hint="Install it beside the emulator: pip install 'clarifai-emulator[debug]'; or name debugpy in the "
            "model's requirements.txt.",
        )
    package = Path(found.origin).parent
    folder = cache_dir / "debugpy" / metadata.version("debugpy")
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / "debugpy"
    if not link.exists() or link.resolve() != package.resolve():
        link.unlink(missing_ok=True)
        link.symlink_to(package)
    return str(folder)
