"""Does to requests what faults decide, and tells of it in the event log, the trailers, and the answer's details.

    request chain ─ arrive ─► handler ─► routed ─ enter ─► lane ─ take ─► replica ─► chunks ─ answer ─► cut

The first is a step of the request chain, the others are steps of work (``dispatch/work_steps.py``). None is taken
while there is no fault for that moment (``Faults.arriving``, ``routed``, ``taken``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.call import ApiCall
from clarifai_emulator.config import DEFAULT_HOLD_SECONDS
from clarifai_emulator.dispatch.lane import Lane, LaneKey, Replica
from clarifai_emulator.dispatch.work import Work
from clarifai_emulator.dispatch.work_steps import Enter, WorkStep
from clarifai_emulator.errors import CallerError, TransportError
from clarifai_emulator.events import EventBus
from clarifai_emulator.faults import Faults, Injection, Subject
from clarifai_emulator.routing import Decision

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

    async def arrive(self, call: ApiCall) -> None:
        """Before the handler: delay the request, or raise what it ends with."""
        for injection in self.faults.decide(
            self.faults.arriving,
            Subject(call.rpc.name, caller=call.caller.user_id, calling=_calling_model(call)),
        ):
            self.tell(call, injection)
            await asyncio.sleep(injection.seconds)
            if injection.ends_request:
                raise error_of(injection)

    def steps_of(self, call: ApiCall, decision: Decision) -> tuple[WorkStep, ...]:
        """Return the steps that a call's work takes between routing and its replica."""
        subject = Subject(
            call.rpc.name,
            decision.model,
            decision.deployment or (),
            caller=call.caller.user_id,
            calling=_calling_model(call),
        )
        return (_WorkFaults(self, call, subject),)

    def tell(self, call: ApiCall, injection: Injection, **fields: str) -> None:
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


def _calling_model(call: ApiCall) -> tuple[str, ...]:
    return (call.place.model if call.place is not None else None) or ()


class _WorkFaults(WorkStep):
    """Injects faults into one work on its way to a replica and back."""

    def __init__(self, injector: Injector, call: ApiCall, subject: Subject) -> None:
        self._injector = injector
        self._call = call
        self._subject = subject
        self._replica: Replica | None = None
        self._cut: _Cut | None = None

    def enter(self, work: Work, lane: Lane, hold_seconds: float, following: Enter) -> None:
        faults = self._injector.faults
        injections = faults.decide(faults.routed, self._subject)
        for injection in injections:
            fault = injection.fault
            if fault.cut_after:
                self._cut_later(injection, fault.cut_after)
                continue
            self._injector.tell(self._call, injection)
            if fault.scale_to_zero:
                self._injector.scale_to_zero(lane.key, f"scaled to zero, {injection.remark}")
            if fault.cold_start == "hold":
                hold_seconds = hold_seconds or DEFAULT_HOLD_SECONDS
        last = injections[-1] if injections and injections[-1].ends_request else None
        seconds = sum(injection.seconds for injection in injections)
        go_on = partial(following, work, lane, hold_seconds) if last is None else partial(_end, work, lane, last)
        if seconds:
            asyncio.get_running_loop().call_later(seconds, _go_on, work, go_on)
        else:
            _go_on(work, go_on)

    def take(self, work: Work, replica: Replica) -> None:
        self._replica = replica
        faults = self._injector.faults
        subject = replace(self._subject, nodepool=replica.runner_link.nodepool, replica=replica.replica_id)
        for injection in faults.decide(faults.taken, subject):
            fault = injection.fault
            if fault.cut_after:
                work.delay(injection.seconds)
                self._cut_later(injection, fault.cut_after)
            elif fault.lose_replica and injection.seconds:
                loop = asyncio.get_running_loop()
                loop.call_later(injection.seconds, self._lose_later, work, injection, replica)
            else:
                work.delay(injection.seconds)
                self._inject(work, injection)

    def answer(self, work: Work) -> None:
        cut = self._cut
        if cut is not None:
            cut.chunks -= 1
            if cut.chunks == 0:
                self._inject(work, cut.injection)

    def leave(self, work: Work) -> None:
        if self._cut is not None and self._cut.chunks > 0:
            self._injector.faults.withdraw(self._cut.injection)
            self._cut = None

    def _cut_later(self, injection: Injection, chunks: int) -> None:
        if self._cut is not None and self._cut.chunks > 0:
            self._injector.faults.withdraw(self._cut.injection)
        self._cut = _Cut(injection, chunks)

    def _lose_later(self, work: Work, injection: Injection, replica: Replica) -> None:
        if work.is_open and work.replica_id == replica.replica_id:
            self._inject(work, injection)
        else:
            self._injector.faults.withdraw(injection)

    def _inject(self, work: Work, injection: Injection) -> None:
        """Do it to the work that a replica has, or is about to get."""
        self._injector.tell(self._call, injection, replica_id=work.replica_id)
        if injection.fault.lose_replica:
            if self._replica is not None:
                self._injector.lose_replica(self._replica, f"its process was killed ({injection.remark})")
        elif injection.fault.cut_after:
            work.expire(error_of(injection))  # the model is told that nobody listens any more
        elif injection.ends_request:
            work.fail(error_of(injection))


@dataclass(slots=True)
class _Cut:
    """Says that a stream ends after so many more of its outputs."""

    injection: Injection
    chunks: int


def _go_on(work: Work, further: Callable[[], None]) -> None:
    if not work.is_open:
        return
    try:
        further()
    except CallerError as error:
        work.fail(error)


def _end(work: Work, lane: Lane, injection: Injection) -> None:
    """End work that never reaches its queue."""
    if injection.fault.cold_start != "bounce":
        work.fail(error_of(injection))
        return
    error = CallerError(
        StatusCode.MODEL_DEPLOYING,
        f"No replica {lane.key.of} is ready yet ({injection.remark}).",
    )
    if lane.live_replicas:
        work.fail(error)
    else:
        lane.bounce(work, error)  # a replica is wanted all the same


def error_of(injection: Injection) -> CallerError | TransportError:
    """Return the error that ends a request which gets this fault."""
    fault = injection.fault
    text = f"{fault.text} ({injection.remark})"
    return CallerError(fault.code, text) if fault.code else TransportError(fault.grpc or "UNAVAILABLE", text)
