"""Feeds a lean replica: items out, outputs in, each item on a channel of its own to one thread of the replica.

    Lane ──deliver()──► LeanSlot ──begin()──► LeanReplica ──give()──► Channel ──► a thread of the replica
                                                  ▲                                      │
                              Work.accept() ◄──output()──────────────────────────────────┘

How items travel is a ``LeanEnd``'s matter: over sockets to a process (``lean_sockets.py``), by hand-over to a
thread of this one (``backends/inprocess_items.py``).
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, Protocol

from clarifai_grpc.grpc.api.service_pb2 import RunnerItem
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.background_work import begin
from clarifai_emulator.dispatch.dispatcher import Dispatcher, runner_lost
from clarifai_emulator.dispatch.lane import Replica, RunnerLink, Slot
from clarifai_emulator.dispatch.work import STREAMING_STREAMING, UNARY_UNARY, Work
from clarifai_emulator.errors import CallerError
from clarifai_emulator.messages.outline import Bytes

log = logging.getLogger(__name__)


class Channel(Protocol):
    """Carries items to one thread of a replica, one after the other, and what it answers back."""

    def give(self, number: int, work: Work) -> None:
        """Send the item of this work."""
        ...

    async def more(self, number: int, work: Work, request: Any) -> None:
        """Send a further message of the client; returns once the replica is not too far behind."""
        ...

    def end(self, number: int) -> None:
        """Say that the client sends no more."""
        ...

    def hold(self) -> None:
        """Take nothing more from the thread until ``go``: it waits with its next output."""
        ...

    def go(self) -> None:
        """Take from the thread again."""
        ...


class LeanEnd(Protocol):
    """The emulator's end of what leads to a lean replica."""

    def listen(self, replica: LeanReplica) -> None:
        """Tell ``replica`` from now on what comes."""
        ...

    def open_channel(self) -> Channel:
        """Open a channel to a thread that has none yet."""
        ...

    def cancel(self, number: int) -> None:
        """Tell the model that the client of an item went away."""
        ...

    def take_rest(self) -> None:
        """Tell what has come already and was not told yet."""
        ...

    def close(self) -> None:
        """Take nothing and send nothing any more."""
        ...


_NOTHING: set[Work] = set()  # that a thread could have on its way


class LeanSlot(Slot):
    """An item that a lean replica could take now. No stream waits for it."""

    __slots__ = ("_lean",)

    def __init__(self, replica: Replica, lean: LeanReplica) -> None:
        self.replica = replica
        self.behind = _NOTHING
        self.rested = False
        self._lean = lean

    def dismiss(self) -> None:
        self.replica.withdraw(self)

    def deliver(self, work: Work) -> None:
        self._lean.begin(work)


class _Item:
    """Work that the replica has: its number there, its channel, and what is done for it meanwhile."""

    __slots__ = ("channel", "held", "is_answered", "number", "pump", "work")

    def __init__(self, number: int, work: Work, channel: Channel) -> None:
        self.number = number
        self.work = work
        self.channel = channel
        self.is_answered = False
        self.pump: asyncio.Task[None] | None = None
        self.held: asyncio.Task[None] | None = None


class LeanReplica:
    """Registers a lean replica when its model is loaded, and hands it work. ``on_genuine`` is called with the
    reason when it tells that the genuine runner serves instead, which fetches its work itself."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        link: RunnerLink,
        replica_id: str,
        end: LeanEnd,
        on_genuine: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self._dispatcher = dispatcher
        self._link = link
        self._replica_id = replica_id
        self._end = end
        self._on_genuine = on_genuine
        self._replica: Replica | None = None
        self._is_lost = False
        self._is_asked = False
        self._items: dict[int, _Item] = {}
        self._numbers: dict[str, int] = {}
        self._next_number = itertools.count(1)
        # The thread that worked last takes the next item: what it needs is still at hand.
        self._idle: list[Channel] = []
        end.listen(self)

    # What the emulator wants of it.

    def begin(self, work: Work) -> None:
        """A slot was given this work."""
        try:
            channel = self._idle.pop() if self._idle else self._end.open_channel()
        except OSError as error:
            self._turn_away(work, error)
            return
        number = next(self._next_number)
        item = self._items[number] = _Item(number, work, channel)
        self._numbers[work.id] = number
        channel.give(number, work)
        if work.method_type == STREAMING_STREAMING and work.more is not None:
            item.pump = begin(self._pump(item, work.more), "pump of a client's messages", partial(self._fail, item))

    def _turn_away(self, work: Work, error: OSError) -> None:
        assert self._replica is not None
        work.fail(
            CallerError(
                StatusCode.RUNNER_PROCESSING_FAILED,
                f"The emulator could not hand this request to replica {self._replica_id[:8]}: {error.strerror}.",
                hint="Raise the number of files that the emulator may have open (`ulimit -n`), and start it again.",
            )
        )
        self._replica.release(work)
        self._offer(self._replica)

    async def _pump(self, item: _Item, more: AsyncIterator[Any]) -> None:
        """Send the client's further messages of a bidirectional call, then that there are no more."""
        try:
            async for request in more:
                await item.channel.more(item.number, item.work, request)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            log.debug("client stream of runner item %s ended: %s", item.work.id, error)
        item.channel.end(item.number)
        item.pump = None

    def _fail(self, item: _Item, reason: str) -> None:
        """Fail an item that the emulator could not see to; the replica goes on."""
        item.work.fail(could_not_carry(self._replica_id, reason))
        if item.held is not None:
            item.held = None
            item.channel.go()

    def _cancel(self, item_id: str) -> None:
        number = self._numbers.get(item_id)
        if number is not None:
            self._end_input(self._items[number])
            self._end.cancel(number)

    def _end_input(self, item: _Item) -> None:
        if item.pump is not None:
            item.pump.cancel()
            item.pump = None
            item.channel.end(item.number)

    # What it tells.

    def ready(self, threads: int, *, is_asked: bool = False) -> None:
        """Register it: its model is loaded, and it takes so many items at once. ``is_asked``: its model is asked
        before each of them, and ``admits`` is called."""
        self._is_asked = is_asked
        self._replica = self._dispatcher.connect(self._link, self._replica_id)
        self._replica.cancel_item = self._cancel
        self._replica.stream_began()
        self._dispatcher.hear(self._replica)
        for _ in range(0 if is_asked else threads):
            self._offer(self._replica)

    def admits(self) -> None:
        """Take note that its model admits one more item."""
        assert self._replica is not None
        self._offer(self._replica)

    def serves_genuinely(self, reason: str) -> None:
        """The genuine runner serves in its place."""
        self._on_genuine(reason)

    def passes(self, number: int, size: int) -> bool:
        """Tell whether an output of this size goes to its client in the bytes in which it comes."""
        return self._items[number].work.passes(size)

    def output(self, number: int, response: Any, size: int, *, is_last: bool = False, came: Bytes = b"") -> None:
        """Take an output, of ``size`` bytes: ``came``, of which the response is an outline, where it ``passes``.
        ``is_last``: ``done`` follows at once."""
        item = self._items[number]
        item.is_answered = True
        item.work.accept(response, size, is_last=is_last, came=came)
        if item.held is None and item.work.is_ahead:
            item.channel.hold()
            item.held = begin(self._hold_back(item), "hold of a replica's outputs", partial(self._fail, item))

    async def _hold_back(self, item: _Item) -> None:
        """A client reads slower than its model writes: that item waits until it has caught up, no other does."""
        await item.work.caught_up()
        item.held = None
        item.channel.go()

    def done(self, number: int) -> None:
        """The runner is through with an item: its slot is free."""
        assert self._replica is not None
        item = self._items.pop(number)
        del self._numbers[item.work.id]
        if item.work.is_open and item.work.method_type == UNARY_UNARY and not item.is_answered:
            item.work.fail(runner_lost(self._replica_id, "it ended its stream without an output"))
        self._replica.finish(item.work, tells=False)
        self._end_input(item)
        if item.held is not None:
            item.held.cancel()
            # A cancelled task holds the item: they would keep each other, and the answer.
            item.held = None
            item.channel.go()
        self._idle.append(item.channel)
        self._replica.release(item.work)
        if not self._is_asked:
            self._offer(self._replica)
        item.work.tell_now()

    def lost(self) -> None:
        """Nothing more comes from it than what is here already."""
        if self._is_lost:
            return
        self._is_lost = True
        self._end.take_rest()
        self._end.close()
        for item in self._items.values():
            for task in filter(None, (item.pump, item.held)):
                task.cancel()
            item.pump = item.held = None
        replica = self._replica
        if replica is not None:
            replica.cancel_item = None
            replica.idle.clear()
            for item in self._items.values():
                replica.break_off(item.work, runner_lost(self._replica_id, "its connection was closed"))
            replica.stream_ended(broke_off=True)

    def _offer(self, replica: Replica) -> None:
        if not self._is_lost:
            replica.runner_link.lane.offer(LeanSlot(replica, self))


def could_not_carry(replica_id: str, reason: str) -> CallerError:
    """The error of a request that the emulator failed over on its way to a replica, or back."""
    return CallerError(
        StatusCode.INTERNAL_UNCATEGORIZED,
        f"The emulator failed while it carried this request to replica {replica_id[:8]} and back: {reason}.",
        hint="This is a bug of the emulator; its log has the trace, and `clarifai-emulator status` lists it.",
        description="Internal error",
    )


def item_head(work: Work) -> RunnerItem:
    """Return the item of this work, all but its request."""
    head = RunnerItem(id=work.id, description=work.request_id)
    head.processing_info.runner_method_type = work.method_type  # pyright: ignore[reportAttributeAccessIssue]
    head.processing_info.status.code = StatusCode.SUCCESS
    return head
