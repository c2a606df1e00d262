"""Where the archives of uploaded model versions lie, and the model directories unpacked from them.

ROOT/incoming/…          while an upload is under way
ROOT/<version>/archive   what was uploaded, as it came
ROOT/<version>/model     the same, unpacked: what replicas run
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
import tempfile
from pathlib import Path

from clarifai_emulator.store import Key

ARCHIVE = "archive"
MODEL = "model"
_INCOMING = "incoming"


class UploadedFiles:
    """The files of one emulator's uploads. Without ``root``, they lie in a temporary folder that ``close`` removes;
    it is made with the first upload."""

    def __init__(self, root: Path | None = None) -> None:
        self._kept = root
        self._root = root

    def incoming(self) -> Path:
        """A new empty file for an upload that begins."""
        folder = self._folder() / _INCOMING
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / secrets.token_hex(8)
        path.touch(mode=0o600)
        return path

    def keep(self, incoming: Path, version: Key) -> Path:
        """Make an upload that is complete the archive of a version; where it lies from now on."""
        folder = self._of(version)
        shutil.rmtree(folder, ignore_errors=True)  # of a version of that name that was deleted
        folder.mkdir(parents=True)
        os.replace(incoming, folder / ARCHIVE)
        return folder / ARCHIVE

    def archive(self, version: Key) -> Path:
        """Where the archive of a version lies, if it was uploaded."""
        return self._of(version) / ARCHIVE

    def has(self, version: Key) -> bool:
        """Whether a version was uploaded and its archive is still there."""
        return self._root is not None and self.archive(version).exists()

    def model(self, version: Key) -> Path:
        """Where a version is unpacked to."""
        return self._of(version) / MODEL

    def remove(self, version: Key) -> None:
        """Forget the files of a version; one that was not uploaded has none."""
        if self._root is not None:
            shutil.rmtree(self._of(version), ignore_errors=True)

    def clear(self) -> None:
        """Forget every file."""
        if self._root is not None:
            for folder in list(self._root.iterdir()) if self._root.is_dir() else []:
                shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Forget what is not to be kept."""
        if self._root is not None and self._kept is None:
            shutil.rmtree(self._root, ignore_errors=True)
            self._root = None
        elif self._root is not None:
            with contextlib.suppress(OSError):
                shutil.rmtree(self._root / _INCOMING)

    def _folder(self) -> Path:
        if self._root is None:
            self._root = Path(tempfile.mkdtemp(prefix="clarifai-emulator-uploads-"))
        return self._root

    def _of(self, version: Key) -> Path:
        """Ids come from clients, and those of two models may be the same: none becomes a name on the disk."""
        return self._folder() / hashlib.sha256("/".join(version).encode()).hexdigest()[:32]
