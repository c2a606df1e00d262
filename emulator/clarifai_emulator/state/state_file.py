"""Keeps the store in a SQLite file: what a request changed is on disk before the request is answered.

    store changes ─► the keys that changed ─► commit(): one transaction ─► the answer

The chain commits before each answer, the controls before theirs; what changes in between is committed in the next
turn of the event loop. The write-ahead log survives the end of the process at any moment, kill -9 included, and of
the machine, since each commit is synced; without ``is_synced`` a crash of the machine may lose the last moments.

What cannot be written, because the disk is full, is undone in the store, and its request is refused: others are
answered as before. So is one that waits for something between its change and its answer (``asking``). What changed
without a request is kept, and tried again until it is written.
"""

from __future__ import annotations

import asyncio
import logging
import shlex
import sqlite3
import time
from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.errors import CallerError, ConfigError
from clarifai_emulator.state.asking import asking
from clarifai_emulator.state.records import BadRecord, Table, from_bytes, is_kept, kept, to_bytes
from clarifai_emulator.state.state_check import (
    damaged_state,
    file_damages,
    has_our_tables,
    is_format_damaged,
    is_marked,
    no_state,
    other_format,
    refusal,
    require_whole,
)
from clarifai_emulator.state.state_schema import (
    BETWEEN_IDS,
    FILE,
    FORMAT,
    checksum_of,
    connect,
    create,
    is_damage,
    pragma,
    upgrade,
)
from clarifai_emulator.state.stored_rows import DamagedRow, line_of, note_of, resource_of, rows
from clarifai_emulator.store import Key, Kind, Store

log = logging.getLogger(__name__)

_RETRY_SECONDS = 1.0
_LINES_BETWEEN_REMOVALS = 1000


@dataclass(frozen=True, slots=True)
class LogLimits:
    """Bounds the log lines that are kept: their number, their characters together, and their age in seconds."""

    lines: int = 50_000
    bytes: int = 64 * 1024 * 1024
    seconds: float = 30 * 24 * 3600.0


class StateFile:
    """Keeps the state of one emulator in ``directory``, each kind as its row in ``table`` says.

    Used from the emulator's event loop only.
    """

    def __init__(
        self,
        directory: Path,
        store: Store,
        table: Table,
        *,
        is_synced: bool = True,
        log_limits: LogLimits | None = None,
    ) -> None:
        self._directory = directory
        self._is_synced = is_synced
        self._log_limits = log_limits or LogLimits()
        self._store = store
        self._table = table
        self._changed: dict[tuple[Kind, Key], object | None] = {}
        # Could not be written yet, with the request that changed it. Until that is answered, it may be refused.
        self._owed: dict[tuple[Kind, Key], object | None] = {}
        self._undoing: tuple[Kind, Key] | None = None
        self._scheduled = False
        self._retry: asyncio.TimerHandle | None = None
        self._lines_kept = 0
        self._database: sqlite3.Connection | None = None

    def open(self) -> int:
        """Take the directory, and put what it holds into the store; how many resources these are. Raises
        ``ConfigError`` for a directory that is in use, and for a file of another kind or format."""
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            for damage in file_damages(self._directory):
                raise DamagedRow(damage)
            path = self._directory / FILE
            path.touch(mode=0o600)
            self._database = database = connect(str(path), timeout=1.0)
            database.execute("PRAGMA locking_mode = EXCLUSIVE")
            database.execute("PRAGMA journal_mode = WAL")
            database.execute(f"PRAGMA synchronous = {'FULL' if self._is_synced else 'NORMAL'}")
            database.execute("BEGIN IMMEDIATE")
            self._require_format(database)
            database.execute("COMMIT")
            require_whole(database)
            count = self._load(database)
            for row in rows(database, "notes"):
                note_of(row)
        except (OSError, sqlite3.Error, DamagedRow, ConfigError) as error:
            self.close()
            raise refusal(self._directory, error) from None
        self._store.watch(self._note)
        return count

    def commit(self) -> None:
        """Write what has changed since the last time, in one transaction. Raises ``CallerError`` where that cannot
        be, and has undone it."""
        if self._database is None or not (self._changed or self._owed):
            return
        changed, self._changed = self._changed, {}
        call = asking.get()
        mine = [each for each, asker in self._owed.items() if asker is call is not None]  # it has waited meanwhile
        if not (changed or mine):
            return
        try:
            self._write_all(self._database, {**self._owed, **changed})
        except sqlite3.Error as error:
            for each in mine:
                del self._owed[each]
            self._undo(self._database, dict.fromkeys((*mine, *changed)))
            raise _not_kept(self._directory, error) from None
        self._owed.clear()

    def _write_all(self, database: sqlite3.Connection, changed: Iterable[tuple[Kind, Key]]) -> None:
        with _transaction(database):
            for kind, key in changed:
                self._write(database, kind, key)

    def _undo(self, database: sqlite3.Connection, changed: Iterable[tuple[Kind, Key]]) -> None:
        """Put back into the store what the file has of these, unless something newer is still to be written."""
        for kind, key in reversed([each for each in changed if each not in self._owed]):
            try:
                before = self._read(database, kind, key)
            except (sqlite3.Error, BadRecord):  # what there was cannot be read any more
                continue
            self._undoing = (kind, key)
            try:
                if before is not None:
                    self._store.put(kind, key, before)
                elif is_kept(self._store, self._table, kind, key):
                    self._store.delete(kind, key)
            finally:
                self._undoing = None

    def _read(self, database: sqlite3.Connection, kind: Kind, key: Key) -> Any:
        asked = (kind, BETWEEN_IDS.join(key))
        found = database.execute("SELECT content FROM resources WHERE kind = ? AND key = ?", asked).fetchone()
        return from_bytes(self._table.get(kind), found[0]) if found is not None else None

    def note(self, name: str, content: str) -> None:
        """Keep a text that is no resource, in place of what was kept under this name. Raises ``sqlite3.Error``."""
        if self._database is not None:
            with _transaction(self._database) as database:
                values = (name, content, checksum_of("notes", name, content))
                database.execute("INSERT OR REPLACE INTO notes (name, content, checksum) VALUES (?, ?, ?)", values)

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
        self._owed.clear()
        with _transaction(self._database) as database:
            database.execute("DELETE FROM resources")
            database.execute("DELETE FROM log_lines")
            database.execute("DELETE FROM notes")
            for kind, key, _ in kept(self._store, self._table):
                self._write(database, kind, key)
        self._changed.clear()

    def close(self) -> None:
        """Write what is left, and let the directory go. May be called twice."""
        if self._retry is not None:
            self._retry.cancel()
        if self._database is not None:
            self._commit_soon()
            self._database.close()
            self._database = None

    def keep_lines(self, lines: list[tuple[str, str, str]]) -> None:
        """Add log lines (log type, source, message), and remove those that are too many, too long or too old from
        time to time. Raises ``sqlite3.Error``."""
        if self._database is not None:
            with _transaction(self._database) as database:
                database.executemany(
                    "INSERT INTO log_lines (log_type, source, message, checksum) VALUES (?, ?, ?, ?)",
                    ((*line, checksum_of("log_lines", *line)) for line in lines),
                )
            self._lines_kept += len(lines)
            if self._lines_kept >= _LINES_BETWEEN_REMOVALS:
                self._lines_kept = 0
                _remove_lines(self._database, self._log_limits)

    def lines(self) -> list[tuple[str, dict[str, Any], str]]:
        """Return the log lines that are kept (log type, source, message), oldest first. Raises ``ConfigError`` for
        one that is damaged."""
        if self._database is None:
            return []
        try:
            found = [(row.place, line_of(row)) for row in rows(self._database, "log_lines")]
            _remove_lines(self._database, self._log_limits)
            first = self._database.execute("SELECT min(place) FROM log_lines").fetchone()[0]
        except (sqlite3.Error, DamagedRow) as error:
            raise refusal(self._directory, error) from None
        return [line for place, line in found if first is not None and place >= first]

    def _note(self, kind: Kind, key: Key) -> None:
        if self._undoing == (kind, key):
            return
        call = asking.get()
        is_others = self._owed.get((kind, key), call) is not call  # then it is to be kept, whatever becomes of this
        self._changed[kind, key] = None if is_others else call
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._commit_soon)

    def _commit_soon(self) -> None:
        """Write what changed without a request; what cannot be written now is tried again."""
        self._scheduled = False
        was_owed = bool(self._owed)
        self._owed |= self._changed
        self._changed = {}
        if not self._owed or self._database is None:
            return
        try:
            self._write_all(self._database, self._owed)
        except sqlite3.Error as error:
            if not was_owed:
                log.error(
                    "What has changed could not be written to %s: %s. It is tried again until it is written; make "
                    "room on that disk.",
                    self._directory,
                    error,
                )
            if self._retry is not None:
                self._retry.cancel()
            self._retry = asyncio.get_running_loop().call_later(_RETRY_SECONDS, self._commit_soon)
            return
        self._owed.clear()
        if was_owed:
            log.warning("What has changed is written to %s again.", self._directory)

    def _write(self, database: sqlite3.Connection, kind: Kind, key: Key) -> None:
        item = self._store.get(kind, key)
        name = BETWEEN_IDS.join(key)
        if item is None or not is_kept(self._store, self._table, kind, key):
            database.execute("DELETE FROM resources WHERE kind = ? AND key = ?", (kind, name))
        else:
            content = to_bytes(item)
            database.execute(
                "INSERT INTO resources (kind, key, content, checksum) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (kind, key) DO UPDATE SET content = excluded.content, checksum = excluded.checksum",
                (kind, name, content, checksum_of("resources", kind, name, content)),
            )

    def _load(self, database: sqlite3.Connection) -> int:
        count = 0
        unknown = Counter[str]()
        for row in rows(database, "resources"):
            kind, key, item = resource_of(row, self._table)
            if kind not in self._table:
                unknown[kind] += 1
                self._store.add_kind(kind)
            self._store.put(kind, key, item)
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
        """Make the tables of a new file, and bring one of an earlier format to this one."""
        is_ours, found = is_marked(database), pragma(database, "user_version")
        if not is_ours and not found and not database.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
            create(database)
        elif not is_ours:
            if has_our_tables(database):
                raise damaged_state(self._directory, f"{FILE} is no longer marked as a state's")
            raise no_state(self._directory / FILE)
        elif is_format_damaged(found):
            raise damaged_state(self._directory, f"the number of its format is damaged: {found}")
        elif found == 1:
            upgrade(database)
        elif found != FORMAT:
            raise other_format(self._directory / FILE, found)


def _order_by_change(store: Store, kind: Kind) -> None:
    """Bring what the file has in the order of making into that of the last change."""
    items: list[tuple[Key, Any]] = [(key, store.get(kind, key)) for key in reversed(list(store.keys(kind)))]
    for key, item in sorted(items, key=lambda each: each[1].modified_at.ToNanoseconds()):
        store.put(kind, key, item, to_front=True)


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


def _remove_lines(database: sqlite3.Connection, limits: LogLimits) -> None:
    oldest = time.time() - limits.seconds
    database.execute(
        "DELETE FROM log_lines WHERE place <= (SELECT max(place) FROM log_lines) - ? "
        "OR json_extract(source, '$.time') < ?",
        (limits.lines, oldest),
    )
    database.execute(
        "DELETE FROM log_lines WHERE place <= (SELECT max(place) FROM (SELECT place, "
        "sum(length(message) + length(source)) OVER (ORDER BY place DESC) AS size FROM log_lines) WHERE size > ?)",
        (limits.bytes,),
    )


def _not_kept(directory: Path, error: sqlite3.Error) -> CallerError:
    hint = "Make room on that disk, and send it again."
    if is_damage(error):
        named = shlex.quote(str(directory))
        hint = f"The files are damaged: stop the emulator, and run `clarifai-emulator state repair {named}`."
    return CallerError(
        StatusCode.INTERNAL_DATABASE_ISSUE,
        f"What this request changes could not be written to {directory}: {error}. Nothing was changed.",
        hint=hint,
        row="requests.not-written",
    )
