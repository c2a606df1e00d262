"""Keeps the faults of one emulator, and decides for each request: the same requests get the same faults.

Every fault counts the requests it concerns and draws from generators of its own, so a decision depends on nothing
but the fault, its seed, and how many requests it has seen.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from clarifai_emulator.errors import ConfigError
from clarifai_emulator.events import EventBus
from clarifai_emulator.faults.fault import Fault, Moment
from clarifai_emulator.faults.selectors import Subject, is_called


@dataclass(slots=True, eq=False)
class ActiveFault:
    """A fault that was added. ``seen``: requests it concerned so far; ``injected``: those it was injected into.

    As a context manager it is removed at the end of the block.
    """

    id: str
    fault: Fault
    origin: str
    user_id: str
    remove: Callable[[], None]
    is_for: Callable[[str], bool] | None = None  # whose requests only
    seen: int = 0
    injected: int = 0
    _model: tuple[str, ...] = field(init=False)
    _deployment: tuple[str, ...] = field(init=False)
    _nodepool: tuple[str, ...] = field(init=False)
    _calling: tuple[str, ...] = field(init=False)
    _chance: random.Random = field(init=False)
    _latency: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._model = self.fault.name_of("model", self.user_id)
        self._deployment = self.fault.name_of("deployment", self.user_id)
        self._nodepool = self.fault.name_of("nodepool", self.user_id)
        self._calling = self.fault.name_of("caller", self.user_id)
        # Two, so that whether a fault is injected does not depend on how long it delays.
        self._chance = random.Random(f"chance {self.fault.seed}")  # noqa: S311 - repeatable on purpose
        self._latency = random.Random(f"latency {self.fault.seed}")  # noqa: S311

    def __enter__(self) -> ActiveFault:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    @property
    def is_used_up(self) -> bool:
        """Tell whether the fault was injected as often as it may be."""
        return is_used_up(self.fault, self.injected)

    def concerns(self, subject: Subject) -> bool:
        """Tell whether a request is one of those the fault is for."""
        return (
            subject.rpc in self.fault.rpcs
            and is_called(subject.model, self._model)
            and is_called(subject.deployment, self._deployment)
            and is_called(subject.nodepool, self._nodepool)
            and is_called(subject.calling, self._calling)
            and subject.replica.startswith(self.fault.replica)
            and (self.is_for is None or self.is_for(subject.caller))
        )

    def decide(self) -> Injection | None:
        """Decide what to do to the next request it concerns; None: nothing."""
        self.seen += 1
        if self.seen <= self.fault.after or self.is_used_up:
            return None
        if self.fault.probability < 1 and self._chance.random() >= self.fault.probability:
            return None
        self.injected += 1
        delay = self.fault.delay
        return Injection(self, delay.seconds(self._latency.random()) if delay is not None else 0.0)

    def as_dict(self) -> dict[str, Any]:
        """Return the fault and its counts as JSON."""
        return counted_as_dict(self.id, self.fault, self.seen, self.injected, self.origin)


def is_used_up(fault: Fault, injected: int) -> bool:
    """Tell whether a fault that was injected so often is injected no more."""
    return fault.times is not None and injected >= fault.times


def counted_as_dict(fault_id: str, fault: Fault, seen: int, injected: int, origin: str) -> dict[str, Any]:
    """Return a fault and its counts as JSON."""
    return {
        "id": fault_id,
        "rule": str(fault),
        "active": not is_used_up(fault, injected),
        "seen": seen,
        "injected": injected,
        "origin": origin,
        "fault": fault.as_dict(),
    }


@dataclass(frozen=True, slots=True)
class Injection:
    """A fault for one request. ``seconds``: the delay that was drawn."""

    active: ActiveFault
    seconds: float

    @property
    def fault(self) -> Fault:
        return self.active.fault

    @property
    def remark(self) -> str:
        """Return what every answer that is due to the fault says."""
        return f"injected by fault '{self.active.id}'"

    @property
    def ends_request(self) -> bool:
        """Tell whether the request goes no further at once. A stream that is cut later goes on until then."""
        fault = self.fault
        ends = bool(fault.code or fault.grpc or fault.lose_replica or fault.cold_start == "bounce")
        return not fault.cut_after and (ends or fault.cut_after == 0)


class Faults:
    """All faults of an emulator, in the order in which they were added. Used in the emulator's event loop.

    ``arriving``, ``routed`` and ``taken`` hold those that are decided at each moment and not used up; a request's
    path looks at nothing else while they are empty.
    """

    def __init__(self, *, events: EventBus, user_id: str) -> None:
        self.arriving: tuple[ActiveFault, ...] = ()
        self.routed: tuple[ActiveFault, ...] = ()
        self.taken: tuple[ActiveFault, ...] = ()
        self._events = events
        self._user_id = user_id
        self._faults: dict[str, ActiveFault] = {}
        self._numbers = itertools.count(1)

    def add(
        self, fault: Fault, *, origin: str = "", user_id: str = "", is_for: Callable[[str], bool] | None = None
    ) -> ActiveFault:
        """Inject ``fault`` from now on. ``origin``: where it was written; ``user_id``: who ``me`` is in it;
        ``is_for`` says for a user whether it concerns its requests. Raises ``ConfigError`` for a known id."""
        self._require_free(fault.id)
        fault_id = fault.id or next(name for n in self._numbers if (name := f"fault-{n}") not in self._faults)
        active = ActiveFault(
            fault_id, fault, origin, user_id or self._user_id, remove=lambda: self.drop(active), is_for=is_for
        )
        self._enter(active)
        return active

    def put_back(self, *removed: ActiveFault) -> None:
        """Inject faults again that were removed, and count on. Raises ``ConfigError``, and puts back none, when
        there is another fault with the id of one."""
        for active in removed:
            self._require_free(active.id)
        for active in removed:
            self._enter(active)

    def remove(self, *fault_ids: str) -> list[ActiveFault]:
        """Inject these no more; gives them. Raises ``ConfigError``, and removes none, when one is not there."""
        for fault_id in fault_ids:
            if fault_id not in self._faults:
                known = ", ".join(self._faults) or "none"
                raise ConfigError(
                    f"There is no fault '{fault_id}'. There are: {known}.",
                    [],
                    hint="`clarifai-emulator fault list` shows what each does.",
                )
        removed = [self._faults[fault_id] for fault_id in dict.fromkeys(fault_ids)]
        for active in removed:
            self.drop(active)
        return removed

    def clear(self) -> list[ActiveFault]:
        """Remove all; gives those that were there. Names that are made up begin with ``fault-1`` again."""
        removed = list(self)
        for active in removed:
            self.drop(active)
        self._numbers = itertools.count(1)
        return removed

    def __iter__(self) -> Iterator[ActiveFault]:
        """All that were added and not removed, used up or not, oldest first."""
        return iter(tuple(self._faults.values()))

    def decide(self, candidates: Iterable[ActiveFault], subject: Subject) -> list[Injection]:
        """Decide what to do to this request, in order. Faults after one that ends the request do not see it."""
        injections: list[Injection] = []
        for active in candidates:
            injection = active.decide() if active.concerns(subject) else None
            if injection is not None:
                injections.append(injection)
                if active.is_used_up:
                    self._sort()
                if injection.ends_request:
                    break
        return injections

    def withdraw(self, injection: Injection) -> None:
        """Take back an injection that came to nothing (a stream ended before it was to be cut): it is not
        counted."""
        injection.active.injected -= 1
        self._sort()

    def drop(self, active: ActiveFault) -> None:
        """Inject it no more; nothing happens when it was removed before."""
        if self._faults.get(active.id) is active:
            del self._faults[active.id]
            self._sort()
            self._events.emit("fault.removed", fault_id=active.id, rule=str(active.fault), injected=active.injected)

    def _require_free(self, fault_id: str) -> None:
        if fault_id in self._faults:
            raise ConfigError(
                f"There is a fault '{fault_id}' already: {self._faults[fault_id].fault}.",
                [],
                hint=f"Choose another id, or remove it with `clarifai-emulator fault remove {fault_id}`.",
            )

    def _enter(self, active: ActiveFault) -> None:
        self._faults[active.id] = active
        self._sort()
        told = {"origin": active.origin} if active.origin else {}
        self._events.emit("fault.added", fault_id=active.id, rule=str(active.fault), **told)

    def _sort(self) -> None:
        usable = [active for active in self._faults.values() if not active.is_used_up]
        at = {moment: tuple(each for each in usable if each.fault.moment is moment) for moment in Moment}
        self.arriving, self.routed, self.taken = at[Moment.ARRIVED], at[Moment.ROUTED], at[Moment.TAKEN]
