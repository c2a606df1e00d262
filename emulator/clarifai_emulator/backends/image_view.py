"""Shows replicas that have no image what their image would have of the model directory: a folder of links to it.

What lies beside `1/` is not in the platform's image. A directory in which nothing of that kind lies is its own
view.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path

from clarifai_emulator.models.image_content import image_content
from clarifai_emulator.models.scratch import OwnFolder

_SCRATCH = "clarifai-emulator-image-"


class ImageViews:
    """The views of one backend, in a temporary folder that ``close`` removes."""

    def __init__(self) -> None:
        self._folder = OwnFolder(None, _SCRATCH)
        self._directories: dict[Path, Path] = {}

    def of(self, directory: Path) -> Path:
        """Return the folder that stands for a model directory, as it is now: the directory itself where its image
        has all that matters."""
        content = image_content(directory)
        if not content.beside and directory not in self._directories.values():
            return directory
        digest = hashlib.sha256(str(directory).encode(errors="surrogateescape")).hexdigest()[:32]
        view = self._folder.path / digest / directory.name
        view.mkdir(parents=True, exist_ok=True)
        self._directories[view] = directory
        wanted = {each.name for each in directory.iterdir() if content.has(each.name)}
        there = {each.name for each in view.iterdir()}
        for name in there - wanted:
            (view / name).unlink()
        for name in wanted - there:
            with contextlib.suppress(FileExistsError):
                (view / name).symlink_to(directory / name)
        return view

    def as_written(self, text: str) -> str:
        """Return a text with the paths of views as the author of the model knows them."""
        if _SCRATCH not in text:
            return text
        for view, directory in self._directories.items():
            text = text.replace(f"{view}/", f"{directory}/")
        return text

    def as_written_in_json(self, text: str) -> str:
        """Return a JSON text with the paths of views as the author of the model knows them."""
        for view, directory in self._directories.items():
            text = text.replace(f"{_quoted(view)}/", f"{_quoted(directory)}/")
        return text

    def close(self) -> None:
        """Remove them."""
        self._folder.close()
        self._directories.clear()


def _quoted(path: Path) -> str:
    return json.dumps(str(path))[1:-1]
