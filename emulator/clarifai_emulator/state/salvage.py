"""Saves what can be read of a damaged state file: row by row, and names what is lost as the index of names has it.

the write-ahead log, applied in full ─► a first page, if there is none that can be read
    ─► each table: forwards until it fails, then place by place ─► the rows that are as they were written
    ─► the names in the index whose rows were not among them
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clarifai_emulator.state.records import Table
from clarifai_emulator.state.state_schema import COLUMNS, FILE, connect, create
from clarifai_emulator.state.stored_rows import (
    NOT_AS_WRITTEN,
    Damage,
    DamagedRow,
    StoredRow,
    lost_resource,
    read,
    selected,
    selection,
)
from clarifai_emulator.state.write_ahead_log import WriteAheadLog, read_write_ahead_log

# So many places of a table are looked at one by one: more than any interior page leads to.
_TRIES = 200_000
_PAGES = struct.Struct(">I")
_PAGES_AT, _CHANGES_AT, _FREE_AT, _VALID_FOR_AT = 28, 24, 32, 92
_USUAL_SIZE = 4096
_INDEX = "sqlite_autoindex_resources_1"  # SQLite's own name of it
_HEADER_SIZE_AT = 16


@dataclass(slots=True)
class SalvagedState:
    """Holds the rows that could be read, by table, and what is lost."""

    rows: dict[str, list[StoredRow]] = field(default_factory=dict[str, list[StoredRow]])
    lost: list[Damage] = field(default_factory=list[Damage])


def salvage(folder: Path, table: Table) -> SalvagedState:
    """Read what can be read of the copies of a state's files in a folder, which are changed by it. Raises
    ``OSError``."""
    found = SalvagedState({name: [] for name in COLUMNS})
    file, log = folder / FILE, folder / f"{FILE}-wal"
    file.touch()
    _apply(file, read_write_ahead_log(log))
    log.unlink(missing_ok=True)
    if not file.stat().st_size:
        return found
    if not _is_readable(file):
        _replace_first_page(file)
    with closing(connect(str(file))) as database:
        names = _names_in_index(database)
        for name in COLUMNS:
            _of_table(_TableReader(database, name, names if name == "resources" else {}), table, found)
    return found


def _apply(file: Path, log: WriteAheadLog) -> None:
    """Write the pages of the log into the file: also those with a byte that has changed, whose rows are judged by
    their own checksums."""
    pages = max((frame.commits for frame in log.frames), default=0)
    with file.open("r+b") as target:
        for frame in log.frames:
            if frame.page > 0 and (frame.is_whole or frame.page <= pages):
                target.seek((frame.page - 1) * log.page_size)
                target.write(frame.content)
        if log.frames and log.frames[-1].is_whole:
            target.truncate(log.frames[-1].commits * log.page_size)


def _is_readable(file: Path) -> bool:
    """Tell whether the first page tells where the tables are."""
    with closing(connect(str(file))) as database, suppress(sqlite3.Error):
        database.execute("PRAGMA writable_schema = ON")
        found = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {name for (name,) in found} >= set(COLUMNS)
    return False


def _replace_first_page(file: Path) -> None:
    """Give the file the first page of a new one: the tables of every state begin at the same pages."""
    data = bytearray(file.read_bytes())
    size = int.from_bytes(data[_HEADER_SIZE_AT : _HEADER_SIZE_AT + 2], "big")
    size = size if size in (512, 1024, 2048, 8192, 16384, 32768) and len(data) % size == 0 else _USUAL_SIZE
    fresh = file.with_name("fresh.sqlite")
    with closing(connect(str(fresh))) as database:
        database.execute(f"PRAGMA page_size = {size}")
        create(database)
    first = bytearray(fresh.read_bytes()[:size])
    _PAGES.pack_into(first, _PAGES_AT, -(-len(data) // size))
    first[_VALID_FOR_AT : _VALID_FOR_AT + 4] = first[_CHANGES_AT : _CHANGES_AT + 4]
    first[_FREE_AT : _FREE_AT + 8] = bytes(8)
    data[:size] = first
    data += bytes(-len(data) % size)
    for end in ("-wal", "-journal"):
        file.with_name(f"{file.name}{end}").unlink(missing_ok=True)
    file.write_bytes(data)


def _names_in_index(database: sqlite3.Connection) -> dict[Any, tuple[Any, Any]]:
    """Return the kind and the key of each resource by its place, from the index that the table has of them."""
    names: dict[Any, tuple[Any, Any]] = {}
    for order in ("", " DESC"):  # from either end, up to a page that cannot be read
        with suppress(sqlite3.Error):
            for kind, key, place in database.execute(
                f"SELECT kind, key, rowid FROM resources INDEXED BY {_INDEX} "  # noqa: S608
                f"ORDER BY kind{order}, key{order}"
            ):
                names[place] = (kind, key)
    return names


@dataclass(slots=True)
class _TableReader:
    """Reads one table. ``names``: of its rows, by their places, as an index has them."""

    database: sqlite3.Connection
    name: str
    names: dict[Any, tuple[Any, Any]]

    def rows(self) -> Iterator[StoredRow]:
        """Give every row that can be read: behind a place that cannot, one place at a time."""
        try:
            select = selection(self.database, self.name)
        except sqlite3.Error:
            return
        place, highest, tries = 0, self._highest(), _TRIES
        while tries > 0:
            with suppress(sqlite3.Error):
                for row in selected(self.database, self.name, f"{select} WHERE rowid > ? ORDER BY rowid", (place,)):
                    if row.place <= place:  # a page that says of itself what is not so
                        break
                    place = row.place
                    yield row
                else:
                    return
            for place in range(place + 1, min(place + tries, highest) + 1):  # noqa: B020
                tries -= 1
                row = self._at(select, place)
                if row is not None:
                    yield row
                    break
            else:
                return

    def _at(self, select: str, place: int) -> StoredRow | None:
        with suppress(sqlite3.Error):
            return next(selected(self.database, self.name, f"{select} WHERE rowid = ?", (place,)), None)
        return None

    def _highest(self) -> int:
        """Return the highest place, as far as anything says it."""
        found = [0, *(place for place in self.names if isinstance(place, int))]
        for statement in (
            f"SELECT max(rowid) FROM {self.name}",  # noqa: S608 - of names that stand here
            f"SELECT seq FROM sqlite_sequence WHERE name = '{self.name}'",  # noqa: S608
        ):
            with suppress(sqlite3.Error):
                found += [row[0] for row in self.database.execute(statement) if isinstance(row[0], int)]
        return max(found)


def _of_table(reader: _TableReader, table: Table, found: SalvagedState) -> None:
    saved: set[Any] = set()
    lost: dict[Any, Damage] = {}
    for row in reader.rows():
        named = row.place if reader.name == "log_lines" else row.values[:-1]
        try:
            read(row, table)
        except DamagedRow as error:
            lost[row.place] = error.damage
            continue
        if named not in saved and row.place not in saved:
            saved |= {named, row.place}
            found.rows[reader.name].append(row)
    for place, (kind, key) in reader.names.items():
        if (kind, key) in saved:
            lost.pop(place, None)
        else:
            lost[place] = lost_resource(kind, key, NOT_AS_WRITTEN if place in lost else "its page cannot be read")
    found.lost += lost.values()
