"""Carries log lines over restarts: collected for a moment, then written to the state file together."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3

from clarifai_emulator.logbook import LogBook, LogLine
from clarifai_emulator.state.state_file import StateFile

log = logging.getLogger(__name__)

_COLLECT_SECONDS = 0.2


class KeptLogs:
    """The log lines of one emulator, in its state file."""

    def __init__(self, file: StateFile, logbook: LogBook) -> None:
        self._file = file
        self._logbook = logbook
        self._lines: list[tuple[str, str, str]] = []
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Put the kept lines into the log book, and keep those that come. Raises ``ConfigError``."""
        for log_type, source, message in self._file.lines():
            self._logbook.append(log_type, message, **source)
        self._logbook.subscribe(self._note)

    def write(self) -> None:
        """Write what was collected."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        lines, self._lines = self._lines, []
        if lines:
            try:
                self._file.keep_lines(lines)
            except sqlite3.Error as error:
                log.warning("%d log lines could not be kept: %s", len(lines), error)

    def _note(self, line: LogLine) -> None:
        known = {"deployment_id": line.deployment_id, "replica_id": line.replica_id, "origin": line.origin}
        source = {
            **line.ids,
            **{name: value for name, value in known.items() if value},
            "time": round(line.time, 3),
        }
        self._lines.append((line.log_type, json.dumps(source), line.message))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_COLLECT_SECONDS, self.write)
