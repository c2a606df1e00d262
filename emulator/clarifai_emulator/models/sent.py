"""Unpacks model directories sent by a command line on another machine, one folder for each
content.

ROOT/incoming/…          while one is on its way
ROOT/<digest>/<name>     the directory, under its own name; the same content comes to lie in the same place again
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import shutil
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from clarifai_emulator.errors import ModelError
from clarifai_emulator.models.scratch import OwnFolder

_SCRATCH = "clarifai-emulator-sent-"
_NAME = re.compile(r"[^A-Za-z0-9._-]+")


class SentDirectories:
    """The model directories that were sent to one emulator, below ``root``; without it in a temporary folder, which
    ``close`` removes. ``max_bytes``: of one archive."""

    def __init__(self, root: Path | None = None, *, max_bytes: int) -> None:
        self._root = root
        self._folder = OwnFolder(root, _SCRATCH)
        self._max_bytes = max_bytes

    async def receive(self, chunks: AsyncIterator[bytes], name: str) -> Path:
        """Unpack an archive that comes in pieces; give the directory, called ``name``. Raises ``ModelError``."""
        try:
            return await self._received(chunks, _NAME.sub("-", name).strip(".-")[:100] or "model")
        except OSError as error:
            raise ModelError(
                f"The directory that was sent cannot be kept: {error.strerror or error}.",
                hint="Make room on the disk where the emulator runs.",
            ) from None

    async def _received(self, chunks: AsyncIterator[bytes], name: str) -> Path:
        incoming = self._folder.incoming()
        digest, size = hashlib.sha256(), 0
        try:
            async for chunk in chunks:
                size += len(chunk)
                if size > self._max_bytes:
                    raise _too_large(self._max_bytes)
                digest.update(chunk)
                await asyncio.to_thread(_append, incoming, chunk)
            target = self._folder.path / digest.hexdigest()[:32] / name
            if not target.is_dir():
                await asyncio.to_thread(_unpack_whole, incoming, target)
            return target
        finally:
            incoming.unlink(missing_ok=True)

    def sweep(self, used: Iterable[Path]) -> None:
        """Remove what no version runs any more: all but the directories ``used``. Before the first one comes."""
        self._folder.sweep({path.parent.name for path in used if path.parent.parent == self._root})

    def close(self) -> None:
        """Remove what is not to be kept."""
        self._folder.close()


def _append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def _unpack_whole(archive: Path, target: Path) -> None:
    """Unpack beside the target first: what is there is whole."""
    # Archives are unpacked for who sends some.
    from clarifai_emulator.models.archive import unpack

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
