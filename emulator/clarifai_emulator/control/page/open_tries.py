"""Keeps the calls that browsers have open, so that further items reach the stream of the right one.

browser ─ try-more ─► OpenTries ─► OpenTry.items() ─► the request chain
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from typing import Any, Protocol

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.transport.http_exchange import HttpProblem
from clarifai_emulator.control.page.page_topics import not_there
from clarifai_emulator.unique_ids import unique_id

MOST_OPEN = 32
# Items that wait until the model takes them.
MOST_WAITING = 100


class MakeItem(Protocol):
    """Makes the request that brings one item of a stream; the first one brings the other arguments, too."""

    def __call__(self, value: Any, *, is_first: bool) -> Any: ...


class OpenTry:
    """Holds one call that is open. ``make`` makes the request of one more item."""

    def __init__(self, make: MakeItem) -> None:
        self.id = unique_id()
        self._make = make
        self._items: asyncio.Queue[Any] = asyncio.Queue()
        self._sent = 0
        self._has_ended = False

    def feed(self, value: Any) -> None:
        """Send one more item. Raises ``HttpProblem``, and ``EmulatorError`` for a value that does not fit."""
        if self._has_ended:
            raise HttpProblem(409, StatusCode.CONN_INVALID_REQUEST, "The stream of this call was ended before.")
        if self._items.qsize() >= MOST_WAITING:
            text = f"{MOST_WAITING} items wait already for the model to take them: send further ones later."
            raise HttpProblem(429, StatusCode.CONN_THROTTLED, text)
        self._items.put_nowait(self._make(value, is_first=not self._sent))
        self._sent += 1

    def end(self) -> None:
        """Let the stream end after the items that were sent."""
        self._has_ended = True
        self._items.put_nowait(None)

    async def items(self) -> AsyncIterator[Any]:
        """Give the requests as they are sent, until the stream is ended."""
        while (item := await self._items.get()) is not None:
            yield item


class OpenTries:
    """Knows the calls that are open, by their ids, and how many there may be."""

    def __init__(self) -> None:
        self._open: dict[str, OpenTry] = {}

    @contextmanager
    def begin(self, make: MakeItem) -> Generator[OpenTry]:
        """Keep a call as open while the block lasts. Raises ``HttpProblem`` where there are too many."""
        if len(self._open) >= MOST_OPEN:
            text = f"{MOST_OPEN} calls of the page are open: let one end, or cancel it, and send again."
            raise HttpProblem(429, StatusCode.CONN_THROTTLED, text)
        opened = OpenTry(make)
        self._open[opened.id] = opened
        try:
            yield opened
        finally:
            del self._open[opened.id]

    def find(self, try_id: str) -> OpenTry:
        """Return the call with this id. Raises ``HttpProblem`` for one that is over."""
        opened = self._open.get(try_id)
        if opened is None:
            raise not_there("This call is over: send it again to open another one.")
        return opened
