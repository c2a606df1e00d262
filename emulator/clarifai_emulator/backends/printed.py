"""Tells the model's own lines from those of the runner around it, by what a replica prints.

The genuine runner logs its start, every request and its stop in the SDK's own format; a model may log in it too.
What the runner is known to say is the runner's; everything else is the model's. Where the runner loses a
connection (it always does when it is stopped) it logs the traceback of that: noise, unless somebody looks for it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

# Colours, and what clears the rest of a line: neither says anything.
_COLOURS = re.compile(r"\x1b\[[0-9;:]*[mK]")
_LEVELS = frozenset({"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"})
_CLOCK = re.compile(r"\d\d:\d\d:\d\d\.\d+ ")
_THREAD = " thread="
# What the runner and the server of the SDK say about themselves (clarifai 10 to 12, clarifai_protocol 0.0).
_OF_A_REQUEST = re.compile(r"model_\w+ \| .+ \| [\d.]+ms")
_RUNNER_SAYS = re.compile(
    r"(?:No secrets path configured|Initializing secrets system|Loaded \d+ initial secrets|Secrets director|"
    r"Secrets watcher started|Stopping secrets watcher|Reloaded \d+ secrets|No secrets loaded during reload|"
    r"Detected secrets change|Rebuilding model instance|Model instance rebuilt|Updated (?:servicer|runner) with|"
    r"Model reload sequence|ModelServer (?:initialized|shutdown)|Shutting down ModelServer|Started server on port|"
    r"Access the model at http|Starting model server|Detected .* model type|Using model path|"
    r"Successfully created new gRPC channel|Timed out creating new gRPC channel|Failed to create new gRPC channel|"
    r"process cleanup not enabled|Not in main thread, skipping signal handlers|Failed to set up process group|"
    r"Starting control connection|Control connection|Cancellation received on control connection|"
    r"Starting \d+ threads|Primary thread index|Sleeping .* before starting thread|Loop iteration|"
    r"(?:Force s|S)topping runner|KeyboardInterrupt caught by main thread|Worker thread interrupted|"
    r"Encountered a recoverable|gRPC error in receive_iterator|Failed to process with runner due to gRPC error|"
    r"Timed out getting |Time between messages|Timeout waiting for runner item|Got multi_runner_item_response|"
    r"Signalled to retry|Request was cancelled by user|Draining remaining|GRPC Stream is not running|"
    r"Receive (?:stream|queue)|Protocol is done|Skipping duplicate abort|RPC CANCELLED|"
    r"Health ?check|Starting health)"
)
# After these the runner's own traceback follows.
_CONNECTION_LOST = re.compile(
    r"Control connection|gRPC error in receive_iterator|Encountered a recoverable|KeyboardInterrupt caught|"
    r"Worker thread interrupted|Failed to process with runner due to gRPC error|RPC CANCELLED|Receive stream|"
    r"(?:Force s|S)topping runner"
)
_STOPPING = re.compile(r"(?:Force s|S)topping runner")
_TRACEBACK = re.compile(r"(?:Traceback \(most recent call last\):|Exception (?:ignored )?in)")
_ENDS_A_STOP = re.compile(r"(?:KeyboardInterrupt|SystemExit|grpc\.|concurrent\.futures\._base\.CancelledError)")
_CHAINED = ("During handling of the above exception", "The above exception was")
# More than a traceback of a stop has.
_MOST_HELD = 200


class LogOrigin(StrEnum):
    """The writer of a log line."""

    MODEL = "model"
    RUNNER = "runner"
    NOISE = "runner-noise"  # the runner's tracebacks while it stops or connects again
    EMULATOR = "emulator"


@dataclass(slots=True)  # not frozen: that doubles the time in which one is made, and each request prints one
class SdkLine:
    """A line in the format of the SDK's logger: ``message`` is what was logged, ``context`` the ids after it."""

    level: str
    message: str
    context: str = ""


def without_colours(line: str) -> str:
    """Return a line without the sequences that colour it."""
    return _COLOURS.sub("", line) if "\x1b" in line else line


def sdk_line(line: str) -> SdkLine | None:
    """Return what a line says that the SDK's logger wrote, as text or as JSON; None for any other line."""
    plain = without_colours(line)
    if plain.startswith("["):
        return _text_line(plain)
    if plain.startswith("{") and '"@timestamp"' in plain:
        try:
            said = json.loads(plain)
        except ValueError:
            return None
        if isinstance(said, dict) and "msg" in said:
            return SdkLine(str(said.get("level", "info")).upper(), str(said["msg"]))
    return None


def _text_line(plain: str) -> SdkLine | None:
    """Reads ``[INFO] 22:16:25.379585 message | req_id=… thread=140507900536512 ``; every request prints one."""
    level, found, rest = plain[1:].partition("] ")
    if not found or level not in _LEVELS:
        return None
    clock = _CLOCK.match(rest)
    rest = rest[clock.end() :] if clock is not None else rest
    at = rest.rfind(_THREAD)
    bar = rest.rfind(" |", 0, at + 1)
    if at < 0 or bar < 0 or not rest[at + len(_THREAD) :].strip().isdigit():
        return SdkLine(level, rest)
    return SdkLine(level, rest[:bar], rest[bar + 2 : at].strip())


class Printed:
    """The lines of one replica, each with its origin. ``stop`` is called once the replica was told to end."""

    def __init__(self) -> None:
        self._is_stopping = False
        self._in_noise = False  # the traceback of a lost connection goes on
        self._ended = False  # … and its error was read: only what is indented belongs to it
        self._held: list[str] = []  # a traceback while stopping, until its error says whose it is

    def stop(self) -> None:
        """Take what comes from now on for what a replica prints that was told to end."""
        self._is_stopping = True

    def read(self, line: str) -> Iterator[tuple[str, LogOrigin]]:
        """The next line, and with it those that had to wait for it."""
        said = sdk_line(line)
        if said is not None:
            if self._held:
                yield from self.flush()
            self._ended = False
            yield line, self._whose(said.message)
        elif line.startswith("[emulator] "):
            yield line, LogOrigin.EMULATOR
        elif self._in_noise and self._belongs(line):
            yield line, LogOrigin.NOISE
        elif self._held or (self._is_stopping and _TRACEBACK.match(line)):
            yield from self._hold(line)
        else:
            self._in_noise = False
            yield line, LogOrigin.MODEL

    def flush(self) -> Iterator[tuple[str, LogOrigin]]:
        """Yield the lines that still wait."""
        held, self._held = self._held, []
        is_stop = any(_ENDS_A_STOP.match(line) for line in held)
        yield from ((line, LogOrigin.NOISE if is_stop else LogOrigin.MODEL) for line in held)

    def _whose(self, message: str) -> LogOrigin:
        """Tell who logged this in the SDK's format. A runner that was told to stop says so; the rest of it is
        noise."""
        if message.startswith("model_") and _OF_A_REQUEST.match(message) is not None:  # as most are
            self._in_noise = False
            return LogOrigin.RUNNER
        if _RUNNER_SAYS.match(message) is None:
            self._in_noise = False
            return LogOrigin.MODEL
        self._in_noise = _CONNECTION_LOST.match(message) is not None
        is_word = _STOPPING.match(message) is not None or " | " in message
        self._is_stopping = self._is_stopping or _STOPPING.match(message) is not None
        return LogOrigin.NOISE if self._is_stopping and not is_word else LogOrigin.RUNNER

    def _belongs(self, line: str) -> bool:
        """Tell whether a line goes on with the runner's traceback: frames are indented, then comes its error."""
        if not line.strip() or line[0] in " \t>" or line.startswith(_CHAINED):
            return True
        if _TRACEBACK.match(line):
            self._ended = False
            return True
        is_error, self._ended = not self._ended, True
        return is_error and (":" in line or line.strip().isidentifier())

    def _hold(self, line: str) -> Iterator[tuple[str, LogOrigin]]:
        self._held.append(line)
        is_last = not line.startswith((" ", "\t")) and _TRACEBACK.match(line) is None
        if is_last or len(self._held) > _MOST_HELD:
            yield from self.flush()
