"""Describes a topic of the page: what a browser can read of it, do to it, follow of it and load as a file.

    GET  /_page/NAME?…    reads: one JSON object           files: bytes of a media type
    POST /_page/NAME      acts: JSON in, JSON out          streams: JSON in, a JSON object a line out

Names are those of all topics together. Whatever a topic raises on purpose becomes an answer in words.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.transport.http_exchange import HttpProblem
from clarifai_emulator.api.transport.peer import Peer
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.errors import CallerError, ConfigError, EmulatorError

if TYPE_CHECKING:
    from clarifai_emulator.control.verbs import Verbs


class PageContext:
    """Gives topics what they tell of: the emulator, and the verbs of the command line for all of it."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator

    @cached_property
    def verbs(self) -> Verbs:
        """Return what can be done with the emulator from outside."""
        from clarifai_emulator.control.account import Account
        from clarifai_emulator.control.verbs import Verbs

        return Verbs(Account(self.emulator))


@dataclass(frozen=True, slots=True)
class Asked:
    """Holds what a browser asks: the query of a read, or the JSON object of an act, and who sent it."""

    given: Mapping[str, Any]
    peer: Peer

    def text(self, name: str) -> str:
        """Return a text, empty where it is not given. Raises ``HttpProblem`` for what is none."""
        value = self.given.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise bad_request(f"'{name}' is a text, not {type(value).__name__}.")
        return value

    def number(self, name: str, default: float = 0.0) -> float:
        """Return a number. Raises ``HttpProblem`` for what is none."""
        value = self.given.get(name)
        try:
            number = float(default if value in (None, "") else value)  # pyright: ignore[reportArgumentType]
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not math.isfinite(number):
            raise bad_request(f"'{name}' is a number, not '{str(value)[:50]}'.")
        return number


Read = Callable[[Asked], Awaitable[dict[str, Any]]]
Stream = Callable[[Asked], AsyncGenerator[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class PageFile:
    """A file for a browser: ``kind`` is its media type. ``name``: what it is saved as; empty to show it."""

    content: bytes
    kind: str
    name: str = ""


File = Callable[[Asked], Awaitable[PageFile]]


@dataclass(frozen=True, slots=True)
class SavedShown:
    """Names what a page that is saved to a file shows: its requests and replicas, by their ids, newest first.
    ``is_whole``: also what is of none of them; else it shows one test of many."""

    requests: Sequence[str] = ()
    replicas: Sequence[str] = ()
    is_whole: bool = True


class PageTopic:
    """Tells a browser of one part of the emulator. A topic overrides the tables that it needs."""

    def __init__(self, context: PageContext) -> None:
        self.context = context
        self.emulator = context.emulator

    def reads(self) -> Mapping[str, Read]:
        """Return what can be read, by name. A long list may be an iterator, of values or of JSON as bytes, which is
        made as it is sent."""
        return {}

    def acts(self) -> Mapping[str, Read]:
        """Return what can be done, by name."""
        return {}

    def streams(self) -> Mapping[str, Stream]:
        """Return what can be done whose answer comes in pieces, by name. Closed when the browser leaves."""
        return {}

    def files(self) -> Mapping[str, File]:
        """Return what can be loaded, by name."""
        return {}

    def saved(self, shown: SavedShown) -> Iterable[tuple[str, dict[str, str]]]:
        """Give what is asked for a page that is saved to a file: names of reads, each with its query."""
        return ()


def bad_request(text: str) -> HttpProblem:
    """Return the refusal of what a browser sent."""
    return HttpProblem(400, StatusCode.CONN_BAD_REQUEST_FORMAT, text)


def not_there(text: str) -> HttpProblem:
    """Return the refusal of what is not there, or not any longer."""
    return HttpProblem(404, StatusCode.CONN_DOES_NOT_EXIST, text)


def problem_of(error: EmulatorError) -> HttpProblem:
    """Return the answer to an act that the emulator refuses."""
    if isinstance(error, CallerError):
        return HttpProblem(400, error.code, error.message)
    if isinstance(error, ConfigError):
        return bad_request("\n".join(filter(None, [error.what, *error.problems, error.hint])))
    return bad_request(str(error))
