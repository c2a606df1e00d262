"""Keeps the archives of uploaded model versions, and the model directories unpacked from them.

ROOT/incoming/…          while an upload is under way, and what is being removed
ROOT/<version>/archive   what was uploaded, as it came
ROOT/<version>/model     the same, unpacked: what replicas run
ROOT/<version>/starts    while it is built: how often that was begun since the upload
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from clarifai_emulator.models.scratch import OwnFolder
from clarifai_emulator.store import Key

ARCHIVE = "archive"
MODEL = "model"
_STARTS = "starts"
_SCRATCH = "clarifai-emulator-uploads-"


class UploadedFiles:
    """The files of one emulator's uploads, below ``root``. Without it they lie in a temporary folder, which is made
    with the first upload and removed by ``close``."""

    def __init__(self, root: Path | None = None) -> None:
        self._folder = OwnFolder(root, _SCRATCH)

    def sweep(self, versions: Iterable[Key]) -> None:
        """Remove what an emulator that was killed left: all but the files of these versions. Before the first
        upload."""
        self._folder.sweep({name_of(version) for version in versions})

    def incoming(self) -> Path:
        """Make an empty file for an upload that begins."""
        return self._folder.incoming()

    def keep(self, incoming: Path, version: Key) -> Path:
        """Make an upload that is complete the archive of a version; where it lies from now on."""
        folder = self._of(version)
        shutil.rmtree(folder, ignore_errors=True)  # of a version of that name that was deleted
        folder.mkdir(parents=True)
        os.replace(incoming, folder / ARCHIVE)
        return folder / ARCHIVE

    def archive(self, version: Key) -> Path:
        """Return the path of a version's archive, if it was uploaded."""
        return self._of(version) / ARCHIVE

    def has(self, version: Key) -> bool:
        """Tell whether a version was uploaded and its archive is still there."""
        return self._folder.is_there and self.archive(version).exists()

    def model(self, version: Key) -> Path:
        """Return the directory that a version is unpacked to."""
        return self._of(version) / MODEL

    def starts(self, version: Key) -> int:
        """Return how often a build was begun and not ended, neither by its result nor by a stop in good order."""
        try:
            return int((self._of(version) / _STARTS).read_text())
        except (OSError, ValueError):  # none, or cut off while it was written
            return 0

    def note_start(self, version: Key) -> None:
        """Note that the build of a version begins."""
        (self._of(version) / _STARTS).write_text(str(self.starts(version) + 1))

    def note_end(self, version: Key) -> None:
        """Note that the build of a version ended."""
        (self._of(version) / _STARTS).unlink(missing_ok=True)

    def remove(self, version: Key) -> None:
        """Forget the files of a version; one that was not uploaded has none. Another one of its id may come
        meanwhile."""
        if self._folder.is_there:
            shutil.rmtree(self._folder.set_aside(name_of(version)), ignore_errors=True)

    def clear(self) -> None:
        """Forget every file."""
        self._folder.remove_all_but(set())

    def close(self) -> None:
        """Forget what is not to be kept."""
        self._folder.close()

    def _of(self, version: Key) -> Path:
        return self._folder.path / name_of(version)


def name_of(version: Key) -> str:
    """Return the name of a version's folder. Ids come from clients, and those of two models may be the same: none
    becomes a name on the disk."""
    return hashlib.sha256("/".join(version).encode()).hexdigest()[:32]
