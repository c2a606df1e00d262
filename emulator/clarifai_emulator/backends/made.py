"""Makes the backends of the table when they are first used, and closes those that were made."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping

from clarifai_emulator.backend_table import BACKENDS
from clarifai_emulator.backends.backend import Backend, Surroundings


class Backends(Mapping[str, Backend]):
    """The backends of one emulator, by name."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._made: dict[str, Backend] = {}
        self._is_closed = False

    def __getitem__(self, name: str) -> Backend:
        backend = self._made.get(name)
        if backend is None:
            if self._is_closed:
                raise KeyError(name)
            backend = self._made[name] = BACKENDS[name].make(self._surroundings)
        return backend

    def __iter__(self) -> Iterator[str]:
        return iter(BACKENDS)

    def __len__(self) -> int:
        return len(BACKENDS)

    async def close(self) -> None:
        """End everything that they have started; none starts anything after that."""
        self._is_closed = True
        await asyncio.gather(*(backend.close() for backend in self._made.values()))
        self._made.clear()
        parent = self._surroundings.parent
        if parent is not None and not parent.is_taken:  # no replica was ever needed
            parent.take().close()
