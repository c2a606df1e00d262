"""Sends a kept call again, as the same user, by the way that every client's calls take."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from clarifai_emulator.api.call import ApiCall
from clarifai_emulator.api.kept_calls import KeptCall
from clarifai_emulator.api.transport.peer import Peer
from clarifai_emulator.background_work import begin, nobody_waits
from clarifai_emulator.control.page.call_views import cannot_repeat
from clarifai_emulator.control.page.page_topics import bad_request
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.errors import TransportError

_MOST_AT_ONCE = 50
_LOOK_SECONDS = 0.002
_UNARY = "PostModelOutputs"


class CallRepeats:
    """Sends calls again and lets their answers go: they are kept, as those of all calls are."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._running: set[asyncio.Task[None]] = set()

    async def again(self, kept: KeptCall, peer: Peer) -> str:
        """Send a call again; return the id of the new one as soon as it has one. Raises ``HttpProblem`` for one
        that is not kept whole."""
        if reason := cannot_repeat(kept):
            raise bad_request(f"This request cannot be sent again. {reason} Send it from where it came from.")
        if len(self._running) >= _MOST_AT_ONCE:
            raise bad_request(f"{_MOST_AT_ONCE} requests that were sent again have no answer yet. Wait for some.")
        requests = kept.requests()
        call = self._emulator.api.own_calls.begin(kept.rpc.name, kept.caller.user_id, peer)
        task = begin(self._send(call, requests), f"the repetition of request {kept.request_id}", nobody_waits)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        while not call.request_id and not task.done():
            await asyncio.wait({task}, timeout=_LOOK_SECONDS)
        return call.request_id

    async def _send(self, call: ApiCall, requests: list[Any]) -> None:
        calls = self._emulator.api.own_calls
        try:
            if call.rpc.name == _UNARY:
                await calls.unary(call, requests[0])
            else:
                async for _ in calls.stream(call, _each(requests)):
                    pass
        except TransportError:
            pass  # its event tells of it


async def _each(requests: list[Any]) -> AsyncIterator[Any]:
    for each in requests:
        yield each
