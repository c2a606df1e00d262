"""Tells which code a reloadable replica has loaded: what its directory held before and after, when both agree.

Between the two the replica loads its model; it takes no work before it was told what its code is called. Files that
the model itself writes meanwhile are no code of it.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from clarifai_emulator.models.code import Code, CodeReader
from clarifai_emulator.models.version_source import ModelSource, Watched
from clarifai_emulator.models.written import WrittenFiles, changed_while_loading
from clarifai_emulator.nodepools.fleet import ReplicaRecord


class LoadedCode:
    """Reads the directories of reloadable replicas. ``written``: what their models write there."""

    def __init__(self, written: WrittenFiles) -> None:
        self._written = written
        self._readers: dict[tuple[Path, Watched], CodeReader] = {}

    async def read(self, source: ModelSource) -> Code:
        """Read what the directory holds now; nothing for a model that is not reloadable."""
        if source.watched is None:
            return Code()
        return await asyncio.to_thread(self._reader(source).read)

    async def release(self, source: ModelSource, record: ReplicaRecord, before: Code) -> None:
        """Once its model is loaded, let the replica take work, under the name of its code. One on standby is told
        by whom it stands by for. One whose files changed meanwhile may have loaded anything: it is ended."""
        assert record.reload is not None
        if not await record.reload.loaded():
            return
        after = await self.read(source)
        self._written.find(source.path, before, after, lambda time: True)
        own = self._written.of(source.path)
        after = after.without(own)
        changed = before.without(own).changed(after)
        code = "" if changed else after.digest
        if record.standby is not None:
            if not record.standby.loaded.done():
                record.standby.loaded.set_result(code)
        elif code:
            record.reload.go(code)
        elif record.process is not None:
            record.killed_because = changed_while_loading(changed)
            record.process.kill()

    def _reader(self, source: ModelSource) -> CodeReader:
        assert source.watched is not None
        key = source.path, source.watched
        reader = self._readers.get(key)
        if reader is None:
            reader = self._readers[key] = self._written.reader(*key)
        return reader
