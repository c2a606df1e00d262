"""What an emulator keeps in its state directory: resources, logs, and the topology that was applied."""

from __future__ import annotations

import logging
from pathlib import Path

from clarifai_emulator.deploy.topology_kept import KeptTopology
from clarifai_emulator.logbook import LogBook
from clarifai_emulator.state.kept_logs import KeptLogs
from clarifai_emulator.state.state_file import StateFile
from clarifai_emulator.store import Store

log = logging.getLogger(__name__)


class KeptState:
    """The state directory of one emulator."""

    def __init__(self, directory: Path, store: Store, logbook: LogBook) -> None:
        self._directory = directory
        self._file = StateFile(directory, store)
        self._logs = KeptLogs(self._file, logbook)
        self.topology = KeptTopology(self._file)

    def open(self) -> int:
        """Put what the directory holds where it belongs, and keep what comes; how many resources there were.
        Raises ``ConfigError``."""
        count = self._file.open()
        self._logs.start()
        if count:
            log.info("%d resources restored from %s", count, self._directory)
        return count

    def commit(self) -> None:
        """Make lasting what has changed. Raises ``sqlite3.Error``."""
        self._file.commit()

    def keep_logs(self) -> None:
        """Make lasting the log lines that have come."""
        self._logs.write()

    def replace(self) -> None:
        """Forget what was kept; keep what there is now."""
        self._file.replace()

    def close(self) -> None:
        """Write what is left. May be called twice."""
        self._logs.write()
        self._file.close()
