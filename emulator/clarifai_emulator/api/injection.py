"""Does to requests what faults decide, and says so: in the event log, the trailers, and the answer's details.

    request chain ──arrive()──► handler ──► routed ──submit()──► lane ──taken()──► replica ──► chunks ──► cut

Called only while there is a fault for that moment (``Faults.arriving``, ``routed``, ``taken``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.call import Call
from clarifai_emulator.config import DEFAULT_HOLD_SECONDS
from clarifai_emulator.dispatch.lane import Lane, LaneKey, Replica
from clarifai_emulator.dispatch.work import Work
from clarifai_emulator.errors import CallerError, TransportError
from clarifai_emulator.events import EventBus
from clarifai_emulator.faults import Faults, Injection, Subject
from clarifai_emulator.routing import Decision

# Queues the work; the number bounds, in seconds, how long it may wait for a replica to start.
Enter = Callable[[Work, Lane, float], None]

TRAILER = "x-clarifai-emulator-fault"


class Injector:
    """Injects the faults of one emulator. ``lose_replica`` and ``scale_to_zero`` are the supervisor's."""

    def __init__(
        self,
        faults: Faults,
        *,
        events: EventBus,
        hold_seconds: float,
        lose_replica: Callable[[Replica, str], None],
        scale_to_zero: Callable[[LaneKey, str], None],
    ) -> None:
        self.faults = faults
        self.hold_seconds = hold_seconds
        self.lose_replica = lose_replica
        self.scale_to_zero = scale_to_zero
        self._events = events

    async def arrive(self, call: Call) -> None:
        """Before the handler: delay the request, or raise what it ends with."""
        for injection in self.faults.decide(
            self.faults.arriving, Subject(call.rpc.name, caller=call.caller.user_id)
        ):
            self.tell(call, injection)
            await asyncio.sleep(injection.seconds)
            if injection.ends_request:
                raise error_of(injection)

    def submit(self, call: Call, decision: Decision, work: Work, lane: Lane, enter: Enter) -> None:
        """Between routing and the queue: ``enter`` it at once, later, or never, which fails the work."""
        subject = Subject(call.rpc.name, decision.model, decision.deployment or (), caller=call.caller.user_id)
        submission = _Submission(self, call, work, lane, enter, subject)
        if self.faults.taken:
            work.on_taken = submission.taken
        submission.routed()

    def tell(self, call: Call, injection: Injection, **fields: str) -> None:
        """Mark the request: an event, a note for the event of its end, and a trailer for its client."""
        fault_id = injection.active.id
        ids: list[str] = call.notes.setdefault("faults", [])
        ids.append(fault_id)
        call.trailers[TRAILER] = ",".join(ids)
        self._events.emit(
            "fault.injected",
            fault_id=fault_id,
            rule=str(injection.fault),
            request_id=call.request_id,
            rpc=call.rpc.name,
            effect=injection.fault.effect,
            **({"seconds": round(injection.seconds, 6)} if injection.seconds else {}),
            **fields,
        )


@dataclass(slots=True)
class _Submission:
    """One work on its way to a replica."""

    injector: Injector
    call: Call
    work: Work
    lane: Lane
    enter: Enter
    subject: Subject

    def routed(self) -> None:
        """It has a deployment, and no replica yet."""
        faults = self.injector.faults
        injections = faults.decide(faults.routed, self.subject)
        hold_seconds = self.injector.hold_seconds
        for injection in injections:
            fault = injection.fault
            if fault.cut_after:
                self._cut_later(injection, fault.cut_after)
                continue
            self.injector.tell(self.call, injection)
            if fault.scale_to_zero:
                self.injector.scale_to_zero(self.lane.key, f"scaled to zero, {injection.remark}")
            if fault.cold_start == "hold":
                hold_seconds = hold_seconds or DEFAULT_HOLD_SECONDS
        last = injections[-1] if injections and injections[-1].ends_request else None
        seconds = sum(injection.seconds for injection in injections)
        if seconds:
            asyncio.get_running_loop().call_later(seconds, self._go_on, last, hold_seconds)
        else:
            self._go_on(last, hold_seconds)

    def _go_on(self, ending: Injection | None, hold_seconds: float) -> None:
        if not self.work.is_open:
            return
        try:
            if ending is None:
                self.enter(self.work, self.lane, hold_seconds)
            elif ending.fault.cold_start == "bounce":
                self._bounce(ending)
            else:
                self.work.fail(error_of(ending))
        except CallerError as error:
            self.work.fail(error)

    def _bounce(self, injection: Injection) -> None:
        error = CallerError(
            StatusCode.MODEL_DEPLOYING,
            f"No replica of '{self.lane.key.deployment_id}' is ready yet ({injection.remark}).",
        )
        if self.lane.live_replicas:
            self.work.fail(error)
        else:
            self.lane.bounce(self.work, error)  # a replica is wanted all the same

    def taken(self, work: Work) -> None:
        """A replica is about to get it. What fails the work here is kept away from the replica."""
        replica = self.lane.replica(work.replica_id)
        if replica is None:
            return
        faults = self.injector.faults
        subject = replace(self.subject, nodepool=replica.runner.nodepool, replica=replica.replica_id)
        for injection in faults.decide(faults.taken, subject):
            fault = injection.fault
            if fault.cut_after:
                work.late += injection.seconds
                self._cut_later(injection, fault.cut_after)
            elif fault.lose_replica and injection.seconds:
                asyncio.get_running_loop().call_later(injection.seconds, self._lose_later, injection, replica)
            else:
                work.late += injection.seconds
                self.inject(injection)

    def inject(self, injection: Injection) -> None:
        """Do it to the work that a replica has, or is about to get."""
        work, replica_id = self.work, self.work.replica_id
        self.injector.tell(self.call, injection, replica_id=replica_id)
        if injection.fault.lose_replica:
            replica = self.lane.replica(replica_id)
            if replica is not None:
                self.injector.lose_replica(replica, f"its process was killed ({injection.remark})")
        elif injection.fault.cut_after:
            work.expire(error_of(injection))  # the model is told that nobody listens any more
        elif injection.ends_request:
            work.fail(error_of(injection))

    def _cut_later(self, injection: Injection, chunks: int) -> None:
        if self.work.cut is not None:
            self.work.cut.settle()
        self.work.cut = _Cut(self, injection, chunks)

    def _lose_later(self, injection: Injection, replica: Replica) -> None:
        if self.work.is_open and self.work.replica_id == replica.replica_id:
            self.inject(injection)
        else:
            self.injector.faults.withdraw(injection)


class _Cut:
    """Ends the stream of one work after ``chunks`` of its outputs."""

    def __init__(self, submission: _Submission, injection: Injection, chunks: int) -> None:
        self._submission = submission
        self._injection = injection
        self._left = chunks

    def chunk_came(self, work: Work) -> None:
        self._left -= 1
        if self._left == 0:
            self._submission.inject(self._injection)

    def settle(self) -> None:
        if self._left > 0:
            self._submission.injector.faults.withdraw(self._injection)
            self._left = 0


def error_of(injection: Injection) -> CallerError | TransportError:
    """How a request ends that gets this fault."""
    fault = injection.fault
    text = f"{fault.text} ({injection.remark})"
    return CallerError(fault.code, text) if fault.code else TransportError(fault.grpc or "UNAVAILABLE", text)
