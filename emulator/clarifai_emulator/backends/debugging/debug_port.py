"""Opens the port at which a developer's editor finds the replica that serves a deployment, whichever that is
now."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from clarifai_emulator.background_work import beside

_LOOPBACK = "127.0.0.1"
_CHUNK = 64 * 1024
# A message that is longer is passed on and not looked at: those looked for are short.
_LONGEST = 1024 * 1024
_RESUMING = frozenset(
    {"continue", "next", "stepIn", "stepOut", "stepBack", "reverseContinue", "goto", "disconnect"}
)
# Longest wait until debugpy has let an editor go.
_TURN_SECONDS = 5.0
# Longest wait of an editor for a replica that it can attach to: editors themselves give up about then.
_REPLICA_SECONDS = 10.0
# What is said to debugpy for an editor that went without a word.
_LEAVING = (
    b'{"seq": 1000000, "type": "request", "command": "disconnect", "arguments": {"terminateDebuggee": false}}'
)
_LEAVE = b"Content-Length: %d\r\n\r\n%s" % (len(_LEAVING), _LEAVING)

Hold = Callable[[], AbstractContextManager[Any]]


class Messages:
    """The messages in one direction of a connection, as they come."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._skip = 0

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """The messages that are whole now."""
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        self._data += data
        found: list[dict[str, Any]] = []
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            size, begin = _length(bytes(self._data[:end])), end + 4
            if size > _LONGEST:
                self._skip = max(0, begin + size - len(self._data))
                del self._data[: begin + size]
                continue
            if len(self._data) < begin + size:
                break
            with contextlib.suppress(ValueError):
                message = json.loads(self._data[begin : begin + size])
                if isinstance(message, dict):
                    found.append(message)
            del self._data[: begin + size]
        return found


def _length(header: bytes) -> int:
    for line in header.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            return int(value)
    return 0


class DebugPort:
    """Listens once ``open`` has been called. ``say`` is told when an editor attaches and leaves."""

    def __init__(self, hold: Hold, say: Callable[[str], None]) -> None:
        self.port = 0
        self._hold = hold
        self._say = say
        self._targets: dict[str, int] = {}  # the replica, and the port of its debugger; the newest comes last
        self._arrived = asyncio.Event()  # there is one
        self._editors: dict[asyncio.Task[Any], str] = {}
        self._waiting: dict[str, contextlib.ExitStack] = {}
        self._server: asyncio.Server | None = None
        self._turn = asyncio.Lock()

    async def open(self, port: int) -> None:
        """Listen. Raises ``OSError``."""
        self._server = await asyncio.start_server(self._serve, _LOOPBACK, port)
        self.port = self._server.sockets[0].getsockname()[1]

    def attach(self, replica_id: str, port: int, *, waits: bool) -> None:
        """Editors that come from now on get this replica. ``waits``: until one has come, it does not load."""
        self._targets[replica_id] = port
        self._arrived.set()
        if waits:
            self._waiting[replica_id] = stack = contextlib.ExitStack()
            stack.enter_context(self._hold())

    def detach(self, replica_id: str) -> None:
        """Forget a replica that has ended."""
        self._targets.pop(replica_id, None)
        if not self._targets:
            self._arrived.clear()
        self._no_longer_waits(replica_id)
        for task, whose in tuple(self._editors.items()):
            if whose == replica_id:
                task.cancel()

    async def close(self) -> None:
        """Listen no more, and let editors go."""
        for replica_id in tuple(self._targets):
            self.detach(replica_id)
        if self._server is not None:
            self._server.close()
        tasks = tuple(self._editors)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _no_longer_waits(self, replica_id: str) -> None:
        waiting = self._waiting.pop(replica_id, None)
        if waiting is not None:
            waiting.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._editors[task] = ""
        try:
            replica_id = self._editors[task] = await self._replica()
            if replica_id and await self._take_turn():
                try:
                    await self._relay(replica_id, reader, writer)
                finally:
                    self._turn.release()
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            del self._editors[task]
            writer.close()

    async def _replica(self) -> str:
        """Return the newest replica, waiting a while for the first one; empty where none comes."""
        try:
            await asyncio.wait_for(self._arrived.wait(), _REPLICA_SECONDS)
        except TimeoutError:
            self._say("a debugger was sent away: no replica runs that it could attach to")
        return next(reversed(self._targets), "")

    async def _take_turn(self) -> bool:
        """Take the turn: debugpy has one editor at a time, and needs a moment to let the last one go."""
        try:
            await asyncio.wait_for(self._turn.acquire(), _TURN_SECONDS)
        except TimeoutError:
            self._say("a second debugger was sent away: one is attached already")
            return False
        return True

    async def _relay(self, replica_id: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_connection(_LOOPBACK, self._targets[replica_id])
        session = _Session(self._hold, lambda: self._no_longer_waits(replica_id))
        self._say("a debugger is attached")
        ways = [
            beside(_pump(reader, ours, session.asked)),
            beside(_pump(theirs, writer, session.told)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            session.end()
            if not session.has_left.is_set() and not ways[1].done():
                # The editor went without a word, and debugpy would take no other one.
                ours.write(_LEAVE)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(session.has_left.wait(), _TURN_SECONDS)
        finally:
            # Before the wait, which may be broken off, too: the replica has ended, and then the port closes.
            ours.close()
            session.end()
            self._say("the debugger is detached")
            for each in ways:
                each.cancel()
            await asyncio.gather(*ways, return_exceptions=True)


class _Session:
    """A session of one editor and debugpy, as far as it tells whether the model stands still."""

    def __init__(self, hold: Hold, is_configured: Callable[[], None]) -> None:
        self._hold = hold
        self._is_configured = is_configured
        self._held = contextlib.ExitStack()
        self._stopped: set[Any] = set()
        self.has_left = asyncio.Event()  # debugpy has let the editor go
        self._to_editor, self._to_model = Messages(), Messages()

    def asked(self, data: bytes) -> None:
        """From the editor."""
        for message in self._to_model.feed(data):
            if message.get("command") in _RESUMING:
                self._go_on(message.get("arguments") or {})

    def told(self, data: bytes) -> None:
        """From the model."""
        for message in self._to_editor.feed(data):
            body: dict[str, Any] = message.get("body") or {}
            if message.get("event") == "stopped":
                if not self._stopped:
                    self._held.enter_context(self._hold())
                self._stopped.add(body.get("threadId"))
            elif message.get("event") == "continued":
                self._go_on(body)
            elif message.get("command") == "disconnect":
                self.has_left.set()
            elif message.get("command") == "configurationDone":
                self._is_configured()

    def end(self) -> None:
        """The editor is gone; debugpy lets the model go on."""
        self._stopped.clear()
        self._held.close()

    def _go_on(self, body: dict[str, Any]) -> None:
        # debugpy lets all threads go on unless it is told to let one.
        if body.get("singleThread") or body.get("allThreadsContinued") is False:
            self._stopped.discard(body.get("threadId"))
        else:
            self._stopped.clear()
        if not self._stopped:
            self._held.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, look: Callable[[bytes], None]) -> None:
    while data := await reader.read(_CHUNK):
        look(data)
        if not writer.is_closing():
            writer.write(data)
            with contextlib.suppress(ConnectionError):  # of an editor that is gone: what comes is looked at still
                await writer.drain()
