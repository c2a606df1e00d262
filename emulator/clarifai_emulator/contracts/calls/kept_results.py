"""Keeps what was found in each client file, so that a file that did not change is not checked again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clarifai_emulator.contracts.calls.given_models import call_record, finding_record, read_call, read_finding
from clarifai_emulator.contracts.rules.client_call import ClientCall
from clarifai_emulator.contracts.rules.finding import Finding
from clarifai_emulator.whole_file import write_whole

_NAME = "results.json"
# What reading a record raises that is not as it was written.
_UNLIKE = (AttributeError, IndexError, KeyError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class FileResult:
    """The findings and the calls of one file. ``key``: a hash of all that they come from."""

    key: str
    findings: tuple[Finding, ...]
    calls: tuple[ClientCall, ...]


class KeptResults:
    """The results of one question: the same paths and the same models, whatever is in them. A folder that cannot be
    read or written keeps nothing, and changes no answer."""

    def __init__(self, folder: Path | None) -> None:
        """Take the folder of the question; ``None`` keeps nothing."""
        self._path = folder / _NAME if folder is not None else None

    @property
    def are_there(self) -> bool:
        """Tell whether anything was kept."""
        return self._path is not None and self._path.exists()

    def read(self, keys: Mapping[str, str]) -> dict[str, FileResult]:
        """Return the results that were kept, by path, of files whose keys are still the same."""
        return dict(self._records(keys))

    def _records(self, keys: Mapping[str, str]) -> Iterator[tuple[str, FileResult]]:
        if self._path is None:
            return
        try:
            digest, _, text = self._path.read_text(encoding="utf-8").partition("\n")
            if digest != _digest(text):
                return
            records: dict[str, Any] = json.loads(text)
            for path, record in records.items():
                if record["key"] == keys.get(path):
                    yield path, _read(record)
        except (OSError, *_UNLIKE):
            return

    def write(self, results: Mapping[str, FileResult]) -> None:
        """Keep the results; who reads them meanwhile sees the old ones or these."""
        if self._path is None:
            return
        text = json.dumps({path: _record(each) for path, each in results.items()})
        with suppress(OSError):  # a full disk, a folder of another user
            write_whole(self._path, f"{_digest(text)}\n{text}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _record(result: FileResult) -> dict[str, Any]:
    return {
        "key": result.key,
        "findings": [finding_record(each) for each in result.findings],
        "calls": [call_record(each) for each in result.calls],
    }


def _read(record: Mapping[str, Any]) -> FileResult:
    findings, calls = record["findings"], record["calls"]
    return FileResult(
        str(record["key"]), tuple(read_finding(each) for each in findings), tuple(read_call(each) for each in calls)
    )
