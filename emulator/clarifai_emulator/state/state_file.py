"""Keeps the store in a SQLite file: what a request changed is on disk before the request is answered.

    store changes ─► the keys that changed ─► commit(): one transaction ─► the answer

The chain commits before each answer, the controls before theirs; what changes in between is committed in the next
turn of the event loop. The write-ahead log survives the end of the process at any moment, kill -9 included; only a
crash of the machine itself may lose the last moments.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clarifai_emulator.errors import ConfigError
from clarifai_emulator.state.records import BadRecord, Table, from_bytes, is_kept, kept, to_bytes
from clarifai_emulator.store import Key, Kind, Store

log = logging.getLogger(__name__)

FORMAT = 1
FILE = "state.sqlite"
_APPLICATION_ID = 0x436C6172  # tells this kind of file from every other SQLite file
_SCHEMA = """
CREATE TABLE resources (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    content BLOB NOT NULL,
    UNIQUE (kind, key)
);
CREATE TABLE log_lines (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    log_type TEXT NOT NULL,
    source TEXT NOT NULL,
    message TEXT NOT NULL
);
"""
# Came later: added to a file of the same format that has none; a release that does not know it passes it over.
_NOTES = "CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, content TEXT NOT NULL)"
_BETWEEN_IDS = "\x1f"


class StateFile:
    """Keeps the state of one emulator in ``directory``, each kind as its row in ``table`` says.

    Used from the emulator's event loop only.
    """

    def __init__(self, directory: Path, store: Store, table: Table) -> None:
        self._directory = directory
        self._store = store
        self._table = table
        self._changed: dict[tuple[Kind, Key], None] = {}
        self._scheduled = False
        self._database: sqlite3.Connection | None = None

    def open(self) -> int:
        """Take the directory, and put what it holds into the store; how many resources these are. Raises
        ``ConfigError`` for a directory that is in use, and for a file of another kind or format."""
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = self._directory / FILE
            path.touch(mode=0o600)
            self._database = database = sqlite3.connect(path, isolation_level=None, timeout=1.0)
            database.execute("PRAGMA locking_mode = EXCLUSIVE")
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            database.execute("BEGIN IMMEDIATE")
            self._require_format(database)
            database.execute(_NOTES)
            database.execute("COMMIT")
            count = self._load(database)
        except (OSError, sqlite3.Error, BadRecord) as error:
            self.close()
            raise _cannot_use(self._directory, error) from None
        except ConfigError:
            self.close()
            raise
        self._store.watch(self._note)
        return count

    def commit(self) -> None:
        """Write what has changed since the last time, in one transaction. Raises ``sqlite3.Error``; what was not
        written is tried again with the next commit."""
        if not self._changed or self._database is None:
            return
        with _transaction(self._database) as database:
            for kind, key in self._changed:
                self._write(database, kind, key)
        self._changed.clear()

    def note(self, name: str, content: str) -> None:
        """Keep a text that is no resource, in place of what was kept under this name. Raises ``sqlite3.Error``."""
        if self._database is not None:
            with _transaction(self._database) as database:
                database.execute("INSERT OR REPLACE INTO notes (name, content) VALUES (?, ?)", (name, content))

    def noted(self, name: str) -> str | None:
        """Return what is kept under this name."""
        if self._database is None:
            return None
        found = self._database.execute("SELECT content FROM notes WHERE name = ?", (name,)).fetchone()
        return found[0] if found is not None else None

    def replace(self) -> None:
        """Write the whole store, in one transaction, over what was there: after a reset."""
        if self._database is None:
            return
        with _transaction(self._database) as database:
            database.execute("DELETE FROM resources")
            database.execute("DELETE FROM log_lines")
            database.execute("DELETE FROM notes")
            for kind, key, _ in kept(self._store, self._table):
                self._write(database, kind, key)
        self._changed.clear()

    def close(self) -> None:
        """Write what is left, and let the directory go. May be called twice."""
        if self._database is not None:
            try:
                self.commit()
            finally:
                self._database.close()
                self._database = None

    def keep_lines(self, lines: list[tuple[str, str, str]]) -> None:
        """Add log lines (log type, source, message). Raises ``sqlite3.Error``."""
        if self._database is not None:
            with _transaction(self._database) as database:
                database.executemany("INSERT INTO log_lines (log_type, source, message) VALUES (?, ?, ?)", lines)

    def lines(self, most: int) -> Iterator[tuple[str, str, str]]:
        """The newest log lines, oldest first; older ones are removed."""
        if self._database is None:
            return
        newest = "SELECT max(place) FROM log_lines"
        self._database.execute(f"DELETE FROM log_lines WHERE place <= ({newest}) - ?", (most,))  # noqa: S608
        yield from self._database.execute("SELECT log_type, source, message FROM log_lines ORDER BY place")

    def _note(self, kind: Kind, key: Key) -> None:
        self._changed[kind, key] = None
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._commit_soon)

    def _commit_soon(self) -> None:
        self._scheduled = False
        try:
            self.commit()
        except sqlite3.Error as error:
            log.error("what has changed could not be written to %s: %s", self._directory, error)

    def _write(self, database: sqlite3.Connection, kind: Kind, key: Key) -> None:
        item = self._store.get(kind, key)
        name = _BETWEEN_IDS.join(key)
        if item is None or not is_kept(self._store, self._table, kind, key):
            database.execute("DELETE FROM resources WHERE kind = ? AND key = ?", (kind, name))
        else:
            database.execute(
                "INSERT INTO resources (kind, key, content) VALUES (?, ?, ?) "
                "ON CONFLICT (kind, key) DO UPDATE SET content = excluded.content",
                (kind, name, to_bytes(item)),
            )

    def _load(self, database: sqlite3.Connection) -> int:
        count = 0
        unknown = Counter[str]()
        for name, key, content in database.execute("SELECT kind, key, content FROM resources ORDER BY place"):
            row = self._table.get(Kind(name))
            kind = row.kind if row is not None else Kind(name)
            if row is None:
                unknown[name] += 1
                self._store.add_kind(kind)
            self._store.put(kind, tuple(key.split(_BETWEEN_IDS)), from_bytes(row, content))
            count += 1
        for row in self._table.values():
            if row.listed_by_change:
                _order_by_change(self._store, row.kind)
        if unknown:
            names = ", ".join(f"{name} ({number})" for name, number in sorted(unknown.items()))
            log.warning(
                "The state in %s holds resources of kinds that this version does not know: %s. They are kept as "
                "they are, and not served; the version that wrote them serves them.",
                self._directory,
                names,
            )
        return count

    def _require_format(self, database: sqlite3.Connection) -> None:
        kind = _pragma(database, "application_id")
        found = _pragma(database, "user_version")
        if kind == 0 and found == 0 and not database.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
            for statement in _SCHEMA.split(";"):
                database.execute(statement)
            database.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            database.execute(f"PRAGMA user_version = {FORMAT}")
        elif kind != _APPLICATION_ID:
            raise ConfigError(
                f"{self._directory / FILE} is no state of an emulator.",
                [],
                hint="Name another directory with --state.",
            )
        elif found != FORMAT:
            raise _other_format(self._directory / FILE, found)


def _order_by_change(store: Store, kind: Kind) -> None:
    """Bring what the file has in the order of making into that of the last change."""
    items: list[tuple[Key, Any]] = [(key, store.get(kind, key)) for key in reversed(list(store.keys(kind)))]
    for key, item in sorted(items, key=lambda each: each[1].modified_at.ToNanoseconds()):
        store.put(kind, key, item, to_front=True)


def _pragma(database: sqlite3.Connection, name: str) -> int:
    return database.execute(f"PRAGMA {name}").fetchone()[0]


@contextmanager
def _transaction(database: sqlite3.Connection) -> Generator[sqlite3.Connection]:
    database.execute("BEGIN")
    try:
        yield database
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def _other_format(file: Path, found: int) -> ConfigError:
    newer = found > FORMAT
    age = "a newer" if newer else "an older"
    here = (
        "or name another directory with --state" if newer else "`clarifai-emulator export` there, and `import` here"
    )
    return ConfigError(
        f"{file} has format {found}, of {age} release; this one reads format {FORMAT}.",
        [],
        hint=f"Start that release, {here}.",
    )


def _cannot_use(directory: Path, error: Exception) -> ConfigError:
    if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
        return ConfigError(
            f"The state in {directory} is in use by another emulator.",
            [],
            hint="Stop that one (`clarifai-emulator status` shows it), or name another directory with --state.",
        )
    reason: Any = error.strerror if isinstance(error, OSError) else error
    return ConfigError(
        f"The state in {directory} cannot be used: {reason}.", [], hint="Name another directory with --state."
    )
