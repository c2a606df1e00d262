"""Reads the rows of a state file and tells which of them are damaged, each by what it is."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from clarifai_emulator.state.records import BadRecord, Table, from_bytes
from clarifai_emulator.state.state_schema import BETWEEN_IDS, COLUMNS, checksum_of
from clarifai_emulator.store import Key, Kind

_TYPES = {"resources": (str, str, bytes), "log_lines": (str, str, str), "notes": (str, str)}
_SHOWN = 60
NOT_AS_WRITTEN = "it is not what was written (its checksum differs)"


@dataclass(frozen=True, slots=True)
class Damage:
    """Describes one damaged thing. ``part``: of the state; ``what``: says which one, and what is wrong with it.
    ``kind`` and ``key``: of a resource, as far as they can be read."""

    part: Literal["file", "table", "resource", "log line", "note"]
    what: str
    kind: str = ""
    key: Key = ()


class DamagedRow(Exception):
    """Says that a row is damaged, and how."""

    def __init__(self, damage: Damage) -> None:
        super().__init__(damage.what)
        self.damage = damage


@dataclass(frozen=True, slots=True)
class StoredRow:
    """Holds a row as the file has it. ``values``: of the columns that its checksum is about."""

    table: str
    place: Any
    values: tuple[Any, ...]
    checksum: Any

    @property
    def is_whole(self) -> bool:
        """Tell whether the row is as it was written."""
        types = _TYPES[self.table]
        if not all(isinstance(value, type_) for value, type_ in zip(self.values, types, strict=True)):
            return False
        return self.checksum == checksum_of(self.table, *self.values)


def rows(database: sqlite3.Connection, table: str) -> Iterator[StoredRow]:
    """Give the rows of a table, oldest first. Raises ``sqlite3.Error`` at a page that cannot be read."""
    return selected(database, table, f"{selection(database, table)} ORDER BY rowid")


def selection(database: sqlite3.Connection, table: str) -> str:
    """Return the beginning of a statement that reads rows of a table."""
    columns = ", ".join(COLUMNS[table])
    has_checksums = any(column[1] == "checksum" for column in database.execute(f"PRAGMA table_info({table})"))
    # Those of the format before have none.
    checksum = "checksum" if has_checksums else f"checksum_of('{table}', {columns})"
    return f"SELECT rowid, {columns}, {checksum} FROM {table}"  # noqa: S608 - of names that stand here


def selected(
    database: sqlite3.Connection, table: str, statement: str, arguments: tuple[Any, ...] = ()
) -> Iterator[StoredRow]:
    """Give the rows that a statement with such a beginning reads."""
    for place, *values, checksum in database.execute(statement, arguments):
        yield StoredRow(table, place, tuple(values), checksum)


def read(row: StoredRow, table: Table) -> object:
    """Return what a row holds, of whichever table it is. Raises ``DamagedRow``."""
    if row.table == "resources":
        return resource_of(row, table)
    return line_of(row) if row.table == "log_lines" else note_of(row)


def resource_of(row: StoredRow, table: Table) -> tuple[Kind, Key, Any]:
    """Return the resource that a row holds. Raises ``DamagedRow``."""
    kind, key = _named(row)
    if not row.is_whole:
        raise DamagedRow(_resource_damage(kind, key, NOT_AS_WRITTEN))
    described = table.get(Kind(kind))
    try:
        item = from_bytes(described, row.values[2])
    except BadRecord as error:
        raise DamagedRow(_resource_damage(kind, key, str(error))) from None
    return (described.kind if described is not None else Kind(kind)), key, item


def line_of(row: StoredRow) -> tuple[str, dict[str, Any], str]:
    """Return the log line of a row: its type, its source and its text. Raises ``DamagedRow``."""
    if not row.is_whole:
        raise DamagedRow(Damage("log line", f"log line {row.place}: {NOT_AS_WRITTEN}"))
    log_type, text, message = row.values
    try:
        source = json.loads(text)
        if not isinstance(source, dict):
            raise ValueError("it is no object")
    except ValueError as error:
        raise DamagedRow(Damage("log line", f"the source of log line {row.place} is no JSON: {error}")) from None
    return log_type, source, message  # pyright: ignore[reportUnknownVariableType]


def note_of(row: StoredRow) -> tuple[str, str]:
    """Return the name and the text of a note. Raises ``DamagedRow``."""
    if not row.is_whole:
        name = _shown(row.values[0])
        raise DamagedRow(Damage("note", f"the note {name!r}: {NOT_AS_WRITTEN}"))
    return row.values


def resource_name(kind: str, key: Iterable[str]) -> str:
    """Return a resource as people are told of it: its kind and its ids."""
    return f"{kind} {'/'.join(key)}"


def lost_resource(kind: Any, name: Any, why: str) -> Damage:
    """Describe a resource that cannot be read, as the index names it."""
    return _resource_damage(_shown(kind), tuple(_shown(name).split(BETWEEN_IDS)), why)


def _named(row: StoredRow) -> tuple[str, Key]:
    kind, name = (_shown(each) if not isinstance(each, str) else each for each in row.values[:2])
    return kind, tuple(name.split(BETWEEN_IDS))


def _resource_damage(kind: str, key: Key, why: str) -> Damage:
    shown = tuple(map(_printable, key))
    return Damage("resource", f"{resource_name(_printable(kind), shown)}: {why}", _printable(kind), shown)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)[:_SHOWN]


def _printable(text: str) -> str:
    """Return what of a text a terminal and JSON take, whatever a damaged file has in its place."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
