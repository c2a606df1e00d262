"""Hands items to the threads of a replica in this process, and their outputs to the event loop, as the messages
that they are: nothing is serialized, and no socket lies between."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from clarifai_emulator.background_work import begin_thread
from clarifai_emulator.dispatch.lean import LeanReplica, item_head
from clarifai_emulator.dispatch.work import Work
from clarifai_emulator.inside import lean_main
from clarifai_emulator.inside.lean_main import DONE, END, ITEM, LAST, MORE

# So many of a client's further messages may wait for its model to read on.
_UNREAD = 64
# A response, after its size in bytes.
Packed = tuple[int, Any]


class LeanThreads:
    """Feeds a replica in this process. ``begin``: called in each of its threads before the first item."""

    def __init__(self, begin: Callable[[], None]) -> None:
        self._begin = begin
        self._loop = asyncio.get_running_loop()
        self._replica: LeanReplica | None = None
        self._is_closed = False
        self._runner: lean_main.ItemRunner | None = None
        self._channels: list[ThreadChannel] = []
        self._orders: queue.SimpleQueue[int | None] = queue.SimpleQueue()  # noqa: TID251 - waited for without a timeout

    # In the event loop: see ``LeanEnd``.

    def listen(self, replica: LeanReplica) -> None:
        self._replica = replica
        self._tell_ready()

    def _tell_ready(self) -> None:
        if self._runner is not None and self._replica is not None:
            self._replica.ready(self._runner.threads, is_asked=self._runner.is_asked)
            if self._runner.is_asked:
                begin_thread(self._admit, "admission of a replica", self._thread_failed, loop=self._loop)

    def open_channel(self) -> ThreadChannel:
        assert self._replica is not None
        assert self._runner is not None
        channel = ThreadChannel(self._replica, self._loop)
        self._channels.append(channel)
        work = partial(self._work, self._runner, channel)
        begin_thread(work, "thread of a replica", self._thread_failed, loop=self._loop)
        return channel

    def cancel(self, number: int) -> None:
        self._orders.put(number)

    def take_rest(self) -> None:
        for channel in self._channels:
            channel.take()

    def close(self) -> None:
        self._is_closed = True
        if self._runner is not None:
            self._runner.ask_no_more()
        self._orders.put(None)
        for channel in self._channels:
            channel.close()

    def _note_admitted(self) -> None:
        if self._replica is not None and not self._is_closed:
            self._replica.admits()

    def _thread_failed(self, reason: str) -> None:
        assert self._replica is not None
        self._replica.lost()  # as one whose process hangs up

    # In the threads of the replica.

    def serve(self, runner: lean_main.ItemRunner) -> None:
        """Tell that the model is loaded; then tell the model of clients that go away, until ``close``."""
        self._runner = runner
        self._loop.call_soon_threadsafe(self._tell_ready)
        while (number := self._orders.get()) is not None:
            runner.cancel(number)

    def _admit(self) -> None:
        assert self._runner is not None
        self._begin()
        self._runner.admit(self._say_admits)

    def _say_admits(self) -> None:
        self._loop.call_soon_threadsafe(self._note_admitted)

    def _work(self, runner: lean_main.ItemRunner, channel: ThreadChannel) -> None:
        self._begin()
        while (item := channel.next_item()) is not None:
            runner.execute(*item, channel)
            del item  # it may be large, and the next one may be long in coming


class ThreadChannel:
    """Carries items to one thread, and what it answers back to the event loop."""

    def __init__(self, replica: LeanReplica, loop: asyncio.AbstractEventLoop) -> None:
        self._replica = replica
        self._loop = loop
        self._inbox: queue.SimpleQueue[tuple[int, int, Any] | None] = queue.SimpleQueue()  # noqa: TID251 - as above
        # A model may read its inputs in a thread of its own, which may still do so when the item has ended.
        self._reading = threading.Lock()
        self._kept: deque[tuple[int, int, Any]] = deque()
        self._unread = 0
        self._was_read = asyncio.Event()
        self._outbox: deque[tuple[int, int, Packed | None]] = deque()
        self._is_told = False  # the event loop will look into the outbox
        self._may_answer = threading.Event()  # cleared while the client is far behind
        self._may_answer.set()

    # In the event loop: see ``Channel``.

    def give(self, number: int, work: Work) -> None:
        self._inbox.put((ITEM, number, _item(work, work.request)))

    async def more(self, number: int, work: Work, request: Any) -> None:
        self._inbox.put((MORE, number, _item(work, request)))
        self._unread += 1
        while self._unread > _UNREAD:
            self._was_read.clear()
            await self._was_read.wait()

    def end(self, number: int) -> None:
        self._inbox.put((END, number, None))

    def hold(self) -> None:
        self._may_answer.clear()

    def go(self) -> None:
        self._may_answer.set()

    def close(self) -> None:
        self._inbox.put(None)
        self._may_answer.set()

    def take(self) -> None:
        """Take what the thread has answered."""
        self._is_told = False
        while self._outbox:
            kind, number, packed = self._outbox.popleft()
            if packed is not None:
                size, response = packed
                self._replica.output(number, response, size, is_last=kind == LAST)
            if kind in (LAST, DONE):
                self._replica.done(number)

    def _note_read(self) -> None:
        self._unread -= 1
        self._was_read.set()

    # In the thread: see ``lean_main.ItemRunner``.

    def next_item(self) -> tuple[int, Any] | None:
        """The next item and its number; None when the emulator wants no more."""
        while True:
            with self._reading:
                frame = self._kept.popleft() if self._kept else self._inbox.get()
            if frame is None:
                return None
            kind, number, message = frame
            if kind == MORE:  # left of an item that has ended
                self._in_loop(self._note_read)
            if kind == ITEM:
                return number, message

    def further(self, item: Any) -> Iterator[Any]:
        """The client's further messages, until it sends no more, went away, or has its whole answer."""
        while True:
            with self._reading:
                frame = self._kept.popleft() if self._kept else self._inbox.get()
                if frame is None:
                    self._inbox.put(None)  # for the thread itself, too
                    return
                kind, number, message = frame
                if item.ended or number != item.number:
                    self._kept.append(frame)
                    return
            if kind != MORE:
                return
            self._in_loop(self._note_read)
            yield message

    def pack(self, response: Any) -> tuple[int, Packed]:
        """Measure a response here: that takes as long as to write it."""
        size = response.ByteSize()
        return size, (size, response)

    def answer(self, number: int, kind: int, packed: Packed | None) -> None:
        """Hand over an output of an item, or that there are no more. Waits while the client is far behind."""
        self._may_answer.wait()
        self._outbox.append((kind, number, packed))
        if not self._is_told:
            self._is_told = True
            self._in_loop(self.take)

    def _in_loop(self, function: Callable[[], None]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function)


def _item(work: Work, request: Any) -> Any:
    item = item_head(work)
    if work.came and request is work.request:  # which may be an outline
        item.post_model_outputs_request.MergeFromString(work.came)
    else:
        item.post_model_outputs_request.CopyFrom(request)
    work.complete(item.post_model_outputs_request)
    return item
