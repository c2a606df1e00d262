"""Reads and writes what comes of runs: the journal of one that is on, and files fit for a pull request."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from clarifai_emulator.conformance.expected import expected_answers
from clarifai_emulator.conformance.probe_runs import ProbeResult
from clarifai_emulator.whole_file import write_whole

# Files of runs against the real platform, which users have contributed.
CONTRIBUTED = Path(__file__).with_name("results")
_NAME = re.compile(r"\d{4}-\d\d-\d\d-[\w.]+\.json")


@dataclass(frozen=True, slots=True)
class Verified:
    """Says what the newest contributed run saw of one probe. ``holds``: the emulator answers so today."""

    date: str
    holds: bool
    seen: Any
    expected: Any


def platform_version() -> str:
    """Return the platform's release whose API this machine's ``clarifai-grpc`` knows."""
    return metadata.version("clarifai-grpc")


def file_name(date: str) -> str:
    """Return the name of the file of a run at this date."""
    return f"{date}-{platform_version()}.json"


def report_of(results: Sequence[ProbeResult], *, date: str, target: str, level: str) -> dict[str, Any]:
    """Return what the file of a run holds. Names, ids and users are rewritten already; no credential is in it."""
    return {
        "date": date,
        "target": target,
        "platform": platform_version(),
        "kit": metadata.version("clarifai-emulator"),
        "level": level,
        "probes": {
            each.key: {
                name: value
                for name, value in asdict(each).items()
                if name not in ("key", "seconds", "requests") and value not in (None, "", {})
            }
            for each in results
        },
    }


def write_report(path: Path, report: Mapping[str, Any]) -> None:
    """Write the file whole, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(report, indent=2, ensure_ascii=False) + "\n")


@cache
def verified() -> Mapping[str, Verified]:
    """Return what contributed files say, by the probe's key; the newest file that could tell counts."""
    found: dict[str, Verified] = {}
    for report in contributed():
        for key, result in report["probes"].items():
            if result["verdict"] != "could not tell":
                expected = expected_answers().get(key)
                seen = result.get("seen")
                found[key] = Verified(report["date"], seen == expected, seen, expected)
    return found


def contributed(folder: Path = CONTRIBUTED) -> Iterator[dict[str, Any]]:
    """Yield the contributed reports, the oldest first."""
    for file in sorted(folder.glob("*.json")):
        if _NAME.fullmatch(file.name):
            yield json.loads(file.read_text(encoding="utf-8"))


class Journal:
    """Appends each result as it comes, so that a run can be resumed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)

    def add(self, result: ProbeResult) -> None:
        """Write one result."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(result)) + "\n")

    def results(self) -> list[ProbeResult]:
        """Return what was written, but what could not be told: that is tried again."""
        names = {each.name for each in fields(ProbeResult)}
        found: dict[str, ProbeResult] = {}
        for line in self.path.read_text(encoding="utf-8").splitlines() if self.path.is_file() else ():
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # the line that a killed process was writing
            result = ProbeResult(**{name: value for name, value in entry.items() if name in names})
            if result.verdict != "could not tell":
                found[result.key] = result
        return list(found.values())

    def remove(self) -> None:
        """Remove the file: the run is through."""
        self.path.unlink(missing_ok=True)
