"""Describes the SQLite file of a state: its tables, its format, and the checksum that each row carries.

SQLite notices a page that makes no sense, and not a byte that has changed in a text: the checksums do.
"""

from __future__ import annotations

import sqlite3
import zlib
from typing import Any

FILE = "state.sqlite"
# A repaired file that has not taken the place of the damaged one yet.
REPAIRED = f"{FILE}.repaired"
FORMAT = 2
APPLICATION_ID = 0x436C6172  # tells this kind of file from every other SQLite file
BETWEEN_IDS = "\x1f"
# In this order: the root page of each table follows from it, also where the first page is lost.
_TABLES = """
CREATE TABLE resources (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    content BLOB NOT NULL,
    checksum INTEGER,
    UNIQUE (kind, key)
);
CREATE TABLE log_lines (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    log_type TEXT NOT NULL,
    source TEXT NOT NULL,
    message TEXT NOT NULL,
    checksum INTEGER
);
CREATE TABLE notes (name TEXT PRIMARY KEY, content TEXT NOT NULL, checksum INTEGER);
"""
# The columns that a row's checksum is about.
COLUMNS = {
    "resources": ("kind", "key", "content"),
    "log_lines": ("log_type", "source", "message"),
    "notes": ("name", "content"),
}


def checksum_of(table: str, *values: Any) -> int:
    """Return the checksum of a row. A value of a type that no row has counts as its text."""
    digest = zlib.crc32(table.encode())
    for value in values:
        data = value if isinstance(value, bytes) else str(value).encode(errors="surrogateescape")
        digest = zlib.crc32(data, zlib.crc32(len(data).to_bytes(8, "big"), digest))
    return digest


def connect(path: str, *, timeout: float = 5.0) -> sqlite3.Connection:
    """Open a file as states are read: texts that are damaged are no errors of the connection."""
    database = sqlite3.connect(path, isolation_level=None, timeout=timeout)
    database.text_factory = _text
    database.create_function("checksum_of", -1, checksum_of, deterministic=True)
    return database


def _text(data: bytes) -> str:
    return data.decode(errors="surrogateescape")


def create(database: sqlite3.Connection) -> None:
    """Make the tables of an empty file."""
    for statement in _TABLES.split(";"):
        database.execute(statement)
    database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    database.execute(f"PRAGMA user_version = {FORMAT}")


def upgrade(database: sqlite3.Connection) -> None:
    """Bring a file of format 1 to this one: its rows had no checksums, and it may have no notes."""
    database.execute("CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, content TEXT NOT NULL)")
    for table, columns in COLUMNS.items():
        database.execute(f"ALTER TABLE {table} ADD COLUMN checksum INTEGER")
        database.execute(f"UPDATE {table} SET checksum = checksum_of('{table}', {', '.join(columns)})")  # noqa: S608
    database.execute(f"PRAGMA user_version = {FORMAT}")


def pragma(database: sqlite3.Connection, name: str) -> int:
    """Return a number that a file has in its first page."""
    return database.execute(f"PRAGMA {name}").fetchone()[0]


def is_damage(error: sqlite3.Error) -> bool:
    """Tell whether an error of SQLite is about what a file holds, not about the disk or its permissions."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError)
    return code & 0xFF in _DAMAGE or code == sqlite3.SQLITE_IOERR_SHORT_READ


_DAMAGE = (
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_TOOBIG,
    sqlite3.SQLITE_MISMATCH,
)
