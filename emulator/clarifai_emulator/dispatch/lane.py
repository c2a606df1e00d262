"""Queues the requests of one deployment for the runners that serve it."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.clock import Clock
from clarifai_emulator.dispatch.work import State, Work
from clarifai_emulator.errors import CallerError
from clarifai_emulator.messages.address import NodepoolKey, RunnerKey

_turns = itertools.count(1)

# Work whose stream broke is told after this long that it did, unless how its replica ended is known before.
_BROKEN_SECONDS = 2.0
_SPANS = 512
# File systems tell times by a clock that ticks some hundred times a second: they may be that much too early.
_COARSE_SECONDS = 0.02


class LaneKey(NamedTuple):
    """The key of a lane: one deployment at one model version. Where there is no deployment, ``deployment_id`` is
    the path of the nodepool: on shared compute, and for runners that users start, which also have a ``model``."""

    user_id: str
    deployment_id: str
    version_id: str
    model: str = ""

    @property
    def name(self) -> str:
        """Name the lane as a sentence begins: the deployment, or the nodepool."""
        return f"{'Nodepool' if '/' in self.deployment_id else 'Deployment'} {self.deployment_id!r}"

    @property
    def of(self) -> str:
        """Say whose its replicas are, after "replica": ``of 'deployment'`` or ``in nodepool 'me/cluster/pool'``."""
        return f"{'in nodepool' if '/' in self.deployment_id else 'of'} {self.deployment_id!r}"


@dataclass(frozen=True, slots=True)
class EditProblem:
    """The code on disk cannot be used, so the last good code serves: ``summary`` says why in one line. With a
    ``refusal`` it does not serve: the developer asked for that."""

    summary: str
    refusal: CallerError | None = None


class Slot:
    """An idle stream of a replica, waiting for work.

    ``behind`` are items of the replica of which its thread may have one still on its way. A thread of the genuine
    runner asks for its next item when it has handed the outputs of the last to its transport, and they are lost if
    it gets one before they are sent. Which thread asks cannot be seen: the slot is given work when all of these
    have ended. Should one take long, it is another thread's: then it is enough that the stream has *rested*, and
    that there are no more streams than threads.
    """

    __slots__ = ("behind", "replica", "rested", "work")

    def __init__(self, replica: Replica, behind: Iterable[Work] = ()) -> None:
        self.replica = replica
        self.behind = set(behind)
        self.rested = False
        self.work: asyncio.Future[Work] = asyncio.get_running_loop().create_future()

    def take(self, work: Work) -> bool:
        """Give this slot its one piece of work. False when a step kept it away: the slot is free again."""
        self.replica.idle.remove(self)
        self.replica.busy.add(work)
        self.replica.used = next(_turns)
        work.on_cancel = self.replica.abandon
        work.tells_code = self.replica.tells_code
        work.sent_at = self.replica.runner_link.lane.now()
        work.send(self.replica.replica_id, self.replica.runner_link.nodepool)
        for step in work.steps:
            step.take(work, self.replica)
            if not work.is_open:
                self.replica.busy.discard(work)
                self.replica.idle.append(self)
                return False
        self.deliver(work)
        return True

    def deliver(self, work: Work) -> None:
        """Wake the stream that waits."""
        self.work.set_result(work)

    def rest(self) -> None:
        """Note that the slot has waited long enough for what it may be behind."""
        self.rested = True
        self.replica.reconsider(self)

    def dismiss(self) -> None:
        """Dismiss the slot of a closed lane: whoever waits for ``work`` is cancelled, and the runner asks anew."""
        self.replica.withdraw(self)
        self.work.cancel()


@dataclass(slots=True, eq=False)
class Replica:
    """A runner process as dispatch sees it: its streams, and what they carry."""

    replica_id: str
    runner_link: RunnerLink
    idle: deque[Slot] = field(default_factory=deque[Slot])
    early: deque[Slot] = field(default_factory=deque[Slot])  # idle, and behind an item; see Slot
    busy: set[Work] = field(default_factory=set[Work])
    abandoned: dict[Work, float] = field(default_factory=dict[Work, float])  # of those, and since when (monotonic)
    # Of those, the ones whose stream broke, and when they are told; see break_off.
    broken: dict[Work, asyncio.TimerHandle] = field(default_factory=dict[Work, asyncio.TimerHandle])
    streams: int = 0  # open now, the control stream among them
    gone_since: float | None = None  # its last stream ended then (monotonic), and there was none since
    hung_up: bool = False  # that stream did not end: it broke off, as when the connection is closed
    starts: int = 0  # RUNNER_STREAM_START messages so far: proof of life
    used: int = 0  # grows with each item it is given: the replica with the smaller number had its last one earlier
    completed: int = 0  # items it has finished
    draining: bool = False
    hung: bool = False  # what nobody waits for is not worth waiting for either
    lost: bool = False
    tells_code: bool = False  # it is reloadable: each answer tells the code that gave it
    cancel_item: Callable[[str], None] | None = None  # set while the control stream is up
    drained: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_live(self) -> bool:
        """Tell whether its model is loaded and it asks for work."""
        return self.starts > 0 and not self.lost

    @property
    def turn(self) -> tuple[int, int]:
        """Order replicas for the next item: the least busy first, of equals the one whose last item is oldest."""
        return len(self.busy), self.used

    @property
    def load(self) -> int:
        """Count the items its model may work on; short of processor time it winds up many that are answered."""
        return sum(work.is_open or work in self.abandoned for work in self.busy)

    def add(self, slot: Slot) -> bool:
        """A stream says that it is idle; False when it may not be given work yet."""
        if slot.behind:
            threads = self.runner_link.threads
            more = threads and len(self.idle) + len(self.early) + len(self.busy) >= threads
            if more or not slot.rested:
                self.early.append(slot)
                return False
        self.idle.append(slot)
        return True

    def reconsider(self, slot: Slot) -> None:
        """Offer a stream again, because what kept it from work may be over."""
        if slot in self.early:
            self.early.remove(slot)
            self.runner_link.lane.offer(slot)

    def offer_idle(self) -> None:
        """Offer the idle streams to the lane that the replica has now."""
        idle = tuple(self.idle)
        self.idle.clear()
        for slot in idle:
            self.runner_link.lane.offer(slot)

    def withdraw(self, slot: Slot) -> None:
        """This stream waits for work no more."""
        for slots in (self.idle, self.early):
            if slot in slots:
                slots.remove(slot)

    def abandon(self, work: Work) -> None:
        """The client of this work went away: tell the model. Its slot stays busy until the model is through."""
        self.abandoned[work] = self.runner_link.lane.now()
        if self.cancel_item is not None:
            self.cancel_item(work.id)
        self._note_drained()
        self.runner_link.lane.demand()

    def finish(self, work: Work, *, tells: bool = True) -> None:
        """The last output of this work is here, which ends it for its client. Its stream may go on for a moment."""
        if work.is_open:
            work.finish(tells=tells)
            self.completed += 1
            self.runner_link.note_end(work)

    def release(self, work: Work) -> None:
        """A stream is through with this work."""
        self.busy.discard(work)
        if self.tells_code:
            lane = self.runner_link.lane
            lane.spans.append((work.sent_at, lane.now()))
        self.abandoned.pop(work, None)
        if work.state is not State.DONE:
            self.runner_link.note_end(work)
        self._note_drained()
        for slot in tuple(self.early):
            slot.behind.discard(work)
            self.reconsider(slot)
        self.runner_link.lane.note_idle()

    def break_off(self, work: Work, error: CallerError) -> None:
        """The stream of this work broke. Mostly the replica has ended, and ``lose`` tells how in a moment: in a
        container that is the only place which knows. The work fails with ``error`` if it does not."""

        def settle() -> None:
            del self.broken[work]
            work.fail(error)
            self.release(work)

        if work.is_open:
            self.broken[work] = asyncio.get_running_loop().call_later(_BROKEN_SECONDS, settle)
        else:
            self.release(work)

    def lose(self, error: CallerError) -> None:
        """Fail what the replica worked on with ``error``: it has ended."""
        self.lost = True
        for work in tuple(self.busy):
            work.fail(error)
        for work, timer in self.broken.items():
            timer.cancel()
            self.release(work)
        self.broken.clear()
        self.drained.set()

    def dismiss(self) -> None:
        """Send its idle streams away; they ask anew."""
        for slot in (*self.idle, *self.early):
            slot.dismiss()

    def stream_began(self) -> None:
        """A stream of it is open."""
        self.streams += 1
        self.gone_since = None

    def stream_ended(self, *, broke_off: bool) -> None:
        """A stream of it is no more. With the last one its process should end, too: see to it."""
        self.streams -= 1
        if not self.streams:
            self.gone_since, self.hung_up = self.runner_link.lane.now(), broke_off
            self.runner_link.lane.demand()

    def drain(self) -> None:
        """Give it nothing new; ``drained`` is set when what it has is done."""
        self.draining = True
        self._note_drained()

    def give_up(self) -> None:
        """Drain a replica that hangs, as soon as nobody waits for anything it has."""
        self.hung = True
        self._note_drained()

    def _note_drained(self) -> None:
        awaited = any(work.is_open for work in self.busy) if self.hung else self.busy
        if self.draining and not awaited:
            self.drained.set()


@dataclass(slots=True, eq=False)
class RunnerLink:
    """A runner (one deployment in one nodepool) and its connected replicas."""

    key: RunnerKey
    lane: Lane
    replicas: dict[str, Replica] = field(default_factory=dict[str, Replica])
    threads: int = 0  # how many items a replica takes at once; 0 where that is not known
    latency_ms: float = 0.0  # moving average, from sent to finished

    @property
    def runner_id(self) -> str:
        """Return the id that the runner has in its nodepool."""
        return self.key[3]

    @property
    def nodepool(self) -> NodepoolKey:
        """Return the nodepool it is in."""
        return self.key[:3]

    def note_end(self, work: Work) -> None:
        """This work has ended now: note when, and how long it took."""
        self.lane.touch()
        took = (self.lane.now() - work.sent_at) * 1000
        self.latency_ms = took if self.latency_ms == 0 else 0.9 * self.latency_ms + 0.1 * took

    def freest(self) -> Replica | None:
        """The least busy replica that has a free slot, of equals the one that had work least recently. None when
        there is none."""
        best: Replica | None = None
        for replica in self.replicas.values():
            usable = replica.idle and not replica.draining and not replica.lost
            if usable and (best is None or replica.turn < best.turn):
                best = replica
        return best


class Lane:
    """See the module's picture. ``on_demand`` is told when work finds no free slot, so that replicas start."""

    def __init__(self, key: LaneKey, *, queue_size: int, clock: Clock, on_demand: Callable[[Lane], None]) -> None:
        self.key = key
        self.runners: dict[RunnerKey, RunnerLink] = {}
        self.waiting: deque[Work] = deque()
        self.refusal: CallerError | None = None  # set while no replica can be started
        self.bounced = False  # a request was sent away because no replica was there
        self.pending_reason = ""
        self.edit_problem: EditProblem | None = None
        # When reloadable replicas last worked on items: from, to (monotonic).
        self.spans: deque[tuple[float, float]] = deque(maxlen=_SPANS)
        self.last_active: float | None = None  # when a request last came or ended, by the clock's monotonic()
        self.tells_idle = False  # the supervisor wants to look when nothing runs and nothing waits any more
        self._clock = clock
        self._queue_size = queue_size
        self._on_demand = on_demand

    def pend(self, reason: str) -> None:
        """Note why a wanted replica is not there yet; empty once one is."""
        self.pending_reason = reason

    def note_edit(self, problem: EditProblem | None) -> None:
        """Note what is wrong with an edit of the code that it serves; None once nothing is."""
        self.edit_problem = problem

    def tell_idle(self, wanted: bool) -> None:
        """Call ``on_demand`` once nothing runs and nothing waits, if the supervisor wants to look then."""
        self.tells_idle = wanted

    def was_at_work(self, time: float) -> bool:
        """Tell whether a reloadable replica worked on an item at this time (monotonic), as far as it is
        remembered."""
        now = self.now()
        works = [work for link in self.runners.values() for each in link.replicas.values() for work in each.busy]
        spans = [*self.spans, *((work.sent_at, now) for work in works)]
        return any(since - _COARSE_SECONDS <= time <= until for since, until in spans)

    @property
    def in_flight(self) -> int:
        """Count the items that its replicas work on."""
        return sum(len(replica.busy) for link in self.runners.values() for replica in link.replicas.values())

    @property
    def load(self) -> int:
        """Count the items that ask for a replica to be there. A draining replica ends its own items, and what is
        answered is only being wound up."""
        replicas = [replica for link in self.runners.values() for replica in link.replicas.values()]
        return sum(replica.load for replica in replicas if not replica.draining)

    @property
    def live_replicas(self) -> int:
        """Count the replicas that take work."""
        return sum(
            replica.is_live and not replica.draining
            for link in self.runners.values()
            for replica in link.replicas.values()
        )

    def replica(self, replica_id: str) -> Replica | None:
        """A replica that serves it."""
        found = (link.replicas.get(replica_id) for link in self.runners.values())
        return next((replica for replica in found if replica is not None), None)

    def now(self) -> float:
        """The clock's monotonic()."""
        return self._clock.monotonic()

    def touch(self) -> None:
        """A request came or ended: the deployment is in use."""
        self.last_active = self._clock.monotonic()

    def demand(self) -> None:
        """Something changed that the supervisor should look at."""
        self._on_demand(self)

    def note_idle(self) -> None:
        """A slot is through with its work; with the last one the supervisor may have something to do."""
        if self.tells_idle and not self.waiting and not self.load:
            self.tells_idle = False
            self._on_demand(self)

    def submit(self, work: Work) -> None:
        """Hand the work to a free slot, or queue it. Raises ``CallerError`` 21354 when the queue is full, and the
        supervisor's refusal when no replica can be started."""
        self.touch()
        if self.edit_problem is not None and self.edit_problem.refusal is not None:
            raise self.edit_problem.refusal
        if self.refusal is not None:
            self._on_demand(self)
            raise self.refusal
        replica = self._free_replica(work)
        if replica is not None:
            replica.idle[0].take(work)
            return
        if len(self.waiting) >= self._queue_size:
            raise CallerError(
                StatusCode.MODEL_BUSY_PLEASE_RETRY,
                f"{self.key.name} has {len(self.waiting)} requests waiting, which is all its queue holds.",
                hint="Try again in a moment, raise max_replicas of the deployment, or start the emulator with a "
                "larger --queue-size.",
                row="dispatch.queue-full",
            )
        work.on_cancel = self.forget
        self.waiting.append(work)
        self._on_demand(self)

    def _free_replica(self, work: Work) -> Replica | None:
        """The freest replica in the most preferred nodepool that has one."""
        for nodepool in work.nodepools:
            best: Replica | None = None
            for link in self.runners.values():
                if link.nodepool == nodepool and work.allows(nodepool, link.runner_id):
                    replica = link.freest()
                    if replica is not None and (best is None or replica.turn < best.turn):
                        best = replica
            if best is not None:
                return best
        return None

    def offer(self, slot: Slot) -> None:
        """A stream has become idle: it takes the first waiting work that may run there and is not kept away."""
        self.bounced = False
        replica = slot.replica
        if replica.lost:
            slot.dismiss()  # its process was given up, but has not ended yet
            return
        if not replica.add(slot) or replica.draining:
            return
        link = replica.runner_link
        for work in tuple(self.waiting):
            if work.allows(link.nodepool, link.runner_id):
                self.waiting.remove(work)
                if slot.take(work) or replica.lost:
                    return

    def return_unsent(self, work: Work) -> None:
        """The slot that took the work vanished before anything was written: the work goes to the front again."""
        if work.state is State.SENT:
            if self.refusal is not None:
                work.fail(self.refusal)
                return
            work.requeue()
            replica = self._free_replica(work)
            if replica is not None:
                replica.idle[0].take(work)
            else:
                work.on_cancel = self.forget
                self.waiting.appendleft(work)
            self._on_demand(self)

    def bounce(self, work: Work, error: CallerError) -> None:
        """Send a waiting request away: no replica was there in time. One is wanted all the same."""
        work.expire(error)
        self.bounced = True
        self._on_demand(self)

    def refuse(self, error: CallerError) -> None:
        """No replica can be started: whoever waits is told now, and whoever comes until ``accept``."""
        self.refusal = error
        while self.waiting:
            self.waiting.popleft().fail(error)

    def accept(self) -> None:
        """Replicas can be started again."""
        self.refusal = None

    def hand_over(self, other: Lane, nodepools: tuple[NodepoolKey, ...]) -> None:
        """Move waiting work to the lane of the version now deployed in these nodepools, except work pinned to this
        version or to another nodepool."""
        for work in tuple(self.waiting):
            if work.is_placed and not set(work.nodepools) & set(nodepools):
                continue
            if not work.is_pinned or other is self:
                self.waiting.remove(work)
                work.nodepools = work.nodepools if work.is_placed else nodepools
                try:
                    other.submit(work)
                except CallerError as error:
                    work.fail(error)

    def pass_on(self, other: Lane) -> None:
        """Move all waiting work to another lane that serves the same version."""
        for work in tuple(self.waiting):
            self.waiting.remove(work)
            try:
                other.submit(work)
            except CallerError as error:
                work.fail(error)

    def forget(self, work: Work) -> None:
        """Nobody wants this work any more."""
        if work in self.waiting:
            self.waiting.remove(work)
