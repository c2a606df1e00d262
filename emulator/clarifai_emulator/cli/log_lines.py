"""Selects and formats log lines for `logs` and `dev`: with their time and the replica that wrote them."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import click

from clarifai_emulator.backends.printed import SdkLine, sdk_line
from clarifai_emulator.cli.terminal_text import inert

Line = Mapping[str, Any]

NOISE = "runner-noise"
_LEVELS = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "red", "DEBUG": "bright_black"}
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[smhd])+")
_CLOCKS = ("%H:%M:%S.%f", "%H:%M:%S", "%H:%M")
_DAY_SECONDS = 86_400


@dataclass(slots=True)
class LogFilter:
    """A choice of log lines. ``tail``: of the kept lines, only the last so many; None for all. ``noise``: also the
    runner's tracebacks while it stops or connects again."""

    tail: int | None = None
    model_only: bool = False
    noise: bool = False
    pattern: re.Pattern[str] | None = None
    _last: deque[Line] = field(default_factory=deque[Line])
    _is_following: bool = False

    def __post_init__(self) -> None:
        self._last = deque(maxlen=self.tail)

    def take(self, answer: Mapping[str, Any]) -> Iterator[Line]:
        """Yield the lines to show now, after the next answer of the emulator."""
        if "kept" in answer:
            self._is_following = True
            yield from self._last
            self._last.clear()
        elif "line" in answer and self._wants(answer["line"]):
            if self._is_following:
                yield answer["line"]
            else:
                self._last.append(answer["line"])

    def _wants(self, line: Line) -> bool:
        if line["stream"] != "model" and self.model_only:
            return False
        if line["stream"] == NOISE and not self.noise:
            return False
        return self.pattern is None or self.pattern.search(line["message"]) is not None


def log_text(line: Line) -> str:
    """Return a line with its time, deployment and replica in front."""
    when = click.style(clock(float(line["time"])), dim=True)
    return "  ".join(filter(None, (when, click.style(_from(line), fg="cyan"), message_text(line))))


def missed_text(number: int, what: str) -> str:
    """Return the notice that so many lines or events are not shown."""
    return f"{number} {what} were missed: they came faster than they were read."


def _from(line: Line) -> str:
    """Return the deployment and the replica; of a build, the model."""
    if not line["deployment_id"]:
        return str(line["model"].rpartition("/")[2])
    return f"{line['deployment_id']} {line['replica_id'][:8]}".rstrip()


def message_text(line: Line, *, with_ids: bool = True) -> str:
    """Return the text of a line without anything that a terminal obeys; the runner's and the emulator's words are
    dim. ``with_ids``: of a line of the SDK's logger, also the ids of the request it is about."""
    text = printable(str(line["message"]))
    if line["stream"] == "model" or line["log_type"] == "runner":
        said = sdk_line(text)
        text = _sdk_text(said, with_ids=with_ids) if said is not None else text
    if line["log_type"] == "builder":
        text = f"[build] {text}"
    elif line["log_type"] == "runner.events":
        text = f"[{line['log_type']}] {text}"
    return text if line["stream"] == "model" else click.style(text, dim=True)


def _sdk_text(said: SdkLine, *, with_ids: bool) -> str:
    """Return a line of the SDK's logger without its own clock and thread; `--json` has all of it."""
    level = click.style(said.level, fg=_LEVELS.get(said.level))
    ids = f"  {said.context}" if with_ids and said.context and said.context not in said.message else ""
    return f"{level} {printable(said.message)}{ids}"


def printable(text: str) -> str:
    """Return a line that a terminal only shows. Of one drawn over itself (a progress bar), keep the last."""
    if "\r" in text:
        text = next((part for part in reversed(text.split("\r")) if part.strip()), "")
    return inert(text)


def clock(seconds: float) -> str:
    """Return the local time, with the day unless that is today."""
    local = time.localtime(seconds)
    day = "" if time.time() - seconds < _DAY_SECONDS / 2 or _is_today(local) else time.strftime("%m-%d ", local)
    return f"{day}{time.strftime('%H:%M:%S', local)}.{int(seconds * 1000) % 1000:03d}"


def _is_today(local: time.struct_time) -> bool:
    now = time.localtime()
    return (local.tm_year, local.tm_yday) == (now.tm_year, now.tm_yday)


def read_since(text: str, now: float) -> float:
    """Return the seconds since the epoch that ``5m``, ``1h30m``, ``22:15``, ``2026-11-28T22:15:00Z`` or
    ``1764368100`` mean. Raises ``ValueError``."""
    text = text.strip()
    if _DURATION.fullmatch(text):
        parts = re.findall(r"([\d.]+)([smhd])", text)
        return now - sum(float(number) * _UNITS[unit] for number, unit in parts)
    if re.fullmatch(r"\d{9,}(\.\d+)?", text):
        return float(text)
    for form in _CLOCKS:
        try:
            at = datetime.strptime(text, form).time()
        except ValueError:
            continue
        found = datetime.combine(datetime.fromtimestamp(now), at).timestamp()
        return found if found <= now else found - _DAY_SECONDS
    return datetime.fromisoformat(text).timestamp()
