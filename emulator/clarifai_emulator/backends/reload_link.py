"""Speaks the emulator's end of a reloadable replica's socket: which code it has, and new code behind its model."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import MethodSignature

from clarifai_emulator.backends.model_errors import unusable_model
from clarifai_emulator.background_work import begin
from clarifai_emulator.errors import ModelError
from clarifai_emulator.replica_tokens import hidden

_LONGEST_LINE = 64 * 1024 * 1024
# A class statement takes milliseconds; one that does not end must not hold up the loop for ever.
_ANSWER_SECONDS = 20.0


class CannotSwap(Exception):
    """The replica cannot take this edit, or cannot now; another kind of reload can. Says why."""


class ReloadLink:
    """The socket of one replica. ``code``: the content hash of what it runs, empty while that is not known."""

    def __init__(self, sock: socket.socket) -> None:
        self.code = ""
        self.signatures: Sequence[Any] = ()
        self._sock = sock
        self._answers: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None

    async def loaded(self) -> bool:
        """Wait until the model is loaded and the replica waits for ``go``. False when it ended before that."""
        reader, self._writer = await asyncio.open_unix_connection(sock=self._sock, limit=_LONGEST_LINE)
        self._task = begin(self._read(reader), "reader of a reloadable replica", self._read_failed)
        answer = await self._answers.get()
        if answer is None:
            return False
        self.signatures = _decoded(answer["signatures"])
        return True

    def go(self, code: str) -> None:
        """Let it take work: what it has loaded is ``code``."""
        self.code = code
        self._send({"code": code})

    async def prepare(self, *, code: str, edits: Sequence[Mapping[str, Any]]) -> Sequence[Any]:
        """Have the edited class and functions made; gives the signatures. Raises ``ModelError`` with the model's
        own traceback, or ``CannotSwap``."""
        answer = await self._ask("prepare", before=self.code, code=code, edits=edits)
        if answer["event"] == "prepared":
            return _decoded(answer["signatures"])
        if answer["kind"] == "OtherCode":
            raise CannotSwap(answer["error"])
        raise unusable_model(hidden(answer["error"]), answer["kind"], hidden(answer["traceback"]))

    async def commit(self, code: str) -> None:
        """Requests from here on get what was prepared. Raises ``CannotSwap``."""
        await self._ask("commit")
        self.code = code

    async def label(self, code: str) -> None:
        """Name what the replica runs ``code`` from now on. Raises ``CannotSwap``."""
        await self._ask("label", code=code)
        self.code = code

    def close(self) -> None:
        """The replica is no more."""
        if self._task is not None:
            self._task.cancel()
        if self._writer is not None:
            self._writer.close()
        else:
            self._sock.close()

    async def _ask(self, op: str, **fields: Any) -> dict[str, Any]:
        if self._task is None or self._task.done():
            raise CannotSwap("the replica has ended")
        self._send({"op": op, **fields})
        try:
            answer = await asyncio.wait_for(self._answers.get(), _ANSWER_SECONDS)
        except TimeoutError:
            self.code = ""  # what it does in the end is not known
            raise CannotSwap(f"the replica did not answer within {_ANSWER_SECONDS:g} s") from None
        if answer is None:
            raise CannotSwap("the replica has ended")
        if op != "prepare" and answer["event"] == "refused":
            raise CannotSwap(answer["error"])
        return answer

    def _send(self, message: dict[str, Any]) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(json.dumps(message).encode() + b"\n")

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while line := await reader.readline():
                self._answers.put_nowait(json.loads(line))
        self._answers.put_nowait(None)

    def _read_failed(self, reason: str) -> None:
        self._answers.put_nowait(None)


def _decoded(texts: Sequence[str]) -> list[Any]:
    return [MethodSignature.FromString(base64.b64decode(text)) for text in texts]


def load_failure(trace: str, why: str) -> ModelError:
    """Why a replica did not come to serve: the model's traceback in what it printed, or how its process ended."""
    said = _error_in(trace) or why
    kind = said.partition(":")[0].rpartition(".")[2]
    return unusable_model(said if "Traceback" in trace or "Error" in kind else why, kind, trace)


def _error_in(trace: str) -> str:
    """Return the exception below a traceback, all its lines in one; without a traceback, the last line. A long line
    comes in pieces: the last of them alone would be the middle of a message."""
    lines = [line for line in trace.splitlines() if line.strip()]
    begin = next((n for n in reversed(range(len(lines))) if lines[n].lstrip().startswith("Traceback")), None)
    if begin is None:
        return lines[-1].strip() if lines else ""
    indent = len(lines[begin]) - len(lines[begin].lstrip())
    # Frames are indented; the first line after them that is not, is the exception's.
    after = (n for n in range(begin + 1, len(lines)) if not lines[n][indent:].startswith(" "))
    return " ".join(line.strip() for line in lines[next(after, len(lines) - 1) :])
