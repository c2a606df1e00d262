"""Keeps what the last inference calls were asked and answered, as bytes, for the page to show and to send again.

    request ─► KeptCalls.begin ─► KeptCall ◄─ heard (further items) ◄─ answered (each output)

Nothing is read of a message before somebody looks: a call costs the references to its bytes. A call that holds its
part already has the sizes of its further messages only, and one that is forgotten while it goes on holds nothing,
so that all of them together stay within one bound. Switched off, as it is until the page is mounted, it keeps none.
"""

from __future__ import annotations

import mmap
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clarifai_emulator.api.call_counts import CallCounts

if TYPE_CHECKING:
    from clarifai_emulator.api.access.auth import Caller
    from clarifai_emulator.api.call import ApiCall
    from clarifai_emulator.api.rpc import Rpc
    from clarifai_emulator.messages.outline import Bytes
    from clarifai_emulator.routing import Decision

# Calls, their bytes in all, those of one call and of one message, and messages of one stream in one direction.
MOST_CALLS = 2_000
MOST_BYTES = 32 * 1024 * 1024
MOST_OF_CALL = 16 * 1024 * 1024
MOST_OF_MESSAGE = 8 * 1024 * 1024
MOST_MESSAGES = 500
# What a call weighs beside its messages, and a message beside its bytes.
_OVERHEAD = 1_000
_OVERHEAD_OF_MESSAGE = 200
_BUFFERS = (bytearray, mmap.mmap)


@dataclass(slots=True)
class KeptMessage:
    """A message as it passed. ``time``: seconds since the epoch. ``held``: its bytes, as they came; None where it,
    or its call, was larger than is kept. ``size``: in bytes."""

    time: float
    held: bytes | bytearray | None
    size: int

    @property
    def data(self) -> bytes | None:
        """Return its bytes; None where they are not kept. What came as a buffer is copied only here."""
        return bytes(self.held) if isinstance(self.held, bytearray) else self.held


@dataclass(slots=True, eq=False)
class KeptCall:
    """An inference call: who asked what, and what it was answered. ``decision``: None before it was routed, and of
    one that was refused. ``inputs_left_out`` and
    ``outputs_left_out``: messages beyond those that are kept. ``weight``: bytes that it holds."""

    request_id: str
    rpc: Rpc
    caller: Caller
    method: str
    decision: Decision | None = None
    inputs: list[KeptMessage] = field(default_factory=list[KeptMessage])
    outputs: list[KeptMessage] = field(default_factory=list[KeptMessage])
    inputs_left_out: int = 0
    outputs_left_out: int = 0
    weight: int = _OVERHEAD

    def first_request(self) -> Any | None:
        """Return the first message that its client sent; None where it was too large to be kept."""
        data = self.inputs[0].data if self.inputs else None
        return self.rpc.request_type.FromString(data) if data is not None else None

    def take(self, messages: list[KeptMessage], message: KeptMessage) -> int:
        """Take one more message into ``inputs`` or ``outputs``. Return what it weighs."""
        messages.append(message)
        weight = _OVERHEAD_OF_MESSAGE if message.held is None else _OVERHEAD_OF_MESSAGE + message.size
        self.weight += weight
        return weight

    def let_go(self) -> None:
        """Hold no message any longer. Lists that somebody reads meanwhile stay as they are."""
        self.inputs, self.outputs = [], []
        self.weight = 0

    def requests(self) -> list[Any]:
        """Return the messages that its client sent, in order; None for one that was too large to be kept."""
        kind = self.rpc.request_type
        return _read(kind, self.inputs)

    def responses(self) -> list[Any]:
        """Return the messages that its client got, in order; None for one that was too large to be kept."""
        kind = self.rpc.response_type
        return _read(kind, self.outputs)


def _read(kind: Any, messages: list[KeptMessage]) -> list[Any]:
    return [None if data is None else kind.FromString(data) for data in (each.data for each in messages)]


class KeptCalls:
    """Keeps the last calls, within bounds. ``now`` gives the time. ``call_counts``: how many there were of each
    method, the last ones or not. In the emulator's event loop."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.is_on = False
        self.call_counts = CallCounts()
        self._now = now
        self._calls: OrderedDict[str, KeptCall] = OrderedDict()
        self._bytes = 0

    def switch_on(self) -> None:
        """Keep calls from now on."""
        self.is_on = True

    def find(self, request_id: str) -> KeptCall | None:
        """Return the call of a request; None where it is not kept."""
        return self._calls.get(request_id)

    def all(self) -> list[KeptCall]:
        """Return the calls that are kept, oldest first."""
        return list(self._calls.values())

    def forget(self, owns: Callable[[str], bool] | None = None) -> None:
        """Forget the calls of users for whom ``owns`` holds, and how often their models were called; all of it
        where there is no ``owns``."""
        self.call_counts.forget(owns)
        for kept in self.all():
            if owns is None or owns(kept.caller.user_id):
                self._let_go(kept.request_id)

    def begin(self, call: ApiCall, request: Any, method: str) -> KeptCall:
        """Keep a call from now on."""
        kept = KeptCall(call.request_id, call.rpc, call.caller, method)
        message, data = call.came
        self._calls[call.request_id] = kept
        self._bytes += kept.weight
        self._note(kept, kept.inputs, data if message is request and data else request)
        return kept

    def routed(self, kept: KeptCall, decision: Decision) -> None:
        """Keep where a call goes, and count it there."""
        kept.decision = decision
        self.call_counts.count(decision.model, kept.method)

    async def heard(self, kept: KeptCall, more: AsyncIterator[Any]) -> AsyncIterator[Any]:
        """Give the further messages of a stream, and keep them."""
        async for each in more:
            if len(kept.inputs) < MOST_MESSAGES:
                self._note(kept, kept.inputs, each)
            else:
                kept.inputs_left_out += 1
            yield each

    def answered(self, kept: KeptCall, output: Any, came_back: Bytes) -> None:
        """Keep one more output. ``came_back``: the bytes that it was read from, where they are there."""
        if len(kept.outputs) < MOST_MESSAGES:
            self._note(kept, kept.outputs, came_back or output)
        else:
            kept.outputs_left_out += 1

    def _note(self, kept: KeptCall, messages: list[KeptMessage], message: Any) -> None:
        """Keep a message, or the bytes of one."""
        if not kept.weight:
            return  # it was let go while it went on
        kind = type(message)
        # Not asked for its size first: that takes a message as long as to write it.
        held = message if kind is bytes or kind in _BUFFERS else message.SerializeToString()
        size = len(held)
        if size > MOST_OF_MESSAGE or size + kept.weight > MOST_OF_CALL:
            held = None
        elif kind is mmap.mmap:
            held = bytes(held)  # what is mapped is given back page by page as it leaves
        self._bytes += kept.take(messages, KeptMessage(self._now(), held, size))
        while self._bytes > MOST_BYTES or len(self._calls) > MOST_CALLS:
            self._let_go(next(iter(self._calls)))

    def _let_go(self, request_id: str) -> None:
        kept = self._calls.pop(request_id)
        self._bytes -= kept.weight
        kept.let_go()
