"""Records the calls of an emulator onto a tape, or plays a tape back in place of the API.

client ─► Deck.intercept ─┬─ recorded ─► its answers
                          ├─ live ─────► the emulator's own handler, or another platform ─► tape
                          └─ neither ──► refused: the nearest recorded call and the difference
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from clarifai_emulator.api.playback.messages import answer_as_dict, answer_from_dict, call_as_text, request_as_dict
from clarifai_emulator.api.playback.upstream import Upstream
from clarifai_emulator.api.taps import Exchange, TappedStream
from clarifai_emulator.api.transport.grpc_stream import GrpcStream
from clarifai_emulator.api.transport.http2 import Serve
from clarifai_emulator.cassettes import Recorded, Tape
from clarifai_emulator.cassettes.matching import difference, explain, find
from clarifai_emulator.errors import TransportError

_API = "/clarifai.api.V2/"


class Mode(StrEnum):
    """What the deck does with a call."""

    RECORD = "record"  # live, and onto the tape
    REPLAY = "replay"  # from the tape only
    BOTH = "both"  # from the tape, else live and onto it


class Deck:
    """One tape in use. ``problems``: what was asked and is not recorded. In the emulator's event loop."""

    def __init__(self, tape: Tape, mode: Mode, *, name: str, upstream: Upstream | None = None) -> None:
        self.tape = tape
        self.mode = mode
        self.problems: list[str] = []
        self.changed = False
        self._name = name
        self._upstream = upstream

    async def close(self) -> None:
        """Hang up on the platform that it records from."""
        if self._upstream is not None:
            await self._upstream.close()

    def intercept(self, path: str, serve: Serve | None) -> Serve | None:
        """See ``api/taps.py``."""
        if not path.startswith(_API):
            return serve
        live = self._upstream.serve if self._upstream is not None else serve

        async def played(stream: GrpcStream) -> None:
            if self.mode is Mode.RECORD:
                await self._record(stream, live, None)
                return
            try:
                await self._play(stream, live)
            except _Refused as refused:
                self.problems.append(refused.problem)
                await stream.write(refused.answer(stream.path, self._name))

        return played

    async def _play(self, stream: GrpcStream, live: Serve | None) -> None:
        rpc, first = stream.path.rpartition("/")[2], await stream.read()
        if first is None:
            raise TransportError("INVALID_ARGUMENT", f"{rpc} was called without a request.")
        asked = request_as_dict(rpc, first, _secrets(stream))
        call = find(self.tape.calls, rpc, asked)
        if call is not None:
            call.played += 1
            await self._answer(stream, call)
        elif self.mode is Mode.BOTH:
            await self._record(stream, live, first)
        else:
            raise _Refused(explain(self.tape.calls, rpc, asked, call_as_text(rpc, first)))

    async def _answer(self, stream: GrpcStream, call: Recorded) -> None:
        """Say what was recorded, in the order in which it was: later requests must be those of then."""
        requests, answers = iter(call.requests[1:]), iter(call.answers)
        for turn in call.order.removeprefix(">"):
            if turn == "<":
                await stream.write(answer_from_dict(call.rpc, next(answers)))
                stream.flush()
            else:
                await self._expect(stream, call, next(requests))
        if call.error is not None:
            raise TransportError(*call.error)

    async def _expect(self, stream: GrpcStream, call: Recorded, wanted: dict[str, Any]) -> None:
        message = await stream.read()
        now = None if message is None else request_as_dict(call.rpc, message, _secrets(stream))
        if now != wanted:
            said = "ends earlier than it was recorded" if now is None else "goes on differently"
            told = [] if now is None else difference(wanted, now)
            raise _Refused("\n".join([f"The stream of {call.call or call.rpc} {said}.", *told]))

    async def _record(self, stream: GrpcStream, live: Serve | None, first: bytes | None) -> None:
        if live is None:
            raise TransportError("UNIMPLEMENTED", f"Nothing answers {stream.path}.")
        exchange = Exchange(stream.path, stream.metadata)
        tapped: Any = TappedStream(stream, exchange)
        if first is not None:
            tapped.unread(first)
        try:
            await live(tapped)
        except TransportError as error:
            exchange.error = error
            raise
        finally:
            if exchange.requests:
                self._put(exchange)

    def _put(self, exchange: Exchange) -> None:
        secrets, error = _secrets(exchange), exchange.error
        self.changed = True
        self.tape.calls.append(
            Recorded(
                rpc=exchange.rpc,
                requests=[request_as_dict(exchange.rpc, data, secrets) for data in exchange.requests],
                answers=[answer_as_dict(exchange.rpc, data, secrets) for data in exchange.answers],
                order=exchange.order,
                call=call_as_text(exchange.rpc, exchange.requests[0]),
                error=(error.name, error.message) if error is not None else None,
                played=1,
            )
        )


class _Refused(Exception):
    """A call that is not recorded. It is answered with a status of the platform: the SDK repeats a stream that ends
    with one of gRPC's, ten times in a minute."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def answer(self, path: str, cassette: str) -> bytes:
        details = f"Cassette {cassette}: {self.problem}"
        status = {"code": "FAILURE", "description": "Not recorded", "details": details}
        return answer_from_dict(path.rpartition("/")[2], {"status": status})


def _secrets(call: GrpcStream | Exchange) -> frozenset[str]:
    """The credentials of a call, which must stand nowhere."""
    headers = (call.metadata.get("authorization", ""), call.metadata.get("x-clarifai-session-token", ""))
    return frozenset(token for header in headers if len(token := header.rpartition(" ")[2]) > 3)
