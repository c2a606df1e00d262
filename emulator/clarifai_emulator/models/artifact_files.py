"""Keeps the contents of artifact versions: one file each, named by the version's key."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from clarifai_emulator.models.scratch import OwnFolder
from clarifai_emulator.models.uploaded import name_of
from clarifai_emulator.store import Key, Kind, Store

_CONTENT = "content"
_SCRATCH = "clarifai-emulator-artifacts-"


class ArtifactFiles:
    """Holds the files of one emulator's artifacts, below ``root``. Without it they lie in a temporary folder, which
    is made with the first upload and removed by ``close``."""

    def __init__(self, root: Path | None = None) -> None:
        self._folder = OwnFolder(root, _SCRATCH)

    def sweep(self, versions: Iterable[Key]) -> None:
        """Remove what an emulator that was killed left: all but the files of these versions."""
        self._folder.sweep({name_of(version) for version in versions})

    def incoming(self) -> Path:
        """Make an empty file for an upload that begins."""
        return self._folder.incoming()

    def keep(self, incoming: Path, version: Key) -> None:
        """Make an upload that is complete the content of a version."""
        content = self.content(version)
        content.parent.mkdir(parents=True, exist_ok=True)
        os.replace(incoming, content)

    def content(self, version: Key) -> Path:
        """Return the path of a version's content."""
        return self._folder.path / name_of(version) / _CONTENT

    def remove(self, version: Key) -> None:
        """Forget the content of a version. A download that is under way has the file open, and goes on."""
        if self._folder.is_there:
            shutil.rmtree(self.content(version).parent, ignore_errors=True)

    def follow(self, store: Store) -> None:
        """Remove, from now on, the content of a version with the version."""

        def changed(kind: Kind, key: Key) -> None:
            if kind == Kind.ARTIFACT_VERSION and store.get(kind, key) is None:
                self.remove(key)

        store.watch(changed)

    def clear(self) -> None:
        """Forget every file."""
        self._folder.remove_all_but(set())

    def close(self) -> None:
        """Forget what is not to be kept."""
        self._folder.close()
