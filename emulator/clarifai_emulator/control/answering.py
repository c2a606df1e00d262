"""Answers what the controls of one emulator are asked for: the verbs of the table, and the commands."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any

from clarifai_emulator.api.transport.grpc_stream import GrpcStream
from clarifai_emulator.control.account import Account
from clarifai_emulator.control.commands import Command, Commands
from clarifai_emulator.control.error_forms import error_as_dict
from clarifai_emulator.control.progress_answers import Answers, with_progress
from clarifai_emulator.control.verb_table import VERBS, Verb, codec
from clarifai_emulator.control.verbs import Verbs
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.errors import CallerError, EmulatorError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answerer:
    """Answers one control. ``is_for_accounts``: whoever has the token of an account may ask for it."""

    answers_to: Callable[[bytes, GrpcStream, Verbs], Answers]
    is_for_accounts: bool = False


class Answering:
    """Answers the controls of one emulator. ``types``: further types that travel. ``about`` and ``stop``: see
    ``Commands``."""

    def __init__(
        self, emulator: Emulator, types: Iterable[Any], *, about: Mapping[str, Any], stop: Callable[[], object]
    ) -> None:
        self._emulator = emulator
        self.verbs = Verbs(Account(emulator))
        self._codec = codec(*types)
        self._commands = Commands(emulator, self.verbs, about=about, stop=stop)

    def find(self, name: str) -> Answerer | None:
        """Return what answers a control; None for a name that is none."""
        command = self._commands.find(name)
        if command is not None:
            return Answerer(partial(self._command_answers, command))
        verb = VERBS.get(name)
        return Answerer(partial(self._verb_answers, verb), verb.is_for_accounts) if verb is not None else None

    async def committed(self, answers: Answers) -> AsyncGenerator[bytes]:
        """Write the answers as JSON, each once what it tells of is kept."""
        # Closed with the stream: what a client has left half-way ends now, not when it is collected.
        async with aclosing(answers):
            async for answer in answers:
                try:
                    self._emulator.commit()
                except CallerError as error:
                    answer = {"error": self._codec.error_written(error)}
                yield json.dumps(answer).encode()

    async def _verb_answers(self, verb: Verb, request: bytes, _: GrpcStream, verbs: Verbs) -> Answers:
        """Give the answers of a verb of the table: its arguments and result are written by the codec."""
        try:
            given = verb.bound((), self._codec.read(json.loads(request)))
            if verb.tells_progress:
                begin = with_progress(lambda tell: verb.call(verbs, **given, progress=tell), self._codec.written)
                async with aclosing(begin) as answers:
                    async for answer in answers:
                        yield answer
            else:
                yield {"result": self._codec.written(await verb.call(verbs, **given))}
        except Exception as error:
            yield {"error": self._codec.error_written(error)}

    async def _command_answers(self, command: Command, request: bytes, stream: GrpcStream, _: Verbs) -> Answers:
        try:
            async with aclosing(command(json.loads(request), stream)) as answers:
                async for answer in answers:
                    yield answer
        except EmulatorError as error:
            yield {"error": error_as_dict(error)}
        except Exception as error:
            log.exception("a control failed")
            yield {"error": error_as_dict(error)}
