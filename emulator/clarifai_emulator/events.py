"""Records everything that happens as an event; logs, the CLI, reports and tests subscribe.

Kinds are dotted, from coarse to fine: ``request.finished``, ``route.decided``, ``work.sent``,
``replica.started``, ``deployment.failed``. Fields are plain JSON values; secrets never go in.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from clarifai_emulator.clock import Clock
from clarifai_emulator.listeners import Listeners


@dataclass(slots=True)  # not frozen: that doubles the time in which one is made, and each request makes four
class Event:
    """Describes a thing that happened. ``seq`` grows by one; ``time`` is seconds since the epoch."""

    seq: int
    time: float
    kind: str
    fields: dict[str, Any] = field(default_factory=dict[str, Any])

    def as_dict(self) -> dict[str, Any]:
        """Return the event as one flat JSON object."""
        return {"seq": self.seq, "time": round(self.time, 6), "kind": self.kind, **self.fields}


class EventBus:
    """Keeps the last events and hands each to its subscribers, in the thread that emits."""

    def __init__(self, clock: Clock, *, keep: int = 10_000) -> None:
        self._now = clock.now
        self._events: deque[Event] = deque(maxlen=keep)
        self._listeners: Listeners[Event] = Listeners("events")
        self._seq = 0

    def emit(self, kind: str, **fields: Any) -> Event:
        """Record that ``kind`` happened and tell the subscribers."""
        self._seq += 1
        event = Event(self._seq, self._now(), kind, fields)
        self._events.append(event)
        if self._listeners.subscribers:
            self._listeners.tell(event)
        return event

    def subscribe(self, subscriber: Callable[[Event], object]) -> Callable[[], None]:
        """Call ``subscriber`` for every event from now on; the returned function ends that."""
        return self._listeners.subscribe(subscriber)

    def recent(self, prefix: str = "", *, since: int = 0, **match: Any) -> Iterator[Event]:
        """Yield the kept events after ``since``, oldest first, whose kind starts with ``prefix`` and whose fields
        equal ``match``."""
        for event in tuple(self._events):
            matches = all(event.fields.get(name) == value for name, value in match.items())
            if event.seq > since and event.kind.startswith(prefix) and matches:
                yield event

    @property
    def last_seq(self) -> int:
        """Return the number of the newest event; 0 before the first."""
        return self._seq

    def clear(self) -> None:
        """Forget the kept events; subscribers and numbering stay."""
        self._events.clear()
