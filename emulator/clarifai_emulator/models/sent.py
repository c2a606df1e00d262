"""Model directories that were sent here by a command line on another machine, unpacked, one folder for each
content.

ROOT/incoming/…          while one is on its way
ROOT/<digest>/<name>     the directory, under its own name; the same content comes to lie in the same place again
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
import shutil
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from clarifai_emulator.errors import ModelError
from clarifai_emulator.models.archive import unpack
from clarifai_emulator.models.scratch import ScratchFolder, remove_forsaken

_INCOMING = "incoming"
_DIGEST = re.compile(r"[0-9a-f]{32}")
_SCRATCH = "clarifai-emulator-sent-"
_NAME = re.compile(r"[^A-Za-z0-9._-]+")


class SentDirectories:
    """Those of one emulator, below ``root``; without it in a temporary folder, which ``close`` removes.
    ``max_bytes``: of one archive."""

    def __init__(self, root: Path | None = None, *, max_bytes: int) -> None:
        self._root = root
        self._max_bytes = max_bytes
        self._scratch: ScratchFolder | None = None

    async def receive(self, chunks: AsyncIterator[bytes], name: str) -> Path:
        """Unpack an archive that comes in pieces; where the directory lies. Raises ``ModelError``."""
        incoming = self._folder() / _INCOMING / secrets.token_hex(8)
        incoming.parent.mkdir(parents=True, exist_ok=True)
        digest, size = hashlib.sha256(), 0
        try:
            incoming.touch(mode=0o600)
            async for chunk in chunks:
                size += len(chunk)
                if size > self._max_bytes:
                    raise _too_large(self._max_bytes)
                digest.update(chunk)
                await asyncio.to_thread(_append, incoming, chunk)
            target = self._folder() / digest.hexdigest()[:32] / (_NAME.sub("-", name).strip(".-")[:100] or "model")
            if not target.is_dir():
                await asyncio.to_thread(_unpack_whole, incoming, target)
            return target
        except OSError as error:
            raise ModelError(
                f"The directory that was sent cannot be kept: {error.strerror or error}.",
                hint="Make room on the disk where the emulator runs.",
            ) from None
        finally:
            incoming.unlink(missing_ok=True)

    def sweep(self, used: Iterable[Path]) -> None:
        """Remove what no version runs any more. Before the first one comes."""
        if self._root is None:
            remove_forsaken(_SCRATCH)
            return
        kept = {path.parent.name for path in used if path.parent.parent == self._root}
        for folder in list(self._root.iterdir()) if self._root.is_dir() else []:
            if folder.name == _INCOMING or (_DIGEST.fullmatch(folder.name) and folder.name not in kept):
                shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Forget what is not to be kept."""
        if self._scratch is not None:
            self._scratch.remove()
            self._scratch = None

    def _folder(self) -> Path:
        if self._root is not None:
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            return self._root
        self._scratch = self._scratch or ScratchFolder(_SCRATCH)
        return self._scratch.path


def _append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def _unpack_whole(archive: Path, target: Path) -> None:
    """Unpack beside the target first: what is there is whole."""
    draft = archive.with_suffix(".unpacked")
    unpack(archive, draft)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        draft.rename(target)
    except OSError:  # the same directory came twice at once
        shutil.rmtree(draft, ignore_errors=True)
        if not target.is_dir():
            raise


def _too_large(limit: int) -> ModelError:
    return ModelError(
        f"The directory that was sent has more than {limit} bytes, the most that the emulator takes.",
        hint="Start it with a larger --max-upload-bytes, or leave weights out and load them from elsewhere.",
    )
