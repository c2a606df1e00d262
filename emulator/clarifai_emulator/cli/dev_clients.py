"""Checks client calls and writes stubs again under ``dev``, after each change of a model or a client.

Checks run in the background, one at a time: a reload waits for none of them, and only the last of several changes
counts.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from clarifai_emulator.background_work import begin_thread
from clarifai_emulator.contracts.calls.client_kinds import files_below
from clarifai_emulator.errors import EmulatorError
from clarifai_emulator.reload.file_poller import FileLooks

# Polling every client file costs less than checking one.
_LOOK_SECONDS = 1.0
Show = Callable[[dict[str, Any]], None]


class Clients:
    """Client files that call the models in ``directories``. ``stubs``: the folder of typed clients, if they are
    wanted. Findings are shown as an event ``dev.checked``, problems as ``dev.problem``."""

    def __init__(
        self, directories: Sequence[Path], paths: Sequence[Path], stubs: Path | None, show: Show, cache: Path
    ) -> None:
        self._directories = list(directories)
        self._paths = list(paths)
        self._stubs = stubs
        self._show = show
        self._cache = cache
        self._changed = threading.Event()
        self._stopping = threading.Event()
        self._imported: frozenset[Path] = frozenset()  # modules of their own project that the clients import
        self._is_looking = False
        self._looks = FileLooks(self._files, self._changed.set, self._failed, every=_LOOK_SECONDS)

    def start(self) -> None:
        """Begin with the models as they are now, if there is anything to do."""
        if self._paths or self._stubs is not None:
            begin_thread(self._run, "checks of clients", self._failed)
            self.changed()
        if self._paths:
            self._looks.start()
            self._is_looking = True

    def changed(self) -> None:
        """Note that the methods of a model are others now."""
        self._changed.set()

    def stop(self) -> None:
        """End; a check that goes on is not waited for."""
        self._stopping.set()
        self._changed.set()
        if self._is_looking:
            self._looks.stop()

    def _failed(self, reason: str) -> None:
        self._tell("dev.problem", message=f"Clients are not checked any more: {reason}")

    def _files(self) -> Iterable[Path]:
        return {*files_below(self._paths), *self._imported}

    def _run(self) -> None:
        while True:
            self._changed.wait()
            self._changed.clear()
            if self._stopping.is_set():
                return
            for step in (self._write_stubs, self._check):
                try:
                    step()
                except (EmulatorError, OSError) as error:
                    self._tell("dev.problem", message=f"Clients were not checked: {error}")
                except Exception as error:  # an error of the type checker
                    self._tell("dev.problem", message=f"Clients were not checked: {type(error).__name__}: {error}")

    def _write_stubs(self) -> None:
        if self._stubs is None:
            return
        from clarifai_emulator.contracts.calls.client_check import GivenModel
        from clarifai_emulator.contracts.stubs.stub_files import write_stubs

        written = write_stubs([GivenModel(each) for each in self._directories], self._stubs, cache=self._cache)
        self._tell("dev.note", message=f"Wrote {len(written.files)} stubs to {self._stubs}.")

    def _check(self) -> None:
        if not self._paths:
            return
        from clarifai_emulator.contracts.calls.client_check import GivenModel, check_calls, result_of
        from clarifai_emulator.contracts.reports.judged_report import report_of
        from clarifai_emulator.contracts.rules import RULES
        from clarifai_emulator.contracts.rules.policy import Policy, read_levels
        from clarifai_emulator.contracts.rules.project_settings import project_settings

        found = check_calls(self._paths, [GivenModel(each) for each in self._directories], cache=self._cache)
        imported = frozenset(each.path for each in found.project.with_imported(found.project.files))
        if imported != self._imported:
            self._imported = imported
            self._looks.accept()
        report = report_of(result_of(found), Policy(levels=read_levels(project_settings(Path.cwd()).levels, RULES)))
        self._tell(
            "dev.checked",
            message=report.summary(),
            findings=[
                {
                    "rule": each.rule,
                    "severity": each.severity.value,
                    "place": report.place(each.location),
                    "message": each.message,
                    "hint": each.hint,
                }
                for each in report.findings
            ],
        )

    def _tell(self, kind: str, **fields: Any) -> None:
        if not self._stopping.is_set():
            self._show({"kind": kind, "time": time.time(), **fields})
