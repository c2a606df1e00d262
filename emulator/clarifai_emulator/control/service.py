"""Serves the emulator's own controls, beside the platform's API: deploy, explain a route, show, reset, stop."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import secrets
from collections.abc import Callable, Iterable
from contextlib import aclosing
from functools import partial
from typing import Any

from clarifai_emulator.api.transport.grpc_stream import GrpcStream
from clarifai_emulator.api.transport.http2 import Serve
from clarifai_emulator.api.transport.mounts import GrpcMount
from clarifai_emulator.control.account import Account
from clarifai_emulator.control.commands import Command, Commands
from clarifai_emulator.control.error_forms import error_as_dict
from clarifai_emulator.control.progress_answers import Answers, with_progress
from clarifai_emulator.control.verb_table import VERBS, Verb, codec
from clarifai_emulator.control.verbs import Verbs
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.errors import CallerError, EmulatorError, TransportError

log = logging.getLogger(__name__)

_Answering = Callable[[bytes, GrpcStream, Verbs], Answers]
SERVICE = "clarifai.emulator.Control"
TOKEN_HEADER = "x-clarifai-emulator-token"


class Control:
    """Serves the controls of one emulator, to whoever has ``token``, and the verbs of an account to whoever has
    that account's. ``types``: further types that travel."""

    def __init__(self, emulator: Emulator, *, token: str = "", types: Iterable[Any] = ()) -> None:
        self._emulator = emulator
        self.token = token or secrets.token_hex(24)
        self.verbs = Verbs(Account(emulator))
        self._codec = codec(*types)
        self._accounts: dict[str, Verbs] = {}
        self._commands = Commands(emulator, self.verbs)

    def mount(self) -> GrpcMount:
        """Give what puts the controls beside the platform's API."""
        return GrpcMount(SERVICE, self._find)

    def _find(self, name: str) -> Serve | None:
        command = self._commands.find(name)
        if command is not None:
            return self._serve(partial(self._command_answers, command))
        verb = VERBS.get(name)
        if verb is None:
            return None
        return self._serve(partial(self._verb_answers, verb), is_for_accounts=verb.is_for_accounts)

    def admit(self, token: str, verbs: Verbs) -> None:
        """Let whoever has ``token`` use the verbs of one account, and nothing else."""
        self._accounts[token] = verbs

    def dismiss(self, token: str) -> None:
        """Admit a token no more."""
        self._accounts.pop(token, None)

    def _admitted(self, stream: GrpcStream, *, is_for_accounts: bool) -> Verbs:
        """Return the verbs that the token of a call opens. Raises ``TransportError``."""
        given = stream.metadata.get(TOKEN_HEADER, "").encode()
        if hmac.compare_digest(given, self.token.encode()):
            return self.verbs
        for token, verbs in self._accounts.items():
            if is_for_accounts and hmac.compare_digest(given, token.encode()):
                return verbs
        raise TransportError("PERMISSION_DENIED", "The control token is missing or wrong.")

    def _serve(self, answers_to: _Answering, *, is_for_accounts: bool = False) -> Serve:
        """Return what serves a call, to whoever has the token of the whole emulator, or that of an account."""

        async def serve(stream: GrpcStream) -> None:
            verbs = self._admitted(stream, is_for_accounts=is_for_accounts)
            request = await stream.read() or b"{}"
            # Closed with the stream: what a client has left half-way ends now, not when it is collected.
            async with aclosing(answers_to(request, stream, verbs)) as answers:
                async for answer in answers:
                    try:
                        self._emulator.commit()
                    except CallerError as error:
                        answer = {"error": self._codec.error_written(error)}
                    await stream.write(json.dumps(answer).encode())

        return serve

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

    @property
    def stop_requested(self) -> asyncio.Event:
        """Give the event that is set when somebody wants the emulator to stop."""
        return self._commands.stop_requested

    def introduce(self, about: dict[str, Any]) -> None:
        """Let commands that come from elsewhere be told this about the emulator, as its state file has it."""
        self._commands.introduce(about)

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
