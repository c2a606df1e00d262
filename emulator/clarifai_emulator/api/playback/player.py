"""Records the calls of an emulator into a cassette, or plays a cassette back in place of the API.

client ─► Player.intercept ─┬─ recorded ─► its answers
                            ├─ live ─────► the emulator's own handler, or another platform ─► cassette
                            └─ neither ──► refused: the nearest recorded call and the difference
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from enum import StrEnum
from functools import partial
from typing import Any

from clarifai_emulator.api.call import ApiCall, StreamHandler
from clarifai_emulator.api.playback.messages import answer_from_dict, as_plain, call_as_text
from clarifai_emulator.api.playback.upstream import Upstream
from clarifai_emulator.api.taps import HeardCall
from clarifai_emulator.cassettes import Cassette, RecordedCall
from clarifai_emulator.cassettes.matching import difference, explain, find
from clarifai_emulator.errors import TransportError

# A model's files are no part of a recording.
_UPLOAD = "PostModelVersionsUpload"


class Mode(StrEnum):
    """Says where a player takes answers from."""

    RECORD = "record"  # live, and into the cassette
    REPLAY = "replay"  # from the cassette only
    BOTH = "both"  # from the cassette, else live and into it


class Player:
    """Plays one cassette, or records it. ``problems``: what was asked and is not recorded. In the emulator's event
    loop."""

    def __init__(self, cassette: Cassette, mode: Mode, *, name: str, upstream: Upstream | None = None) -> None:
        self.cassette = cassette
        self.mode = mode
        self.problems: list[str] = []
        self.changed = False
        self._name = name
        self._upstream = upstream

    async def close(self) -> None:
        """Hang up on the platform that it records from."""
        if self._upstream is not None:
            await self._upstream.close()

    def intercept(self, call: ApiCall, following: StreamHandler) -> StreamHandler:
        """Return what plays or records a call; see ``Step``."""
        return partial(self._serve, self._upstream.serve if self._upstream is not None else following)

    async def _serve(self, live: StreamHandler, call: ApiCall, requests: AsyncIterator[Any]) -> AsyncGenerator[Any]:
        served = self._record if self.mode is Mode.RECORD else self._play
        try:
            async with aclosing(served(live, call, requests)) as answers:
                async for answer in answers:
                    yield answer
        except _Refused as refused:
            self.problems.append(refused.problem)
            yield refused.answer(call.rpc.name, self._name)

    async def _play(self, live: StreamHandler, call: ApiCall, requests: AsyncIterator[Any]) -> AsyncGenerator[Any]:
        rpc, first = call.rpc.name, await anext(requests, None)
        if first is None:
            raise TransportError("INVALID_ARGUMENT", f"{rpc} was called without a request.")
        asked = as_plain(first, _secrets(call))
        recorded = find(self.cassette.calls, rpc, asked)
        if recorded is not None:
            recorded.played += 1
            answers = self._answers(recorded, call, requests)
        elif self.mode is Mode.BOTH:
            answers = self._record(live, call, _with_first(first, requests))
        else:
            raise _Refused(explain(self.cassette.calls, rpc, asked, call_as_text(rpc, first)))
        async with aclosing(answers):
            async for answer in answers:
                yield answer

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
        self, live: StreamHandler, call: ApiCall, requests: AsyncIterator[Any]
    ) -> AsyncGenerator[Any]:
        heard = HeardCall(call)
        try:
            async with aclosing(heard.listen(requests, live)) as answers:
                async for answer in answers:
                    yield answer
        finally:
            if heard.requests and heard.rpc != _UPLOAD:
                self._put(heard)

    def _put(self, heard: HeardCall) -> None:
        secrets, error = _secrets(heard.call), heard.error
        self.changed = True
        self.cassette.calls.append(
            RecordedCall(
                rpc=heard.rpc,
                requests=[as_plain(message, secrets) for message in heard.requests],
                answers=[as_plain(message, secrets) for message in heard.answers],
                order=heard.order,
                call=call_as_text(heard.rpc, heard.requests[0]),
                error=(error.name, error.message) if error is not None else None,
                played=1,
            )
        )


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


async def _with_first(first: Any, others: AsyncIterator[Any]) -> AsyncGenerator[Any]:
    yield first
    async for each in others:
        yield each


def _secrets(call: ApiCall) -> frozenset[str]:
    """Return the credentials of a call, which must stand nowhere."""
    headers = (call.metadata.get("authorization", ""), call.metadata.get("x-clarifai-session-token", ""))
    return frozenset(token for header in headers if len(token := header.rpartition(" ")[2]) > 3)
