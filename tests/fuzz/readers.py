"""Lists what is fuzzed: each reader has ``read(data)``, which raises for what must not be, ``seeds()``, and
``words()`` that are worth a try anywhere."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol, cast

READERS = ("http2", "http1", "json", "archive", "cassette")
# What made a reader fail once, a file each, by reader.
FOUND = Path(__file__).with_name("found")


class Reader(Protocol):
    """Describes a module of this folder that reads what strangers send."""

    def read(self, data: bytes) -> None: ...

    def seeds(self) -> Iterator[bytes]: ...

    def words(self) -> Iterable[str]: ...


def reader(name: str) -> Reader:
    """Return the reader of this name."""
    return cast(Reader, importlib.import_module(f"fuzz.{name}_reader"))


def cases(name: str) -> dict[str, bytes]:
    """Return what a reader must get over: its seeds, and what it failed on once, by name."""
    found = {each.name: each.read_bytes() for each in sorted((FOUND / name).glob("*"))}
    return {**{f"seed-{number}": each for number, each in enumerate(reader(name).seeds())}, **found}
