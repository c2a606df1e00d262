"""Repairs a damaged state: keeps a copy of its files, saves every row that can be read, and says what is lost.

    the files ─► a copy of them, kept ─► what can be read ─► a new file beside ─► takes the damaged one's place

A repair that is broken off changes nothing, or leaves the new file beside the damaged one: the next one begins
again from the copy.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clarifai_emulator.errors import ConfigError
from clarifai_emulator.state.records import Table
from clarifai_emulator.state.salvage import SalvagedState, salvage
from clarifai_emulator.state.state_check import copy_files, examine, require_state
from clarifai_emulator.state.state_lock import held
from clarifai_emulator.state.state_schema import COLUMNS, FILE, REPAIRED, connect, create
from clarifai_emulator.state.stored_rows import Damage, StoredRow

_KEPT = "damaged-%Y%m%d-%H%M%S"


@dataclass(frozen=True, slots=True)
class RepairReport:
    """The outcome of a repair. ``damages``: what was damaged before it; empty where there was nothing to do.
    ``kept_in``: the folder of the damaged files. ``saved``: rows by table. ``lost``: what could not be read."""

    directory: Path
    damages: tuple[Damage, ...] = ()
    kept_in: Path | None = None
    saved: Mapping[str, int] = field(default_factory=dict[str, int])
    lost: tuple[Damage, ...] = ()


def repair_state(directory: Path, table: Table) -> RepairReport:
    """Repair what is damaged in a state directory. Raises ``ConfigError`` where there is no state, where an
    emulator holds it, where it is another release's, and where the disk is full; then the state is as it was."""
    require_state(directory)
    with held(directory):
        before = examine(directory, table)
        if not before.damages:
            return RepairReport(directory, saved=before.counts)
        try:
            kept_in = _keep(directory)
            with tempfile.TemporaryDirectory(prefix="clarifai-emulator-state-") as folder:
                copy_files(kept_in, Path(folder))
                found = salvage(Path(folder), table)
            _write(directory, found)
            _put_in_place(directory, kept_in)
        except OSError as error:
            raise _not_done(directory, error.strerror or str(error)) from None
        except sqlite3.Error as error:
            raise _not_done(directory, str(error)) from None
    saved = {name: len(rows) for name, rows in found.rows.items()}
    return RepairReport(directory, before.damages, kept_in, saved, tuple(found.lost))


def _keep(directory: Path) -> Path:
    """Copy the damaged files into a folder of their own, or find the copy of a repair that was broken off."""
    earlier = sorted(directory.glob("damaged-*"))
    if (directory / REPAIRED).exists() and earlier:
        return earlier[-1]
    folder = directory / time.strftime(_KEPT, time.gmtime())
    number = 1
    while folder.exists():
        number += 1
        folder = directory / f"{time.strftime(_KEPT, time.gmtime())}-{number}"
    folder.mkdir(mode=0o700)
    try:
        for copy in copy_files(directory, folder):
            copy.chmod(0o600)
            _sync(copy)
        _sync(folder)
    except (OSError, ConfigError):
        with suppress(OSError):
            for each in folder.iterdir():
                each.unlink()
            folder.rmdir()
        raise
    return folder


def _write(directory: Path, found: SalvagedState) -> None:
    """Write what was saved into a new file beside the damaged one; it has its name once it is whole."""
    draft = directory / f"{REPAIRED}.part"
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    database = connect(str(draft))
    try:
        database.execute("BEGIN")
        create(database)
        for table, rows in found.rows.items():
            _insert(database, table, rows)
        database.execute("COMMIT")
    finally:
        database.close()
    draft.replace(directory / REPAIRED)
    _sync(directory)


def _insert(database: sqlite3.Connection, table: str, rows: Iterable[StoredRow]) -> None:
    # A note has no place of its own: one is as good as the other.
    columns = ("rowid", *COLUMNS[table], "checksum")
    marks = ", ".join("?" * len(columns))
    values: Iterator[tuple[Any, ...]] = ((row.place, *row.values, row.checksum) for row in rows)
    database.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", values)  # noqa: S608


def _put_in_place(directory: Path, kept_in: Path) -> None:
    """Let the new file take the place of the damaged one. The log of the damaged one would be read into it."""
    path = directory / FILE
    for end in ("-wal", "-shm", "-journal"):
        (directory / f"{FILE}{end}").unlink(missing_ok=True)
    if path.is_dir():
        path.rename(kept_in / FILE)
    _sync(directory)
    (directory / REPAIRED).replace(path)
    _sync(directory)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _not_done(directory: Path, reason: str) -> ConfigError:
    return ConfigError(
        f"The state in {directory} could not be repaired: {reason}. It is as it was.",
        [],
        hint="Make room on that disk, or see that this user may write there, and run it again.",
    )
