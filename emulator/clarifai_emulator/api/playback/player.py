"""Records the calls of an emulator into a cassette, or plays a cassette back in place of the API.

client, model ─► Player.intercept ─┬─ recorded ─► its answers
                                   ├─ live ─────► the emulator's own handler, or another platform ─► cassette
                                   └─ neither ──► refused: the nearest recorded call and the difference

A call that a model makes is recorded as its own, behind the call that the model was answering. A client's call is
played from those of clients, so that the inner ones are not needed where no model runs.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

from clarifai_emulator.api.access.auth import NOBODY, Caller
from clarifai_emulator.api.call import ApiCall, StreamHandler
from clarifai_emulator.api.playback.messages import answer_from_dict, as_plain, call_as_text, model_of
from clarifai_emulator.api.playback.upstream import Upstream
from clarifai_emulator.api.taps import HeardCall, node_of
from clarifai_emulator.cassettes import Cassette, RecordedCall
from clarifai_emulator.cassettes.matching import difference, explain, find, model_in, titled
from clarifai_emulator.errors import TransportError
from clarifai_emulator.faults.selectors import is_called, name_parts

# A model's files are no part of a recording.
_UPLOAD = "PostModelVersionsUpload"


class Mode(StrEnum):
    """Says where a player takes answers from."""

    RECORD = "record"  # live, and into the cassette
    REPLAY = "replay"  # from the cassette only
    BOTH = "both"  # from the cassette, else live and into it


@dataclass(frozen=True, slots=True)
class Asker:
    """Says who makes a call, and which model (``USER/APP/ID``) or node of a workflow in the caller's name; empty
    for a client."""

    caller: Caller = NOBODY
    model: str = ""


@dataclass(slots=True, eq=False)
class _New:
    """A call that is recorded now. ``began``: grows from call to call; ``parent_id``: the request around it."""

    began: int
    request_id: str
    parent_id: str
    call: RecordedCall


class Player:
    """Plays one cassette, or records it. ``only``: the models (names as faults take them) whose calls are played;
    empty for all. ``who``: who makes a call. ``problems``: what was asked and is not recorded. In the emulator's
    event loop."""

    def __init__(
        self,
        cassette: Cassette,
        mode: Mode,
        *,
        name: str,
        upstream: Upstream | None = None,
        only: Sequence[str] = (),
        who: Callable[[ApiCall], Asker] = lambda call: Asker(),
    ) -> None:
        self.cassette = cassette
        self.mode = mode
        self.problems: list[str] = []
        self.changed = False
        self._name = name
        self._upstream = upstream
        self._only = [name_parts(each, "USER/APP/ID") for each in only]
        self._who = who
        self._turns = itertools.count()
        self._new: list[_New] = []

    async def close(self) -> None:
        """Hang up on the platform that it records from; put what was recorded in the order in which it began."""
        if self._upstream is not None:
            await self._upstream.close()
        new = sorted(self._new, key=lambda each: each.began)
        fresh = {id(each.call) for each in new}
        self.cassette.calls[:] = [each for each in self.cassette.calls if id(each) not in fresh]
        first = len(self.cassette.calls) + 1
        places = {each.request_id: place for place, each in enumerate(new, first) if each.request_id}
        for each in new:
            each.call.parent = places.get(each.parent_id, 0)
            self.cassette.calls.append(each.call)
        self._new.clear()

    def intercept(self, call: ApiCall, following: StreamHandler) -> StreamHandler:
        """Return what plays or records a call; see ``Step``."""
        return partial(self._serve, following)

    async def _serve(self, own: StreamHandler, call: ApiCall, requests: AsyncIterator[Any]) -> AsyncGenerator[Any]:
        first = await anext(requests, None)
        if first is None and self.mode is not Mode.RECORD:
            raise TransportError("INVALID_ARGUMENT", f"{call.rpc.name} was called without a request.")
        following, who = _with_first(first, requests), self._who(call)
        plays = self._plays(first, who)
        live = self._upstream.serve if plays and self._upstream is not None else own
        if self.mode is Mode.RECORD:
            served = self._record(live, call, who, following)
        elif plays:
            served = self._play(live, call, who, first, following)
        else:
            served = live(call, following)
        try:
            async with aclosing(served) as answers:
                async for answer in answers:
                    yield answer
        except _Refused as refused:
            self.problems.append(refused.problem)
            yield refused.answer(call.rpc.name, self._name)

    def _plays(self, first: Any, who: Asker) -> bool:
        """Tell whether calls of the model that a request is for are played."""
        if not self._only:
            return True
        key = model_of(first, who.caller.user_id)
        return key is not None and any(is_called(key, parts) for parts in self._only)

    async def _play(
        self, live: StreamHandler, call: ApiCall, who: Asker, first: Any, requests: AsyncGenerator[Any]
    ) -> AsyncGenerator[Any]:
        rpc, asked = call.rpc.name, _asked(first, call, who)
        of_asker = [each for each in self.cassette.calls if each.by == who.model]
        recorded = find(of_asker, rpc, asked)
        if recorded is None and self._only and self.mode is Mode.REPLAY:
            recorded = find(self.cassette.calls, rpc, asked)
        if recorded is not None:
            recorded.played += 1
            call.caller = who.caller
            await anext(requests)
            answers = self._answers(recorded, call, requests)
        elif self.mode is Mode.BOTH:
            answers = self._record(live, call, who, requests)
        else:
            raise _Refused(self._missing(of_asker, rpc, asked, who, call_as_text(rpc, first)))
        async with aclosing(answers):
            async for answer in answers:
                yield answer

    def _missing(self, of_asker: list[RecordedCall], rpc: str, asked: dict[str, Any], who: Asker, text: str) -> str:
        """Say that a call is not recorded: the model, the nearest call, and who made the same one."""
        by = f", asked by {who.model}," if who.model else ""
        said = f"{titled(model_in(asked), text or rpc)}{by}"
        others = {
            each.by or "the test"
            for each in self.cassette.calls
            if each.by != who.model and each.rpc == rpc and each.requests[:1] == [asked]
        }
        told = explain(of_asker if others else self.cassette.calls, rpc, asked, said)
        if others:
            told += f"\nIt is recorded as a call that {' and '.join(sorted(others))} made."
        return told

    async def _answers(
        self, recorded: RecordedCall, call: ApiCall, requests: AsyncIterator[Any]
    ) -> AsyncGenerator[Any]:
        """Say what was recorded, in the order in which it was: later requests must be those of then."""
        wanted, answers = iter(recorded.requests[1:]), iter(recorded.answers)
        for turn in recorded.order.removeprefix(">"):
            if turn == "<":
                yield answer_from_dict(recorded.rpc, next(answers))
            else:
                _expect(recorded, next(wanted), await anext(requests, None), _secrets(call))
        if recorded.error is not None:
            raise TransportError(*recorded.error)

    async def _record(
        self, live: StreamHandler, call: ApiCall, who: Asker, requests: AsyncIterator[Any]
    ) -> AsyncGenerator[Any]:
        heard, began = HeardCall(call), next(self._turns)
        try:
            async with aclosing(heard.listen(requests, live)) as answers:
                async for answer in answers:
                    yield answer
        finally:
            if heard.requests and heard.rpc != _UPLOAD:
                self._put(heard, began, who)

    def _put(self, heard: HeardCall, began: int, who: Asker) -> None:
        secrets, error = _secrets(heard.call), heard.error
        self.changed = True
        recorded = RecordedCall(
            rpc=heard.rpc,
            requests=[_asked(message, heard.call, who) for message in heard.requests],
            answers=[as_plain(message, secrets) for message in heard.answers],
            order=heard.order,
            call=call_as_text(heard.rpc, heard.requests[0]),
            error=(error.name, error.message) if error is not None else None,
            by=heard.made_by or who.model,
            played=1,
        )
        self.cassette.calls.append(recorded)
        self._new.append(_New(began, heard.request_id, heard.parent_id, recorded))


class _Refused(Exception):
    """Says that a call is not recorded. Its client gets a status of the platform: the SDK repeats a stream that
    ends with one of gRPC's, ten times in a minute."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def answer(self, rpc: str, cassette: str) -> Any:
        details = f"Cassette {cassette}: {self.problem}"
        status = {"code": "FAILURE", "description": "Not recorded", "details": details}
        return answer_from_dict(rpc, {"status": status})


def _expect(recorded: RecordedCall, wanted: dict[str, Any], message: Any, secrets: frozenset[str]) -> None:
    now = None if message is None else as_plain(message, secrets)
    if now != wanted:
        said = "ends earlier than it was recorded" if now is None else "goes on differently"
        told = [] if now is None else difference(wanted, now)
        raise _Refused("\n".join([f"The stream of {recorded.call or recorded.rpc} {said}.", *told]))


def _asked(message: Any, call: ApiCall, who: Asker) -> dict[str, Any]:
    """Return a request as it is recorded. Nodes of workflows name the newest version of when they were saved, and
    their user, who are others in each emulator."""
    asked = as_plain(message, _secrets(call))
    if node_of(call):
        asked.pop("version_id", None)
        owner = asked.get("user_app_id", {})
        if owner.get("user_id") == who.caller.user_id:
            owner["user_id"] = "me"
    return asked


async def _with_first(first: Any, others: AsyncIterator[Any]) -> AsyncGenerator[Any]:
    if first is not None:
        yield first
    async for each in others:
        yield each


def _secrets(call: ApiCall) -> frozenset[str]:
    """Return the credentials of a call, which must stand nowhere."""
    headers = (call.metadata.get("authorization", ""), call.metadata.get("x-clarifai-session-token", ""))
    return frozenset(token for header in headers if len(token := header.rpartition(" ")[2]) > 3)
