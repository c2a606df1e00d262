"""Gathers what a page that is saved to a file shows of a running emulator: its events, and what its topics answer.

    events ─► the newest requests, the replicas ─► each topic: what is to be asked ─► its own reads and files

Nothing is computed for the file: it has what a browser would have been told.
"""

from __future__ import annotations

import asyncio
import base64
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from clarifai_emulator.api.transport.http_exchange import HttpProblem
from clarifai_emulator.api.transport.peer import NO_PEER
from clarifai_emulator.control.page.page_file import (
    MOST_BYTES,
    NOT_BUILT,
    address_of,
    json_of,
    page_document,
    saved_json,
    size_of,
)
from clarifai_emulator.control.page.page_json import with_lists
from clarifai_emulator.control.page.page_topic_table import TOPICS
from clarifai_emulator.control.page.page_topics import Asked, PageContext, SavedShown
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.errors import ConfigError, EmulatorError

MOST_REQUESTS = 2_000
_MOST_REPLICAS = 200
# Of the file, what the events may take: the rest is for what requests were asked and answered.
_MOST_OF_EVENTS = 8_000_000
_MOST_OF_FILE = 256 * 1024
_T = TypeVar("_T")
_NO_PAGE = (
    "The emulator was started with --no-page, so what its requests were asked and answered was not kept. "
    "Start it without --no-page to have that, too."
)
_MEDIA = ("image/", "audio/", "video/")
# Of the bytes that all answers may take, those of one name.
_MOST_OF_NAME = {"log": 5_000_000}
# What of an answer that has no room is missing, by its name.
_MISSING = {
    "call": "what {} of the requests were asked and answered",
    "log": "the logs of {} of the replicas",
}


@dataclass(slots=True)
class SavedAnswers:
    """Holds answers as JSON by what was asked, within so many bytes. ``left_out``: those without room, by name."""

    most: int
    answers: dict[str, str] = field(default_factory=dict[str, str])
    sizes: Counter[str] = field(default_factory=Counter[str])
    left_out: Counter[str] = field(default_factory=Counter[str])

    def add(self, name: str, address: str, answer: Any) -> None:
        """Add an answer, or count that there is no room for it. ``name``: what kind of answer it is."""
        text = json_of(answer)
        size = size_of(address) + size_of(text)
        has_room = self.sizes.total() + size <= self.most
        if has_room and self.sizes[name] + size <= _MOST_OF_NAME.get(name, self.most):
            self.answers[address] = text
            self.sizes[name] += size
        else:
            self.left_out[name] += 1

    def notes(self) -> Iterator[str]:
        """Say what has no room."""
        for name, count in self.left_out.items():
            what = _MISSING.get(name, f"{{}} parts of “{name}”").format(count)
            yield f"To keep the file small, it does not have {what}."


class TopicAnswers:
    """Asks the topics of the page, as a browser does."""

    def __init__(self, emulator: Emulator) -> None:
        self._topics = [make(PageContext(emulator)) for make in TOPICS]
        self._reads = {name: read for topic in self._topics for name, read in topic.reads().items()}
        self._files = {name: file for topic in self._topics for name, file in topic.files().items()}

    async def of(self, shown: SavedShown) -> AsyncGenerator[tuple[str, str, Any]]:
        """Give for these requests and replicas, one after the other: the name of what is asked, its address, and
        the answer; also the media that answers name, as data: addresses. Left out is what the emulator refuses."""
        for topic in self._topics:
            for name, query in topic.saved(shown):
                answer = await _unless_refused(self._reads[name](Asked(query, NO_PEER)))
                if answer is None:
                    continue
                answer = with_lists(answer)
                yield name, address_of(name, query), answer
                for where in _media_in(answer):
                    file, _, words = where.partition("?")
                    asked = dict(parse_qsl(words))
                    content = await self._media(file, asked)
                    if content:
                        yield name, address_of(file, asked), content

    async def _media(self, name: str, query: dict[str, str]) -> str:
        """Return a file as its data: address; an empty text for one that is too large."""
        if name not in self._files:
            return ""
        file = await _unless_refused(self._files[name](Asked(query, NO_PEER)))
        if file is None or len(file.content) > _MOST_OF_FILE:
            return ""
        return f"data:{file.kind};base64,{base64.b64encode(file.content).decode()}"


async def _unless_refused(answer: Awaitable[_T]) -> _T | None:
    try:
        return await answer
    except (HttpProblem, EmulatorError):
        return None


def _media_in(answer: Any) -> Iterator[str]:
    """Give the addresses of the images, sounds and films in an answer (``page_values.py``)."""
    todo = [answer]
    while todo:
        each: Any = todo.pop()
        if isinstance(each, dict):
            address: Any = each.get("whole")
            if address and str(each.get("file_type", "")).startswith(_MEDIA) and each["size"] <= _MOST_OF_FILE:
                yield str(address)
            todo += each.values()
        elif isinstance(each, list):
            todo += each


@dataclass(frozen=True, slots=True)
class SavedDocument:
    """Holds a page that is saved to a file: its text, how many ``requests`` and ``replicas`` it shows, and what its
    reader should know of it."""

    text: str
    requests: int
    replicas: int
    notes: tuple[str, ...]


async def saved_document(emulator: Emulator) -> SavedDocument:
    """Save the page of an emulator as it is now. Raises ``ConfigError`` where the page was not built."""
    kept = [event.as_dict() for event in emulator.events.recent()]
    events = [(str(event.get("request_id") or ""), json_of(event)) for event in kept]
    requests, left_out = _newest_requests(events)
    replicas = replicas_in(kept)[-_MOST_REPLICAS:]
    told = [text for request, text in events if not request or request in requests]
    saved = SavedAnswers(MOST_BYTES - sum(map(size_of, told)))
    wanted = SavedShown(requests=tuple(reversed(requests)), replicas=tuple(reversed(replicas)))
    async for name, address, answer in TopicAnswers(emulator).of(wanted):
        saved.add(name, address, answer)
    notes = [_NO_PAGE] if not emulator.api.kept_calls.is_on else []
    if left_out:
        notes.append(
            f"To keep the file small, it has the newest {len(requests)} requests; {left_out} are left out."
        )
    notes += saved.notes()
    title = f"Clarifai emulator at {emulator.url}"
    now, version = emulator.clock.now(), metadata.version("clarifai-emulator")

    def written() -> str:
        parts = saved_json(time=now, version=version, title=title, notes=notes, events=told, answers=saved.answers)
        return page_document(title, parts)

    try:
        document = await asyncio.to_thread(written)
    except OSError:
        raise ConfigError(NOT_BUILT, []) from None
    return SavedDocument(document, len(requests), len(replicas), tuple(notes))


def replicas_in(events: Iterable[dict[str, Any]]) -> list[str]:
    """Return the replicas that events are about, in the order in which they appear last."""
    found: dict[str, None] = {}
    for event in events:
        replica = str(event.get("replica_id") or "")
        if replica:
            found.pop(replica, None)
            found[replica] = None
    return list(found)


def _newest_requests(events: Sequence[tuple[str, str]]) -> tuple[dict[str, None], int]:
    """Return the newest requests that have room, in the order in which they came, and how many older ones have
    none. ``events``: the request of each, and its text."""
    sizes: dict[str, int] = {}
    for request, text in events:
        if request:
            sizes[request] = sizes.get(request, 0) + size_of(text)
    room, taken = _MOST_OF_EVENTS, list[str]()
    for request in reversed(sizes):
        room -= sizes[request]
        if room < 0 or len(taken) == MOST_REQUESTS:
            break
        taken.append(request)
    return dict.fromkeys(reversed(taken)), len(sizes) - len(taken)
