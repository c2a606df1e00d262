"""Makes the backends of the table when they are first used, one for each place where such a one runs replicas, and
closes those that were made."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from clarifai_emulator.backend_table import BACKENDS, row_and_place
from clarifai_emulator.backends.backend import Backend, Surroundings
from clarifai_emulator.errors import NoRoom
from clarifai_emulator.machine.machine import THIS_MACHINE, Machine


class Backends(Mapping[str, Backend]):
    """The backends of one emulator, by name, as ``backend_table.backend_at`` makes it."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._made: dict[str, Backend] = {}
        self._is_closed = False

    def __getitem__(self, name: str) -> Backend:
        backend = self._made.get(name)
        if backend is None:
            if self._is_closed:
                raise KeyError(name)
            row, place = row_and_place(name)
            backend = self._made[name] = row.make(replace(self._surroundings, place=place))
        return backend

    def machines_elsewhere(self) -> Sequence[Machine]:
        """Return the machines beside this one that are known by now, each once."""
        found: dict[str, Machine] = {}
        for backend in self._made.values():
            with contextlib.suppress(NoRoom):
                found |= {each.id: each for each in backend.machines if each.id != THIS_MACHINE}
        return list(found.values())

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
