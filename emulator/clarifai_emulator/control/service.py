"""Serves the emulator's own controls, beside the platform's API: deploy, explain a route, show, reset, stop."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import Iterable, Mapping
from contextlib import aclosing
from functools import cached_property
from typing import TYPE_CHECKING, Any

from clarifai_emulator.api.transport.grpc_stream import GrpcStream
from clarifai_emulator.api.transport.http2 import Serve
from clarifai_emulator.api.transport.mounts import GrpcMount
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.errors import TransportError

if TYPE_CHECKING:
    from clarifai_emulator.control.answering import Answerer, Answering
    from clarifai_emulator.control.verbs import Verbs

SERVICE = "clarifai.emulator.Control"
TOKEN_HEADER = "x-clarifai-emulator-token"


class Control:
    """Serves the controls of one emulator, to whoever has ``token``, and the verbs of an account to whoever has
    that account's. ``types``: further types that travel. ``stop_requested`` is set when somebody wants the emulator
    to stop."""

    def __init__(self, emulator: Emulator, *, token: str = "", types: Iterable[Any] = ()) -> None:
        self._emulator = emulator
        self.token = token or secrets.token_hex(24)
        self.stop_requested = asyncio.Event()
        self._types = tuple(types)
        self._accounts: dict[str, Verbs] = {}
        self._about: dict[str, Any] = {}

    @cached_property
    def _answering(self) -> Answering:
        # Imported when a control is asked for: it knows every verb, and `up` listens without it.
        from clarifai_emulator.control.answering import Answering

        return Answering(self._emulator, self._types, about=self._about, stop=self.stop_requested.set)

    @property
    def verbs(self) -> Verbs:
        """Return the verbs of the whole emulator."""
        return self._answering.verbs

    def mount(self) -> GrpcMount:
        """Give what puts the controls beside the platform's API."""
        return GrpcMount(SERVICE, self._find)

    def _find(self, name: str) -> Serve | None:
        answerer = self._answering.find(name)
        return self._serve(answerer) if answerer is not None else None

    def admit(self, token: str, verbs: Verbs) -> None:
        """Let whoever has ``token`` use the verbs of one account, and nothing else."""
        self._accounts[token] = verbs

    def dismiss(self, token: str) -> None:
        """Admit a token no more."""
        self._accounts.pop(token, None)

    def introduce(self, about: Mapping[str, Any]) -> None:
        """Let commands that come from elsewhere be told this about the emulator, as its state file has it."""
        self._about.update(about)

    def _admitted(self, stream: GrpcStream, *, is_for_accounts: bool) -> Verbs:
        """Return the verbs that the token of a call opens. Raises ``TransportError``."""
        given = stream.metadata.get(TOKEN_HEADER, "").encode()
        if hmac.compare_digest(given, self.token.encode()):
            return self.verbs
        for token, verbs in self._accounts.items():
            if is_for_accounts and hmac.compare_digest(given, token.encode()):
                return verbs
        raise TransportError("PERMISSION_DENIED", "The control token is missing or wrong.")

    def _serve(self, answerer: Answerer) -> Serve:
        """Return what serves a call, to whoever has the token of the whole emulator, or that of an account."""

        async def serve(stream: GrpcStream) -> None:
            verbs = self._admitted(stream, is_for_accounts=answerer.is_for_accounts)
            answers = answerer.answers_to(await stream.read() or b"{}", stream, verbs)
            async with aclosing(self._answering.committed(answers)) as written:
                async for message in written:
                    await stream.write(message)

        return serve
