"""Speaks the emulator's half of the lean runner's socket: items out, outputs in, many at once over one
connection."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator
from typing import Any, cast

from clarifai_grpc.grpc.api.service_pb2 import MultiOutputResponse

from clarifai_emulator.dispatch.dispatcher import Dispatcher, runner_lost
from clarifai_emulator.dispatch.lane import Replica, RunnerLink, Slot
from clarifai_emulator.dispatch.runner_item import item_bytes
from clarifai_emulator.dispatch.work import STREAMING_STREAMING, Work
from clarifai_emulator.inside.lean_main import CANCEL, DONE, END, GO, HEADER, HOLD, ITEM, LAST, MORE, OUTPUT, READY

log = logging.getLogger(__name__)

# From here on it is cheaper to write a payload by itself than to copy it behind its header.
_LARGE = 64 * 1024


class LeanSlot(Slot):
    """An item that a lean replica could take now."""

    __slots__ = ("_connection",)

    def __init__(self, replica: Replica, connection: LeanConnection) -> None:
        super().__init__(replica)
        self._connection = connection

    def deliver(self, work: Work) -> None:
        self._connection.begin(work)


class LeanConnection(asyncio.Protocol):
    """The socket of one lean replica. Registers the replica when its model is loaded."""

    def __init__(self, dispatcher: Dispatcher, link: RunnerLink, replica_id: str) -> None:
        self._dispatcher = dispatcher
        self._link = link
        self._replica_id = replica_id
        self._replica: Replica | None = None
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._works: dict[int, Work] = {}
        self._numbers: dict[str, int] = {}
        self._pumps: dict[int, asyncio.Task[None]] = {}
        self._held: dict[int, asyncio.Task[None]] = {}
        self._next_number = itertools.count(1)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        start = 0
        while len(self._received) - start >= HEADER.size:
            length, kind, number = HEADER.unpack_from(self._received, start)
            end = start + HEADER.size + length
            if len(self._received) < end:
                break
            self._handle(kind, number, bytes(memoryview(self._received)[start + HEADER.size : end]))
            start = end
        del self._received[:start]

    def connection_lost(self, exc: Exception | None) -> None:
        for task in (*self._pumps.values(), *self._held.values()):
            task.cancel()
        if self._replica is not None:
            self._replica.cancel_item = None
            self._replica.idle.clear()
            for work in self._works.values():
                self._replica.break_off(work, runner_lost(self._replica_id, "its connection was closed"))
            self._replica.stream_ended(broke_off=True)

    def _handle(self, kind: int, number: int, payload: bytes) -> None:
        if kind == READY:
            self._become_ready(number)
            return
        work = self._works[number]
        if kind in (OUTPUT, LAST):
            work.accept(MultiOutputResponse.FromString(payload), len(payload))
            if kind == LAST:
                self._end(number, work)
            elif work.is_ahead and number not in self._held:
                self._held[number] = asyncio.create_task(self._hold_back(number, work))
        elif kind == DONE:
            self._end(number, work)

    def _become_ready(self, threads: int) -> None:
        self._replica = self._dispatcher.connect(self._link, self._replica_id)
        self._replica.cancel_item = self._cancel
        self._replica.stream_began()
        self._dispatcher.hear(self._replica)
        for _ in range(threads):
            self._offer(self._replica)

    def _offer(self, replica: Replica) -> None:
        replica.runner_link.lane.offer(LeanSlot(replica, self))

    def begin(self, work: Work) -> None:
        """A slot was given this work."""
        number = next(self._next_number)
        self._works[number] = work
        self._numbers[work.id] = number
        self._send(ITEM, number, item_bytes(work, work.request, description=work.request_id))
        if work.method_type == STREAMING_STREAMING and work.more is not None:
            self._pumps[number] = asyncio.create_task(self._pump(number, work, work.more))

    async def _pump(self, number: int, work: Work, more: AsyncIterator[Any]) -> None:
        """Send the client's further messages of a bidirectional call, then that there are no more."""
        try:
            async for request in more:
                self._send(MORE, number, item_bytes(work, request, description=work.request_id))
        except asyncio.CancelledError:
            raise
        except Exception as error:
            log.debug("client stream of runner item %s ended: %s", work.id, error)
        self._send(END, number)

    def _cancel(self, item_id: str) -> None:
        number = self._numbers.get(item_id)
        if number is not None:
            self._send(CANCEL, number)

    def _end(self, number: int, work: Work) -> None:
        """The runner is through with an item: its slot is free."""
        assert self._replica is not None
        self._replica.finish(work)
        del self._works[number], self._numbers[work.id]
        pump = self._pumps.pop(number, None)
        if pump is not None:
            pump.cancel()
        self._replica.release(work)
        self._offer(self._replica)

    async def _hold_back(self, number: int, work: Work) -> None:
        """A client reads slower than its model writes: that item waits until it has caught up, no other does."""
        self._send(HOLD, number)
        await work.caught_up()
        del self._held[number]
        self._send(GO, number)

    def _send(self, kind: int, number: int, payload: bytes = b"") -> None:
        if self._transport is not None and not self._transport.is_closing():
            header = HEADER.pack(len(payload), kind, number)
            if len(payload) < _LARGE:
                self._transport.write(header + payload)
            else:
                self._transport.write(header)
                self._transport.write(payload)
