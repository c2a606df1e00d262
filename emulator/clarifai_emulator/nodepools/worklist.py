"""Keeps which fleets the supervisor has to go over: now, at a certain time, or once there is room again."""

from __future__ import annotations

import asyncio

from clarifai_emulator.dispatch.lane import LaneKey


class Worklist:
    """The fleets to go over, by the key of their lane. Whoever goes over them awaits ``wake``."""

    def __init__(self) -> None:
        self.wake = asyncio.Event()
        self._marked: set[LaneKey] = set()
        self._without_room: set[LaneKey] = set()
        self._timers: dict[LaneKey, asyncio.TimerHandle] = {}

    def mark(self, key: LaneKey) -> None:
        """Let a fleet be gone over now."""
        self._marked.add(key)
        self.wake.set()

    def note(self, key: LaneKey) -> None:
        """Let a fleet be gone over the next time that any is."""
        self._marked.add(key)

    def mark_later(self, key: LaneKey, seconds: float) -> None:
        """Let a fleet be gone over in a while. Each has one timer, the soonest: it is gone over often, and each
        time says anew when it needs to be."""
        loop = asyncio.get_running_loop()
        when = loop.time() + max(seconds, 0.01)
        timer = self._timers.get(key)
        if timer is not None:
            if timer.when() <= when:
                return
            timer.cancel()
        self._timers[key] = loop.call_at(when, self.mark, key)

    def wait_for_room(self, key: LaneKey) -> None:
        """Let a fleet be gone over once a replica has ended."""
        self._without_room.add(key)

    def mark_those_without_room(self) -> None:
        """Let every fleet that waits for room be gone over: there may be some now."""
        without_room, self._without_room = self._without_room, set[LaneKey]()
        for key in without_room:
            self.mark(key)

    def take(self) -> LaneKey | None:
        """Take a fleet to go over, which is on the list no longer, nor is its timer; None when all are done."""
        if not self._marked:
            return None
        key = self._marked.pop()
        self._cancel(key)
        return key

    def drop(self, key: LaneKey) -> None:
        """Forget a fleet that is no more."""
        self._cancel(key)
        self._marked.discard(key)

    def cancel_timers(self) -> None:
        """Let no fleet be gone over later."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def clear(self) -> None:
        """Forget every fleet that is marked."""
        self._marked.clear()

    def _cancel(self, key: LaneKey) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
