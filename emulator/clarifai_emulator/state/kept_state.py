"""Keeps an emulator's resources and logs in its state directory, and notes beside them."""

from __future__ import annotations

import logging
from pathlib import Path

from clarifai_emulator.errors import ConfigError
from clarifai_emulator.logbook import LogBook
from clarifai_emulator.state.kept_logs import KeptLogs
from clarifai_emulator.state.records import Table
from clarifai_emulator.state.state_file import StateFile
from clarifai_emulator.store import Store

log = logging.getLogger(__name__)


class KeptState:
    """The state directory of one emulator."""

    def __init__(
        self, directory: Path, store: Store, table: Table, logbook: LogBook, *, is_synced: bool = True
    ) -> None:
        self._directory = directory
        self._file = StateFile(directory, store, table, is_synced=is_synced)
        self._logs = KeptLogs(self._file, logbook)

    def open(self) -> int:
        """Put what the directory holds where it belongs, and keep what comes; how many resources there were.
        Raises ``ConfigError``."""
        count = self._file.open()
        try:
            self._logs.start()
        except ConfigError:
            self._file.close()
            raise
        if count:
            log.info("%d resources restored from %s", count, self._directory)
        return count

    def commit(self) -> None:
        """Make lasting what has changed. Raises ``CallerError`` where that cannot be, and has undone it."""
        self._file.commit()

    def keep_logs(self) -> None:
        """Make lasting the log lines that have come."""
        self._logs.write()

    def note(self, name: str, content: str) -> None:
        """Keep a text that is no resource, in place of what was kept under this name. Raises ``sqlite3.Error``."""
        self._file.note(name, content)

    def noted(self, name: str) -> str | None:
        """Return what is kept under this name."""
        return self._file.noted(name)

    def replace(self) -> None:
        """Forget what was kept; keep what there is now."""
        self._file.replace()

    def close(self) -> None:
        """Write what is left. May be called twice."""
        self._logs.write()
        self._file.close()
