"""Speaks the platform's half of the runner protocol: ``ProcessRunnerItems``."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.rpc import rpc_table
from clarifai_emulator.api.transport.grpc_stream import GrpcStream
from clarifai_emulator.api.transport.http2 import Serve
from clarifai_emulator.api.transport.peer import Peer
from clarifai_emulator.background_work import begin
from clarifai_emulator.dispatch.dispatcher import Dispatcher, runner_lost
from clarifai_emulator.dispatch.lane import Replica, RunnerLink, Slot
from clarifai_emulator.dispatch.lean import could_not_carry
from clarifai_emulator.dispatch.runner_item import response_bytes
from clarifai_emulator.dispatch.work import STREAMING_STREAMING, UNARY_UNARY, Work
from clarifai_emulator.errors import describe

log = logging.getLogger(__name__)

CONTROL_PREFIX = "control-"

# A stream beside other items rests so long (see Slot), and again while this machine does not keep up: then the
# runner does not either.
_REST_SECONDS = 0.1
_RESTS = 5

# The largest message that the SDK's channel sends (``clarifai_grpc.channel``). What is too large for a client is
# made to fit (``messages/answer_size.py``).
_LARGEST_OUTPUT = 1024 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Admission:
    """A runner that may speak: which runner, as which replica. ``replica_id`` empty lets the runner choose."""

    link: RunnerLink
    replica_id: str = ""


Admit = Callable[[Mapping[str, str], Any, Peer], Admission | int]
Refusal = Callable[[Mapping[str, str], Peer], int]


class RunnerItems:
    """Serves the streams of every runner that ``admit(metadata, first message, peer)`` lets in.
    ``refusal(metadata, peer)`` is the status of a credential that is no good, of which no message is taken; 0 of
    any other."""

    def __init__(self, dispatcher: Dispatcher, admit: Admit, refusal: Refusal) -> None:
        self._dispatcher = dispatcher
        self._admit = admit
        self._refusal = refusal
        self._path = rpc_table()["ProcessRunnerItems"].path

    def find(self, path: str) -> Serve | None:
        """Return what serves ``ProcessRunnerItems``; None for any other method."""
        return self._serve if path == self._path else None

    async def _serve(self, stream: GrpcStream) -> None:
        """Keep what goes wrong here from the runner: an error code would end its thread for good."""
        try:
            await self._process(stream)
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("a runner's stream failed")

    async def _process(self, stream: GrpcStream) -> None:
        """Serve one stream, from its first message to its end."""
        refused = self._refusal(stream.metadata, stream.peer)
        if refused:
            await stream.write(_status(refused))
            return
        first = await _read(stream)
        if first is None:
            return
        admission = self._admit(stream.metadata, first, stream.peer)
        if not isinstance(admission, Admission):
            await stream.write(_status(admission))
            return
        replica_id = admission.replica_id or first.runner_replica_id or first.runner_id
        replica = self._dispatcher.connect(admission.link, replica_id)
        replica.stream_began()
        stream.take_up_to(_LARGEST_OUTPUT)
        try:
            serve = self._control if first.runner_id.startswith(CONTROL_PREFIX) else self._work
            await serve(stream, replica)
        finally:
            replica.stream_ended(broke_off=stream.closed)
            # A user's own runner has no process here that could be seen to end.
            if not replica.streams and not admission.replica_id:
                self._dispatcher.lose(admission.link, replica_id, "it disconnected")

    async def _control(self, stream: GrpcStream, replica: Replica) -> None:
        """Forward cancellations until the runner goes away."""
        cancelled: asyncio.Queue[str] = asyncio.Queue()
        replica.cancel_item = cancelled.put_nowait
        try:
            while True:
                await stream.write(_cancellation(await cancelled.get()))
        finally:
            replica.cancel_item = None

    async def _work(self, stream: GrpcStream, replica: Replica) -> None:
        """Wait for one item, hand it over, bring its outputs back."""
        self._dispatcher.hear(replica)
        slot = Slot(replica, replica.busy)
        replica.runner_link.lane.offer(slot)
        if slot.behind:
            _rest(slot)
        try:
            # Shielded: a slot whose stream was closed this instant can still be given work, and give it back.
            work = await asyncio.shield(slot.work)
        except asyncio.CancelledError:
            if slot.work.cancelled():
                await stream.write(_status(StatusCode.RUNNER_NEEDS_RETRY))
                return
            self._give_back(slot)
            raise
        try:
            await self._carry(stream, replica, work)
        except asyncio.CancelledError:
            replica.break_off(work, runner_lost(replica.replica_id, "its connection was closed"))
            raise
        except Exception as error:
            log.exception("runner item %s", work.id)
            work.fail(runner_lost(replica.replica_id, f"its stream failed ({error})"))
        replica.release(work)

    def _give_back(self, slot: Slot) -> None:
        """The idle stream is gone; work it was given in the same instant has not been written to it."""
        replica = slot.replica
        if slot.work.done():
            work = slot.work.result()
            replica.release(work)
            replica.runner_link.lane.return_unsent(work)
        else:
            replica.withdraw(slot)

    async def _carry(self, stream: GrpcStream, replica: Replica, work: Work) -> None:
        # The runner logs it, so that what a model prints can be found by its request.
        stream.begin({"req_id": work.request_id})
        await stream.write(response_bytes(work, work.request))
        stream.flush()
        pump = None
        if work.method_type == STREAMING_STREAMING and work.more is not None:
            fail = partial(_fail, work, replica.replica_id)
            pump = begin(_pump(stream, work, work.more), "pump of a client's messages", fail)
        try:
            while True:
                data = await stream.read()
                if data is None:
                    break
                message = service_pb2.PostRunnerItemOutputsRequest.FromString(data)
                size = len(data) if work.method_type != UNARY_UNARY else 0
                for output in message.runner_item_outputs:
                    work.accept(output.multi_output_response, size)
                if work.method_type == UNARY_UNARY and message.runner_item_outputs:
                    replica.finish(work)
            _end(replica, work)
        finally:
            if pump is not None:
                pump.cancel()


def _fail(work: Work, replica_id: str, reason: str) -> None:
    work.fail(could_not_carry(replica_id, reason))


def _end(replica: Replica, work: Work) -> None:
    """The runner has half-closed the stream; one that dies resets it instead."""
    if not work.is_open:
        return
    if work.method_type == UNARY_UNARY:
        work.fail(runner_lost(replica.replica_id, "it ended its stream without an output"))
    else:
        replica.finish(work)


def _rest(slot: Slot, times: int = 1) -> None:
    loop = asyncio.get_running_loop()
    late = loop.time() + 1.5 * _REST_SECONDS

    def rested() -> None:
        if loop.time() > late and times < _RESTS:
            _rest(slot, times + 1)
        else:
            slot.rest()

    loop.call_later(_REST_SECONDS, rested)


async def _read(stream: GrpcStream) -> Any:
    """The runner's next message; None at the end. Raises ``DecodeError``."""
    data = await stream.read()
    return None if data is None else service_pb2.PostRunnerItemOutputsRequest.FromString(data)


async def _pump(stream: GrpcStream, work: Work, more: AsyncIterator[Any]) -> None:
    """Send the client's further messages of a bidirectional call down the item's stream, then its end."""
    try:
        async for request in more:
            await stream.write(response_bytes(work, request))
        await stream.write(_status(StatusCode.RUNNER_STREAM_END))
    except asyncio.CancelledError:
        raise
    except Exception as error:
        log.debug("client stream of runner item %s ended: %s", work.id, error)


def _status(code: int) -> bytes:
    return _response(code).SerializeToString()


def _response(code: int) -> service_pb2.MultiRunnerItemResponse:
    response = service_pb2.MultiRunnerItemResponse()
    response.status.code = code  # pyright: ignore[reportAttributeAccessIssue]
    response.status.description = describe(code)
    return response


def _cancellation(item_id: str) -> bytes:
    response = _response(StatusCode.SUCCESS)
    item = response.runner_items.add(id=item_id)
    item.processing_info.status.code = StatusCode.RUNNER_ITEM_CANCELLED
    return response.SerializeToString()
