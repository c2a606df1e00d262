"""Tells subscribers what happened, so that none of them can disturb whoever tells it.

    tell ─┬─► a subscriber, at once; one that raises is logged and dropped
          └─► a follower: a queue with an end, for somebody who reads in their own time

A subscriber sees everything. A follower that reads too slowly misses the oldest of what waits, and learns how many.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Generator
from typing import Generic, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")


class Listeners(Generic[T]):
    """Holds the subscribers to one kind of thing, which ``name`` says in the plural."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.subscribers: tuple[Callable[[T], object], ...] = ()

    def subscribe(self, subscriber: Callable[[T], object]) -> Callable[[], None]:
        """Call ``subscriber`` with each from now on, in the thread that tells; the returned function ends that."""
        self.subscribers = (*self.subscribers, subscriber)
        return lambda: self._drop(subscriber)

    def tell(self, item: T) -> None:
        """Call every subscriber. Never raises: one that fails is told no more."""
        for subscriber in self.subscribers:
            try:
                subscriber(item)
            except Exception:
                self._drop(subscriber)
                log.exception("A subscriber to %s failed and is told no more: %r", self._name, subscriber)

    def _drop(self, subscriber: Callable[[T], object]) -> None:
        left = list(self.subscribers)
        if subscriber in left:
            left.remove(subscriber)
            self.subscribers = tuple(left)


class Follower(Generic[T]):
    """Keeps what its reader has not taken yet, ``most`` of it at most, in one event loop."""

    def __init__(self, most: int) -> None:
        self._waiting: deque[T] = deque(maxlen=most)
        self._news = asyncio.Event()
        self._missed = 0

    def take(self, item: T) -> None:
        """Keep one more; where there is no room, the oldest goes."""
        if len(self._waiting) == self._waiting.maxlen:
            self._missed += 1
        self._waiting.append(item)
        self._news.set()

    async def next(self, most: int) -> tuple[int, list[T]]:
        """Wait until something is there. Return how many are gone since the last call, and up to ``most`` of those
        that came after them, oldest first."""
        if not self._waiting:
            self._news.clear()
            await self._news.wait()
        missed, self._missed = self._missed, 0
        return missed, [self._waiting.popleft() for _ in range(min(len(self._waiting), most))]


@contextlib.contextmanager
def following(
    subscribe: Callable[[Callable[[T], object]], Callable[[], None]], wants: Callable[[T], bool], *, most: int
) -> Generator[Follower[T]]:
    """Follow, for a block, what a ``subscribe`` tells of and ``wants`` holds for."""
    follower: Follower[T] = Follower(most)

    def take(item: T) -> None:
        if wants(item):
            follower.take(item)

    unsubscribe = subscribe(take)
    try:
        yield follower
    finally:
        unsubscribe()
