"""Asks replicas whether they are alive and ready, wherever they run, and ends those that are not alive.

    every so often: liveness ─► three failures in a row ─► the replica is ended, and another takes its place
                    readiness ─► three failures in a row ─► it is said

Nothing counts before the first success: a replica answers only once its model is loaded.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from functools import partial

from clarifai_emulator.backends.backend import Exit
from clarifai_emulator.background_work import begin, beside
from clarifai_emulator.inside.probes_main import NOT_YET

# As Kubernetes does by default, where an answer may take a second only: a model that computes holds Python's lock.
FAILURES = 3
_FAILED = "[emulator] its {probe} probe failed {count} times in a row ({why})"
_LONGEST = 4096
# Asks a probe and waits for so many seconds at most. Returns why it failed, empty where it did not, None where it
# cannot be asked yet.
Ask = Callable[[str, float], Awaitable[str | None]]


class HealthWatch:
    """Asks one replica. ``on_line`` takes what is said about it; ``kill`` ends it, with the reason."""

    def __init__(
        self, ask: Ask, *, every: float, on_line: Callable[[str], None], kill: Callable[[str], None]
    ) -> None:
        self._ask = ask
        self._every = every
        self._on_line = on_line
        self._kill = kill
        self._task: asyncio.Task[None] | None = None

    def begin(self, name: str) -> None:
        """Ask from now on. An answer may take as long as it is until the next question, too."""
        self._task = begin(self._run(), f"health of {name}", self._failed)

    def end(self) -> None:
        """Ask no more."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        failures = {"liveness": 0, "readiness": 0}
        was_alive = False
        while True:
            await asyncio.sleep(self._every)
            for probe in failures:
                why = await self._ask(probe, self._every)
                if not why:
                    was_alive = was_alive or (why is not None and probe == "liveness")
                    failures[probe] = 0
                    continue
                failures[probe] += was_alive
                if failures[probe] != FAILURES:
                    continue
                self._on_line(_FAILED.format(probe=probe, count=FAILURES, why=why))
                if probe == "liveness":
                    self._kill(f"its liveness probe failed {FAILURES} times in a row ({why})")
                    return

    def _failed(self, reason: str) -> None:
        self._on_line(f"[emulator] its health is not looked after any more, because the emulator failed: {reason}")


class ProbeSocket:
    """The emulator's end of the socket at which a replica answers probes (``probes_main.py``)."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._coming: asyncio.Task[bytes] | None = None

    async def ask(self, probe: str, patience: float) -> str | None:
        """Ask a probe: see ``Ask``."""
        try:
            async with asyncio.timeout(patience):
                while True:
                    said = await asyncio.shield(self._answer(probe))
                    self._coming = None
                    about, _, why = said.decode("utf-8", "replace").partition(":")
                    if not said:
                        return "it hung up"
                    if about == probe:
                        return None if why == NOT_YET else why
        except TimeoutError:
            return f"no answer within {patience:g} s"
        except OSError as error:
            self._coming = None
            return error.strerror or str(error)

    def close(self) -> None:
        """Ask no more."""
        if self._coming is not None:
            self._coming.cancel()
        self._sock.close()

    def _answer(self, probe: str) -> asyncio.Task[bytes]:
        """Return what comes; nothing is asked while an answer is still on its way, which may be to an earlier
        question."""
        if self._coming is None:
            self._sock.send(probe.encode())
            self._coming = beside(asyncio.get_running_loop().sock_recv(self._sock, _LONGEST))
        return self._coming


def watch_replica(
    sock: socket.socket,
    exited: asyncio.Future[Exit],
    *,
    every: float,
    on_line: Callable[[str], None],
    kill: Callable[[str], None],
) -> None:
    """Watch the health of a replica with this socket, until it has ended."""
    probes = ProbeSocket(sock)
    watch = HealthWatch(probes.ask, every=every, on_line=on_line, kill=kill)
    watch.begin("a replica")
    exited.add_done_callback(partial(_end, watch, probes))


def _end(watch: HealthWatch, probes: ProbeSocket, exited: asyncio.Future[Exit]) -> None:
    watch.end()
    probes.close()
