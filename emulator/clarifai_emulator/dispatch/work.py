"""Models a request in flight as a state machine.

    QUEUED ──send()──► SENT ──finish()──► DONE
      │                  │ ├──fail()────► FAILED     the runner was lost, or answered nonsense
      │                  │ └──cancel()──► CANCELLED  the client went away; outputs that still come are dropped
      └──fail()/cancel() before it was sent

The inference handler reads ``outputs()`` at one end, the runner's stream feeds ``accept()`` at the other. Every
transition emits one event; nothing else does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any

from clarifai_grpc.grpc.api.resources_pb2 import Model, RunnerMethodType

from clarifai_emulator.clock import ClockTimer
from clarifai_emulator.dispatch.backlog import Backlog
from clarifai_emulator.dispatch.code_mark import take_mark
from clarifai_emulator.dispatch.outer_ended import outer_has_ended
from clarifai_emulator.dispatch.prompt_future import PromptFuture
from clarifai_emulator.dispatch.work_steps import Enter, WorkStep
from clarifai_emulator.errors import CallerError, TransportError
from clarifai_emulator.events import EventBus
from clarifai_emulator.messages.address import NodepoolKey
from clarifai_emulator.messages.outline import Bytes
from clarifai_emulator.unique_ids import unique_id

if TYPE_CHECKING:
    from clarifai_emulator.dispatch.call_tree import PlaceInTree
    from clarifai_emulator.dispatch.lane import Lane

UNARY_UNARY = RunnerMethodType.UNARY_UNARY
UNARY_STREAMING = RunnerMethodType.UNARY_STREAMING
STREAMING_STREAMING = RunnerMethodType.STREAMING_STREAMING

# A client that reads slower than the model writes is far behind after this many chunks or bytes, until it has taken
# half of them. A runner that can be held back is.
_OUTPUTS_AHEAD = 64
_BYTES_AHEAD = 8 * 1024 * 1024
# An output of this size is sent on as it came: to write it once more takes longer than all else.
_LARGE = 256 * 1024


class State(StrEnum):
    """The state of a work item on its way."""

    QUEUED = "queued"
    SENT = "sent"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


_EVENTS = {state: f"work.{state}" for state in State}


class Work:
    """A runner item: a client's request, its further messages, and the outputs that come back.

    ``nodepools`` are those the routing decision allows, in order of preference; ``runner_id`` pins one runner, and
    ``is_pinned`` says that the client asked for this very model version, ``is_placed`` that it asked for this very
    nodepool or runner. ``replica_id`` took it, in ``nodepool`` (empty and None before that). ``code`` is the
    content hash of the code that answers, as a replica that ``tells_code`` tells with its first output. ``more``
    are the client's further messages of a bidirectional call. ``model`` is told to the runner with each message,
    with its version: a model of Clarifai's own tests (dummy_runner_proto_model) fails without, and its client does
    not send it; the platform fills it in. ``came``: the bytes of ``request`` as the client sent them, if they are
    there; the request may be an outline of them. ``came_back``: those of the output that was given last, if it
    ``passes``. ``size``: the bytes of
    the output that was given last; 0 where that is not known.

    ``steps`` are what it meets on its way to the replica and back; mostly there are none. ``place``: that of a
    request that a model made while it answered another; ``inner``: those that this one's model has made, and that
    have not ended.
    """

    __slots__ = (
        "_chunk_taken",
        "_chunks",
        "_error",
        "_events",
        "_hold",
        "_late",
        "_reader",
        "came",
        "came_back",
        "code",
        "id",
        "inner",
        "is_open",
        "is_pinned",
        "is_placed",
        "method_type",
        "model",
        "more",
        "nodepool",
        "nodepools",
        "on_cancel",
        "place",
        "replica_id",
        "request",
        "request_id",
        "runner_id",
        "sent_at",
        "size",
        "state",
        "steps",
        "takes_bytes",
        "tells_code",
    )

    def __init__(
        self,
        request: Any,
        *,
        method_type: int,
        events: EventBus,
        request_id: str = "",
        nodepools: tuple[NodepoolKey, ...] = (),
        runner_id: str = "",
        is_pinned: bool = False,
        is_placed: bool = False,
        more: AsyncIterator[Any] | None = None,
        model: Model | None = None,
        steps: tuple[WorkStep, ...] = (),
        came: bytes = b"",
        takes_bytes: bool = False,
        place: PlaceInTree | None = None,
    ) -> None:
        self.id = unique_id()
        self.place = place
        self.inner: set[Work] | None = None
        self.request = request
        self.came = came
        self.takes_bytes = takes_bytes
        self.came_back: Bytes = b""
        self.size = 0
        self.request_id = request_id
        self.method_type = method_type
        self.nodepools = nodepools
        self.runner_id = runner_id
        self.more = more
        self.model = model
        self.state = State.QUEUED
        self.is_open = True  # until the outcome is settled
        self.replica_id = ""
        self.nodepool: NodepoolKey | None = None
        self.sent_at = 0.0
        self.on_cancel: Callable[[Work], None] | None = None
        self.steps = steps
        self.is_pinned = is_pinned
        self.is_placed = is_placed
        self.tells_code = False
        self.code = ""
        self._events = events
        self._chunks = Backlog()
        self._reader: PromptFuture | None = None  # who waits for the next output
        self._chunk_taken: asyncio.Event | None = None  # made when the client is far behind
        self._hold: ClockTimer | None = None
        self._late = 0.0  # for so many seconds its next output is kept back
        self._error: CallerError | TransportError | None = None
        if place is not None and place.choices:
            place.parent.hold_inside(self)

    def hold_inside(self, work: Work) -> None:
        """Note a request that its model has made, until that one ends."""
        if self.inner is None:
            self.inner = set()
        self.inner.add(work)

    def let_go_inside(self, work: Work) -> None:
        """Take note that a request has ended that its model has made."""
        if self.inner is not None:
            self.inner.discard(work)

    def allows(self, nodepool: NodepoolKey, runner_id: str) -> bool:
        """Tell whether the routing decision lets this runner take the work."""
        return nodepool in self.nodepools and self.runner_id in ("", runner_id)

    def turn_to(self, nodepool: NodepoolKey) -> None:
        """Let any runner of this nodepool take the work, and no other."""
        self.nodepools, self.runner_id = (nodepool,), ""

    def hold(self, timer: ClockTimer) -> None:
        """Keep the timer that ends the wait for a replica; it is cancelled once the outcome is settled."""
        self._hold = timer

    def send(self, replica_id: str, nodepool: NodepoolKey | None = None) -> None:
        """A replica takes the work."""
        self.replica_id, self.nodepool = replica_id, nodepool
        self._move(State.SENT)

    def complete(self, request: Any) -> None:
        """Fill the model, with its version, into a message on its way to a runner."""
        if self.model is not None:
            given = Model()
            given.CopyFrom(request.model)
            request.model.CopyFrom(self.model)
            request.model.MergeFrom(given)

    def requeue(self) -> None:
        """The replica vanished before a byte of the work was written to it: someone else may have it."""
        self.replica_id, self.nodepool = "", None
        self.state = State.QUEUED

    def passes(self, size: int) -> bool:
        """Tell whether an output of this size goes to its client in the bytes in which it comes: its message may be
        an outline of them, then."""
        return self.takes_bytes and size >= _LARGE and not self.tells_code

    @property
    def is_ahead(self) -> bool:
        """Tell whether its client is far behind its model."""
        return self.is_open and self._is_beyond(_OUTPUTS_AHEAD, _BYTES_AHEAD)

    def _is_beyond(self, chunks: int, size: int) -> bool:
        return len(self._chunks) >= chunks or self._chunks.bytes >= size

    async def caught_up(self) -> None:
        """While its client is far behind: wait until it has taken half of what came, or wants no more."""
        if not self.is_ahead:
            return
        self._chunk_taken = self._chunk_taken or asyncio.Event()
        while self.is_open and self._is_beyond(_OUTPUTS_AHEAD // 2, _BYTES_AHEAD // 2):
            self._chunk_taken.clear()
            await self._chunk_taken.wait()

    def enter(self, lane: Lane, hold_seconds: float, queue: Enter) -> None:
        """Take its steps into the queue of a lane, which ``queue`` puts it in."""
        for step in reversed(self.steps):
            queue = partial(step.enter, following=queue)
        queue(self, lane, hold_seconds)

    def accept(self, response: Any, size: int = 0, *, is_last: bool = False, came: Bytes = b"") -> None:
        """Take one output of the runner, of ``size`` bytes: ``came``, where it ``passes``. Dropped when nobody
        wants it. ``is_last``: ``finish`` and ``tell_now`` follow at once."""
        if self.is_open:
            if self.tells_code:
                self.code = take_mark(response) or self.code
            self._chunks.append(response, size, came)
            if not is_last:
                self._tell_reader()
            for step in self.steps:
                step.answer(self)

    def delay(self, seconds: float) -> None:
        """Keep its next output back for so long, beside what it is delayed already."""
        self._late += seconds

    def finish(self, *, tells: bool = True) -> None:
        """The runner is through with it: no more outputs. Without ``tells``, ``tell_now`` follows at once."""
        if self.is_open:
            self._move(State.DONE)
            if tells:
                self._tell_reader()

    def tell_now(self) -> None:
        """Let its client have what came last, before anything else is done."""
        if self._reader is not None:
            self._reader.wake_now()

    def fail(self, error: CallerError | TransportError) -> None:
        """Fail work that cannot be completed; outputs that already came are still delivered, then ``error``."""
        if self.is_open:
            self._error = error
            self._move(State.FAILED, error=error.message)
            self._tell_reader()
            self._tell_writer()

    def cancel(self) -> None:
        """The client went away, or its time is up: outputs that came are dropped, whatever the state."""
        self._chunks.clear()
        if self.is_open:
            self._move(State.CANCELLED)
            self._tell_writer()
            if self.on_cancel is not None:
                self.on_cancel(self)

    def expire(self, error: CallerError | TransportError) -> None:
        """End work whose time is up, or whose stream is cut: the client gets ``error``, the model is told that
        nobody waits."""
        if self.is_open:
            tell = self.on_cancel
            self.fail(error)
            if tell is not None:
                tell(self)

    async def next_output(self) -> Any | None:
        """The next output; None after the last. Raises the error the work failed with, after the last of them."""
        while True:
            if self._late and (self._chunks or not self.is_open):
                seconds, self._late = self._late, 0.0
                await asyncio.sleep(seconds)
            if self._chunks:
                self._tell_writer()
                output, self.size, self.came_back = self._chunks.popleft()
                return output
            if not self.is_open:
                break
            self._reader = PromptFuture()
            await self._reader
        if self._error is not None:
            raise self._error
        return None

    async def outputs(self) -> AsyncIterator[Any]:
        """All outputs, as ``next_output`` gives them."""
        while (output := await self.next_output()) is not None:
            yield output

    def _tell_reader(self) -> None:
        if self._reader is not None:
            self._reader.wake_soon()

    def _tell_writer(self) -> None:
        if self._chunk_taken is not None:
            self._chunk_taken.set()

    def _move(self, state: State, **fields: Any) -> None:
        self.state = state
        self.is_open = state is State.SENT
        if self._hold is not None and not self.is_open:
            self._hold.cancel()
            self._hold = None
        self._events.emit(
            _EVENTS[state], work_id=self.id, request_id=self.request_id, replica_id=self.replica_id, **fields
        )
        if (self.place is not None or self.inner) and not self.is_open:
            self._end_in_tree(**fields)

    def _end_in_tree(self, error: str = "") -> None:
        """End what its model has begun for it, unless it answered without waiting for that."""
        if self.place is not None:
            self.place.parent.let_go_inside(self)
        if self.state is not State.DONE:
            for each in tuple(self.inner or ()):
                if each.place is not None and each.place.choices == 1:
                    each.expire(outer_has_ended(self.request_id, error))
