"""Looks for damage in a state directory: what ``up --state`` refuses to start with, and ``state check`` lists.

the files ─► the write-ahead log ─► SQLite's own check ─► the tables ─► each row, by its checksum and its content
"""

from __future__ import annotations

import shlex
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clarifai_emulator.errors import ConfigError
from clarifai_emulator.state.records import Table
from clarifai_emulator.state.state_lock import held
from clarifai_emulator.state.state_schema import (
    APPLICATION_ID,
    COLUMNS,
    FILE,
    FORMAT,
    REPAIRED,
    connect,
    is_damage,
    pragma,
)
from clarifai_emulator.state.stored_rows import (
    Damage,
    DamagedRow,
    read,
    rows,
)
from clarifai_emulator.state.write_ahead_log import read_write_ahead_log

# Beside the file, with what belongs to its resources.
FOLDERS = ("uploaded-versions", "artifacts", "sent-directories")
_MOST_OF_INTEGRITY = 20
_HIGHEST_FORMAT = 1000  # a number above it is none that a release had


@dataclass(frozen=True, slots=True)
class StateReport:
    """Holds what a state directory has, and what of it is damaged."""

    directory: Path
    damages: tuple[Damage, ...] = ()
    counts: dict[str, int] = field(default_factory=dict[str, int])


def check_state(directory: Path, table: Table) -> StateReport:
    """Read everything in a state directory and change nothing. Raises ``ConfigError`` where there is no state,
    where an emulator holds it, and where it is another release's."""
    require_state(directory)
    with held(directory):
        return examine(directory, table)


def examine(directory: Path, table: Table) -> StateReport:
    """Read everything in a state directory that is held. SQLite gets a copy: it would write to the file."""
    damages = list(file_damages(directory))
    counts: dict[str, int] = {}
    with tempfile.TemporaryDirectory(prefix="clarifai-emulator-state-") as folder:
        copies = copy_files(directory, Path(folder))
        if not copies or not copies[0].stat().st_size:
            return StateReport(directory, tuple(damages), counts)
        database = connect(str(copies[0]))
        try:
            damages += _of_database(database, directory, table, counts)
        except sqlite3.Error as error:
            if not is_damage(error):
                raise unusable(directory, error) from None
            damages.append(Damage("file", _said(error)))
        finally:
            database.close()
    return StateReport(directory, tuple(dict.fromkeys(damages)), counts)


def copy_files(directory: Path, target: Path) -> list[Path]:
    """Copy the file of a state and what SQLite keeps beside it, the file first. Raises ``ConfigError``."""
    copies: list[Path] = []
    try:
        for name in (FILE, f"{FILE}-wal", f"{FILE}-journal"):
            if (directory / name).is_file():
                copies.append(Path(shutil.copyfile(directory / name, target / name)))
    except OSError as error:
        raise unusable(directory, error) from None
    return copies


def file_damages(directory: Path) -> Iterator[Damage]:
    """Give what is wrong with the files of a state, before SQLite sees them: it removes a write-ahead log that it
    cannot use. Raises ``ConfigError``."""
    path, log = directory / FILE, directory / f"{FILE}-wal"
    try:
        if path.is_dir():
            yield Damage("file", f"{FILE} is a directory")
            return
        if (directory / REPAIRED).exists():
            yield Damage("file", "a repair was broken off before it was done")
        if not path.exists() or not path.stat().st_size:
            what = f"{FILE} is {'empty' if path.exists() else 'missing'}"
            if log.is_file() and log.stat().st_size:
                yield Damage("file", f"{what}, and its write-ahead log {log.name} is not")
            elif belongings := [name for name in FOLDERS if _has_entries(directory / name)]:
                yield Damage("file", f"{what}, and there are files of its resources in {', '.join(belongings)}")
            return
        damaged = read_write_ahead_log(log).damaged
    except OSError as error:
        raise unusable(directory, error) from None
    if damaged:
        yield Damage("file", f"{damaged} of the pages in the write-ahead log {log.name} are damaged")


def require_whole(database: sqlite3.Connection) -> None:
    """Raise ``DamagedRow`` unless the tables are there, and fit together. Raises ``sqlite3.Error`` too."""
    for damage in _of_tables(database):
        raise DamagedRow(damage)
    for damage in _of_pages(database, most=1):
        raise DamagedRow(damage)


def is_marked(database: sqlite3.Connection) -> bool:
    """Tell whether a file is marked as a state's."""
    return pragma(database, "application_id") == APPLICATION_ID


def has_our_tables(database: sqlite3.Connection) -> bool:
    """Tell whether a file has the tables of a state, whatever it is marked as."""
    found = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    return {"resources", "log_lines"} <= found


def is_format_damaged(number: int) -> bool:
    """Tell whether the number of a format cannot be a release's."""
    return not 0 <= number <= _HIGHEST_FORMAT


def require_state(directory: Path) -> None:
    """Raise ``ConfigError`` unless there is a state."""
    if not directory.is_dir():
        problem = "is no directory" if directory.exists() else "does not exist"
        raise ConfigError(f"{directory} {problem}.", [], hint=_WHICH)
    names = (FILE, f"{FILE}-wal", REPAIRED)
    if not any((directory / name).exists() for name in (*names, *FOLDERS)):
        raise ConfigError(f"There is no state of an emulator in {directory}.", [], hint=_WHICH)


def other_format(file: Path, found: int) -> ConfigError:
    """Say that another release wrote the file."""
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


def no_state(file: Path) -> ConfigError:
    """Say that the file is another program's."""
    return ConfigError(f"{file} is no state of an emulator.", [], hint="Name another directory with --state.")


def damaged_state(directory: Path, what: str) -> ConfigError:
    """Say that a state is damaged, and what to do."""
    return ConfigError(f"The state in {directory} is damaged: {what}.", [], hint=way_out(directory))


def way_out(directory: Path) -> str:
    """Return what to do about a damaged state."""
    return (
        f"`clarifai-emulator state check {shlex.quote(str(directory))}` lists what is damaged; "
        f"{repair_command(directory)}"
    )


def repair_command(directory: Path) -> str:
    """Return the command that repairs a state, with what it does."""
    named = shlex.quote(str(directory))
    return f"`clarifai-emulator state repair {named}` keeps a copy of it and saves what can be read."


def refusal(directory: Path, error: Exception) -> ConfigError:
    """Say why a start with this state is refused, by what opening or reading it raised."""
    if isinstance(error, ConfigError):
        return error
    if isinstance(error, DamagedRow) or (isinstance(error, sqlite3.Error) and is_damage(error)):
        return damaged_state(directory, _said(error))
    return unusable(directory, error)


def _said(error: Exception) -> str:
    if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_NOTADB:
        return f"{FILE} is no database, or its beginning is damaged"
    return f"{FILE} cannot be read: {error}" if isinstance(error, sqlite3.Error) else str(error)


def unusable(directory: Path, error: Exception) -> ConfigError:
    """Say why a state cannot be used: because of the disk, of its permissions, of who else has it."""
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


_WHICH = "Name the directory that `clarifai-emulator up --state` was given."


def _has_entries(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())


def _of_database(
    database: sqlite3.Connection, directory: Path, table: Table, counts: dict[str, int]
) -> Iterator[Damage]:
    found = pragma(database, "user_version")
    if not is_marked(database):
        if not has_our_tables(database):
            raise no_state(directory / FILE)
        yield Damage("file", f"{FILE} is no longer marked as a state's")
    elif is_format_damaged(found):
        yield Damage("file", f"the number of its format is damaged: {found}")
    elif found not in (1, FORMAT):
        raise other_format(directory / FILE, found)
    yield from _of_pages(database, most=_MOST_OF_INTEGRITY)
    for name in COLUMNS:
        if what := _of_columns(database, name, found):
            yield Damage("table", what)
        elif _columns(database, name):
            yield from _of_rows(database, name, table, counts)


def _of_pages(database: sqlite3.Connection, *, most: int) -> Iterator[Damage]:
    try:
        for (text,) in database.execute(f"PRAGMA integrity_check({most})"):
            if text != "ok":
                yield Damage("file", f"{FILE} is broken inside: {' '.join(text.split())}")
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        yield Damage("file", f"{FILE} is broken inside: {error}")


def _of_tables(database: sqlite3.Connection) -> Iterator[Damage]:
    for name in COLUMNS:
        if what := _of_columns(database, name, FORMAT):
            yield Damage("table", what)


def _of_columns(database: sqlite3.Connection, name: str, number: int) -> str:
    """Say what a table of a format lacks; nothing where it has all of its columns."""
    found = _columns(database, name)
    if not found:
        return "" if name == "notes" and number < FORMAT else f"the table `{name}` is missing"
    wanted = (*COLUMNS[name], "checksum") if number >= FORMAT else COLUMNS[name]
    lacking = [each for each in wanted if each not in found]
    return f"the table `{name}` has no column `{lacking[0]}`" if lacking else ""


def _columns(database: sqlite3.Connection, name: str) -> set[str]:
    return {row[1] for row in database.execute(f"PRAGMA table_info({name})")}


def _of_rows(database: sqlite3.Connection, name: str, table: Table, counts: dict[str, int]) -> Iterator[Damage]:
    counts[name] = 0
    try:
        for row in rows(database, name):
            counts[name] += 1
            try:
                read(row, table)
            except DamagedRow as error:
                yield error.damage
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        yield Damage("table", f"the table `{name}` cannot be read to its end: {error}")
