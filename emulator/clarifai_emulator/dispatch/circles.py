"""Refuses an inner request that would wait for ever: all slots that could serve it are held by requests that wait,
over others or not, for this one.

    agent (1 slot) ─► tool (1 slot) ─► agent: waits for the slot of the request it is part of

Asked only when an inner request has to wait, and again from time to time while one does.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.clock import Clock, ClockTimer
from clarifai_emulator.dispatch.lane import Lane, Replica
from clarifai_emulator.dispatch.wait_cycles import Waits
from clarifai_emulator.dispatch.work import State, Work
from clarifai_emulator.errors import CallerError

_LOOK_AGAIN_SECONDS = 0.5


class Circles:
    """Watches the inner requests of one emulator that wait. ``replica_of``: a replica, by its id. ``why_no_more``:
    why no other replica comes to a lane, as a sentence goes on, empty if one may; ``name_of``: a lane's model."""

    def __init__(
        self,
        *,
        replica_of: Callable[[str], Replica | None],
        lanes: Callable[[], Iterable[Lane]],
        why_no_more: Callable[[Lane], str],
        name_of: Callable[[Lane], str],
        clock: Clock,
    ) -> None:
        self._replica_of = replica_of
        self._lanes = lanes
        self._why_no_more = why_no_more
        self._name_of = name_of
        self._clock = clock
        self._waiting: dict[Work, int] = {}
        self._numbers = itertools.count(1)
        self._timer: ClockTimer | None = None

    def watch(self, work: Work) -> None:
        """Look at an inner request that has just begun to wait: refuse it now, or later, if it waits for ever."""
        waits = self._waits(work)
        if work in waits.stuck():
            self._refuse(work, waits)
            return
        self._waiting[work] = next(self._numbers)
        if self._timer is None:
            self._timer = ClockTimer(self._clock, _LOOK_AGAIN_SECONDS, self._look_again)

    def _look_again(self) -> None:
        """A replica that could come may have found no room meanwhile, or another one was lost."""
        self._timer = None
        self._waiting = {work: number for work, number in self._waiting.items() if _is_waiting(work)}
        for work in sorted(self._waiting, key=self._waiting.__getitem__, reverse=True):
            waits = self._waits(work)
            if work in waits.stuck():
                del self._waiting[work]
                self._refuse(work, waits)
        if self._waiting:
            self._timer = ClockTimer(self._clock, _LOOK_AGAIN_SECONDS, self._look_again)

    def _waits(self, first: Work) -> Waits[Work]:
        """Return who waits for whom, from this request on."""
        needs: dict[Work, tuple[Work, ...]] = {}
        takes: dict[Work, tuple[Work, ...]] = {}
        served: set[Work] = set()
        todo = [first]
        while todo:
            work = todo.pop()
            if work in needs or work in takes:
                continue
            if not _is_waiting(work):
                todo += needs.setdefault(work, tuple(work.inner or ()) if work.is_open else ())
                continue
            holders = self._holders(work)
            if holders is None:
                served.add(work)
            todo += takes.setdefault(work, holders or ())
        return Waits(needs, takes, served)

    def _holders(self, work: Work) -> tuple[Work, ...] | None:
        """Return who holds the slots that this one could take; None where it will get one of its own accord."""
        lane = self._lane_of(work)
        if lane is None:
            return None
        holders: list[Work] = []
        for replica in _replicas_for(work, lane):
            threads = replica.runner_link.threads
            if replica.idle or replica.early or (threads and len(replica.busy) < threads):
                return None
            for each in replica.busy:
                if not each.is_open or not each.inner:
                    return None  # it will end by itself: no need to look at the others
                holders.append(each)
        return tuple(holders) if holders and self._why_no_more(lane) else None

    def _lane_of(self, work: Work) -> Lane | None:
        if work.state is State.SENT:
            replica = self._replica_of(work.replica_id)
            return replica.runner_link.lane if replica is not None else None
        return next((lane for lane in self._lanes() if work in lane.waiting), None)

    def _refuse(self, work: Work, waits: Waits[Work]) -> None:
        lane = self._lane_of(work)
        assert lane is not None
        slots = len(waits.takes[work])
        holding = [each for each in waits.circle(work) if each in waits.needs]
        names = [self._name_of(each) for each in map(self._lane_of, holding) if each is not None]
        # From a model back to itself; the last of them is the one that is asked for now.
        at = names.index(self._name_of(lane)) if self._name_of(lane) in names else 0
        names = [*names[at:], *names[:at]]
        one, many = "slot, which is held by a request that waits", "slots, all held by requests that wait"
        circle = " -> ".join([*names, *names[:1]])
        work.expire(
            CallerError(
                StatusCode.MODEL_PREDICTION_FAILED,
                f"This request would wait for itself: {circle}. {lane.key.name} has {slots} "
                f"{one if slots == 1 else many} for this one, and {self._why_no_more(lane)}.",
                hint="Give the model more num_threads, or its deployment more max_replicas, or let the inner call "
                "ask another deployment of the model (deployment_id).",
                row="calls.circle",
            )
        )


def _is_waiting(work: Work) -> bool:
    return work.state is State.QUEUED and work.is_open


def _replicas_for(work: Work, lane: Lane) -> Iterator[Replica]:
    """Yield the replicas that could take this work now, or once they have a slot."""
    for link in lane.runners.values():
        if work.allows(link.nodepool, link.runner_id):
            yield from (each for each in link.replicas.values() if each.is_live and not each.draining)
