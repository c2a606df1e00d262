"""Sends a browser what happens, as server-sent events: those that are kept, then each as it comes.

    event: hello  data: {run, missed}    before all else; ``missed``: events that are not kept any longer
    id: RUN:SEQ   data: [event, …]       a browser that comes again says the id it had last, and gets what followed
    event: missed data: N                events that came faster than this reader took them

Each reader has a queue with an end: one that does not read costs its queue, and holds up nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from clarifai_emulator.api.transport.http_exchange import Exchange
from clarifai_emulator.control.page.page_json import json_bytes
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.events import Event
from clarifai_emulator.listeners import following

# A reader that is new gets so many of the kept events; one that comes again gets all since it left.
_FIRST = 3_000
_MOST_WAITING = 5_000
_AT_ONCE = 250
_EVERY_SECONDS = 0.05
_SIGN_OF_LIFE_SECONDS = 15.0
_TYPE = "text/event-stream; charset=utf-8"


class EventReaders:
    """Sends the events of one emulator to the browsers that read them."""

    def __init__(self, emulator: Emulator) -> None:
        self._bus = emulator.events
        self._run = emulator.run_id

    async def serve(self, exchange: Exchange, last_id: str) -> None:
        """Send events until the browser leaves. ``last_id``: of the last message that it had; empty if none."""
        bus = self._bus
        with following(bus.subscribe, lambda _: True, most=_MOST_WAITING) as follower:
            since, missed = self._resumed(last_id)
            kept = list(bus.recent(since=since))
            await exchange.begin(200, _TYPE, {"cache-control": "no-store", "x-content-type-options": "nosniff"})
            await exchange.write(_message({"run": self._run, "missed": missed}, name="hello"))
            for start in range(0, len(kept), _AT_ONCE):
                await self._send(exchange, kept[start : start + _AT_ONCE])
            while True:
                try:
                    async with asyncio.timeout(_SIGN_OF_LIFE_SECONDS):
                        missed, events = await follower.next(_AT_ONCE)
                except TimeoutError:
                    await exchange.write(b": still here\n\n")
                    continue
                if missed:
                    await exchange.write(_message(missed, name="missed"))
                await self._send(exchange, events)
                await asyncio.sleep(_EVERY_SECONDS)  # what comes meanwhile goes together

    def _resumed(self, last_id: str) -> tuple[int, int]:
        """Return after which event to begin, and how many of those that the reader wants are gone."""
        newest = self._bus.last_seq
        run, _, number = last_id.rpartition(":")
        if run != self._run or not number.isdecimal() or len(number) > len(str(newest)) or int(number) > newest:
            return max(0, newest - _FIRST), 0
        since = int(number)
        oldest = next((event.seq for event in self._bus.recent()), newest + 1)
        return since, max(0, oldest - since - 1)

    async def _send(self, exchange: Exchange, events: Sequence[Event]) -> None:
        if events:
            text = [event.as_dict() for event in events]
            await exchange.write(_message(text, message_id=f"{self._run}:{events[-1].seq}"))


def _message(data: Any, *, name: str = "", message_id: str = "") -> bytes:
    lines = (
        f"event: {name}\n" if name else "",
        f"id: {message_id}\n" if message_id else "",
        "data: ",
    )
    return "".join(lines).encode() + json_bytes(data) + b"\n\n"
