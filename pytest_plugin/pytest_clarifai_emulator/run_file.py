"""Puts the tests of a run into one page for a browser, within bounds: failures first, then the newest tests.

Records of tests wait in a temporary file until the run is over, so that thousands of them take no memory.
"""

from __future__ import annotations

import json
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from clarifai_emulator.control.page.page_file import (
    MOST_BYTES,
    address_of,
    json_of,
    page_document,
    saved_json,
    size_of,
)
from clarifai_emulator.whole_file import write_whole

# Characters of one text of a test, and of those of all tests; each text that comes later may have so many.
_MOST_SAID = 20_000
_MOST_SAID_IN_ALL = 4_000_000
_SAID_LATER = 400
# What a test takes in the file that has nothing but its name.
_NAME_ONLY = 300
_FAILED = ("failed", "error")
_LEFT_OUT = "Its calls and logs are left out, to keep the file small. Run the test alone to have them."


@dataclass(slots=True)
class ReportedTest:
    """Holds what is known of a test. ``place``: where its record waits, and how long it is there; ``size``: of its
    record in the file."""

    outcome: str = "passed"
    took: float = 0.0
    worker: str = ""
    message: str = ""
    said: list[str] = field(default_factory=list[str])
    findings: list[str] = field(default_factory=list[str])
    place: tuple[int, int] | None = None
    size: int = 0

    @property
    def text_size(self) -> int:
        """Return the bytes of its texts."""
        return sum(size_of(text) for text in (self.message, *self.said, *self.findings))


class RunFile:
    """Gathers the tests of a run. ``name``: of the project."""

    def __init__(self, name: str) -> None:
        self._title = f"Tests of {name}"
        self._began = time.time()
        self._tests: dict[str, ReportedTest] = {}
        self._waiting = tempfile.TemporaryFile(prefix="clarifai-html-")  # noqa: SIM115 - until ``close``
        self._room_to_say = _MOST_SAID_IN_ALL

    @property
    def count(self) -> int:
        """Return how many tests there are."""
        return len(self._tests)

    def close(self) -> None:
        """Forget the records."""
        self._waiting.close()

    def test(self, name: str) -> ReportedTest:
        """Return a test, which is new the first time."""
        return self._tests.setdefault(name, ReportedTest())

    def say(self, test: ReportedTest, text: str) -> None:
        """Add a text to a test, shortened where it is long, or all texts have become so."""
        most = min(_MOST_SAID, max(self._room_to_say, _SAID_LATER))
        if len(text) > most:
            text = f"{text[: most // 2]}\n… {len(text) - most} characters are left out …\n{text[-most // 2 :]}"
        self._room_to_say -= len(text)
        test.said.append(text)

    def keep(self, test: ReportedTest, record: str) -> None:
        """Keep the record of a test until the file is written."""
        packed = zlib.compress(record.encode("utf-8", "replace"), 1)
        self._waiting.seek(0, 2)
        test.place, test.size = (self._waiting.tell(), len(packed)), size_of(record)
        self._waiting.write(packed)

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all. Raises ``OSError``."""
        chosen, left_out = with_room(self._tests)
        events, answers, tests, logs = list[Any](), dict[str, str](), list[str](), _JoinedLogs()
        for name, test in self._tests.items():
            record = self._record(test) if name in chosen else {}
            events += ((event["time"], json_of(event)) for event in record.get("events", ()))
            answers |= {address: json_of(each) for address, each in record.get("answers", {}).items()}
            logs.add(record.get("logs", {}))
            tests.append(json_of(_as_dict(name, test, record, is_left_out=name in left_out)))
        answers.update(logs.answers())
        events.sort(key=lambda each: each[0])
        saved = saved_json(
            time=self._began,
            version=metadata.version("clarifai-emulator"),
            title=self._title,
            notes=_notes(len(left_out)),
            events=[text for _, text in events],
            answers=answers,
            tests=tests,
        )
        write_whole(path.resolve(), page_document(self._title, saved))

    def _record(self, test: ReportedTest) -> dict[str, Any]:
        assert test.place is not None, "only tests that have a record are asked for it"
        start, length = test.place
        self._waiting.seek(start)
        return json.loads(zlib.decompress(self._waiting.read(length)))


class _JoinedLogs:
    """Puts together what replicas printed in several tests."""

    def __init__(self) -> None:
        self._logs: dict[str, dict[int, Any]] = {}
        self._left_out: Counter[str] = Counter()

    def add(self, logs: dict[str, Any]) -> None:
        """Add what was printed in a test, by replica."""
        for replica, told in logs.items():
            self._logs.setdefault(replica, {}).update((line["seq"], line) for line in told["lines"])
            self._left_out[replica] += told["left_out"]

    def answers(self) -> Iterator[tuple[str, str]]:
        """Give each log by the address under which the page looks for it."""
        for replica, lines in self._logs.items():
            told = {"lines": [lines[seq] for seq in sorted(lines)], "left_out": self._left_out[replica]}
            yield address_of("log", {"replica": replica}), json_of(told)


def with_room(tests: dict[str, ReportedTest]) -> tuple[frozenset[str], frozenset[str]]:
    """Choose whose records the file has, failures first, then the newest. Return those, and the others."""
    recorded = [name for name, test in reversed(tests.items()) if test.place is not None]
    recorded.sort(key=lambda name: tests[name].outcome not in _FAILED)
    room = MOST_BYTES - sum(test.text_size + _NAME_ONLY for test in tests.values())
    chosen = set[str]()
    for name in recorded:
        if tests[name].size > room:
            break  # a smaller one that is older would have room, and nobody would know why it is there
        room -= tests[name].size
        chosen.add(name)
    return frozenset(chosen), frozenset(recorded) - chosen


def counted(count: int, noun: str) -> str:
    """Return ``1 test``, ``2 tests``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _notes(left_out: int) -> list[str]:
    if not left_out:
        return []
    which = counted(left_out, "test")
    return [f"To keep the file small, it has no calls and logs of {which}: the oldest of those that passed."]


def _as_dict(name: str, test: ReportedTest, record: dict[str, Any], *, is_left_out: bool) -> dict[str, Any]:
    """Describe a test as the page reads it (``SavedTest`` in its sources)."""
    logs = [
        {
            "replica": replica,
            "first": told["lines"][0]["seq"],
            "last": told["lines"][-1]["seq"],
            "left_out": told["left_out"],
        }
        for replica, told in record.get("logs", {}).items()
    ]
    return {
        "id": name,
        "outcome": test.outcome,
        "took": round(test.took, 4),
        "worker": test.worker,
        "message": test.message,
        "said": "\n\n".join(test.said),
        "uses_emulator": test.place is not None,
        "calls": record.get("calls", []),
        "findings": test.findings,
        "logs": logs,
        "state": record.get("state"),
        "notes": [_LEFT_OUT] if is_left_out else record.get("notes", []),
    }
