"""Prepares the code of model directories for the backends that are to run it, and reads its method signatures.

    directory ─► source (what replicas run: files, Python environment or image) ─► method signatures

Deploys, uploads and the dev loop share it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from clarifai_emulator.backend_table import abilities_of
from clarifai_emulator.backends.backend import Backend
from clarifai_emulator.backends.signature_answers import Signatures
from clarifai_emulator.logbook import BUILDER, LogBook
from clarifai_emulator.messages.address import ModelKey
from clarifai_emulator.models.directory import ModelDirectory
from clarifai_emulator.models.progress import Progress
from clarifai_emulator.models.version_source import ModelSource, Watched
from clarifai_emulator.models.written import WrittenFiles


class CodePreparation:
    """Prepares code in one emulator. ``default_backend`` runs what names no other one."""

    def __init__(
        self, *, backends: Mapping[str, Backend], default_backend: str, written: WrittenFiles, logbook: LogBook
    ) -> None:
        self._backends = backends
        self._default_backend = default_backend
        self._written = written
        self._logbook = logbook
        # Of code that was read once, whatever became of its version: the same code has the same methods.
        self._signatures: dict[ModelSource, Sequence[Any]] = {}

    async def meet(self, backend: str) -> None:
        """Let the engine of a backend be asked which machine it is on: that decides what fits there."""
        if abilities_of(backend).warm_start == "engine":
            await self._backends[backend].warm()

    async def source_of(
        self, directory: ModelDirectory, progress: Progress, backend: str = "", watched: Watched | None = None
    ) -> ModelSource:
        """Prepare what replicas of a backend run for a directory, and build what it needs. Raises
        ``ModelError``."""
        chosen = self._backends[backend or self._default_backend]
        source = await chosen.prepare(directory, progress, is_watched=watched is not None)
        if watched is None:
            return source
        code = await asyncio.to_thread(self._written.reader(directory.path, watched).read)
        return replace(source, content_hash=code.digest, watched=watched)

    async def signatures_of(
        self, source: ModelSource, backend: str = "", tell: Progress = lambda line: None
    ) -> Sequence[Any]:
        """Return the ``MethodSignature`` messages of the model's methods; none for an older model that answers
        messages. Raises ``ModelError`` when it cannot be imported or has nothing to call."""
        signatures = self._signatures.get(source)
        if signatures is None:
            signatures = await self._backends[backend or self._default_backend].signatures(source)
        if isinstance(signatures, Signatures) and signatures.warning:
            tell(f"warning: {signatures.warning}")  # and read anew the next time: it may be there then
        else:
            self._signatures[source] = signatures
        return signatures

    def logging_builds(self, key: ModelKey, version_id: str, progress: Progress) -> Progress:
        """Tell the builder log of the version what the caller is told."""
        user, app, model = key

        def tell(line: str) -> None:
            progress(line)
            self._logbook.append(
                BUILDER, line, user_id=user, app_id=app, model_id=model, model_version_id=version_id
            )

        return tell


def is_same_code(known: Any, source: ModelSource) -> bool:
    """Tell whether a version's source is this one; a backend it was not made for prepares it when it runs it."""
    if isinstance(known, ModelSource) and known.backend != source.backend:
        return (known.path, known.content_hash, known.watched) == (
            source.path,
            source.content_hash,
            source.watched,
        )
    return known == source
