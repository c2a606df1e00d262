"""Keeps which request was made inside which other: the trees of calls that models make while they answer one.

    client ─► request of `agent` ─┬─► request of `tool`       trace: the outermost request
                                  └─► request of `ranker` ─► request of `scorer`

A replica asks with a credential of its own, so that its requests are known; one without it costs nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.dispatch.lane import Replica
from clarifai_emulator.dispatch.outer_ended import outer_has_ended
from clarifai_emulator.dispatch.work import State, Work
from clarifai_emulator.errors import CallerError
from clarifai_emulator.messages.address import ModelKey


@dataclass(frozen=True, slots=True, eq=False)
class PlaceInTree:
    """The place of an inner request in its tree. ``parent``: the request that a model was answering when it made
    this one; ``model``: that model. ``trace_id``: the outermost request; ``depth``: how many are around this one.
    ``choices``: how many requests its replica had then, if none of them was named and the newest was taken; 1
    where there was no choice, ``is_guessed`` where none was named. It is 0 where one was named that had been
    answered: then nobody waits for this one, and it ends with nobody."""

    parent: Work
    trace_id: str
    depth: int
    replica_id: str
    model: ModelKey | None = None
    is_guessed: bool = False
    choices: int = 1

    def as_fields(self) -> dict[str, Any]:
        """Return what events say of it."""
        return {
            "trace_id": self.trace_id,
            "parent_id": self.parent.request_id,
            "depth": self.depth,
            "caller_replica": self.replica_id,
            **({"guessed": True} if self.is_guessed else {}),
        }


class CallTree:
    """Finds the places of requests. ``replica_of``: a replica, by its id; ``replicas_here``: those in this very
    process, whose models have the credentials of everybody in it; ``model_of``: the model of a replica."""

    def __init__(
        self,
        *,
        replica_of: Callable[[str], Replica | None],
        replicas_here: Callable[[], Iterable[Replica]],
        model_of: Callable[[Replica], ModelKey | None],
        most_depth: int,
        most_open: int,
    ) -> None:
        self._replica_of = replica_of
        self._replicas_here = replicas_here
        self._model_of = model_of
        self._most_depth = most_depth
        self._most_open = most_open

    def place(self, replica_id: str, named: str) -> PlaceInTree | None:
        """Return the place of a request of a replica; ``named``: the item that it says it was made for. None while
        the replica has no request. Raises ``CallerError`` where that one's client has gone."""
        replica = self._replica_of(replica_id)
        if replica is None:
            return None
        parent = (
            next((work for work in replica.busy if named in (work.id, work.request_id)), None) if named else None
        )
        if parent is not None:
            return self._of(parent, replica)
        there = [work for work in replica.busy if work.is_open]
        if not there:
            return None
        newest = max(there, key=lambda work: work.sent_at)
        return self._of(newest, replica, is_guessed=True, choices=0 if named else len(there))

    def place_here(self, named: str, user_id: str) -> PlaceInTree | None:
        """Return the place of a request that this user makes in this very process, where its replicas are."""
        for replica in self._replicas_here():
            if replica.runner_link.key[0] == user_id:
                for work in replica.busy:
                    if work.id == named:
                        return self._of(work, replica)
        return None

    def _of(self, parent: Work, replica: Replica, *, is_guessed: bool = False, choices: int = 1) -> PlaceInTree:
        if parent.state in (State.CANCELLED, State.FAILED):
            raise outer_has_ended(parent.request_id)
        outer = parent.place
        return PlaceInTree(
            parent,
            outer.trace_id if outer is not None else parent.request_id,
            outer.depth + 1 if outer is not None else 1,
            replica.replica_id,
            self._model_of(replica),
            is_guessed,
            choices,
        )

    def require_room(self, place: PlaceInTree) -> None:
        """Raise ``CallerError`` for an inference too deep in its tree, and for one beside too many others."""
        if place.depth > self._most_depth:
            raise CallerError(
                StatusCode.CONN_EXCEEDS_LIMITS,
                f"This request is {place.depth} calls deep, below request {place.trace_id}; {self._most_depth} are "
                f"the most. Models call one another: {' -> '.join(_models_around(place))} -> ...",
                hint="`clarifai-emulator events --tree` shows who called whom. Start the emulator with a larger "
                "--call-depth if it is meant so.",
                row="calls.limits",
            )
        count = len(place.parent.inner or ())
        if count >= self._most_open:
            raise CallerError(
                StatusCode.CONN_EXCEEDS_LIMITS,
                f"Request {place.parent.request_id} has {count} inner requests open, which is the most.",
                hint="Make fewer calls at once, or start the emulator with a larger --call-fan-out.",
                row="calls.limits",
            )


def _models_around(place: PlaceInTree) -> list[str]:
    names: list[str] = []
    here: PlaceInTree | None = place
    while here is not None and len(names) < 4:
        names.append(here.model[2] if here.model is not None else "?")
        here = here.parent.place
    return [*(["..."] if here is not None else []), *names[::-1]]
