"""Talks to a warm parent (``zygote_main.py``), wherever it runs: asks it to fork, hears of its children's ends."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import os
import signal
import socket
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clarifai_emulator.backends.backend import Exit
from clarifai_emulator.backends.model_errors import broken_sdk
from clarifai_emulator.backends.replica_network import ReplicaNetwork
from clarifai_emulator.backends.replica_output import OutputPipe
from clarifai_emulator.errors import ModelError

if TYPE_CHECKING:
    from clarifai_emulator.dispatch.lean_sockets import LeanSockets

log = logging.getLogger(__name__)

_PACKET = 1 << 20
# It is asked so often whether it still answers. One that has missed so many beats hangs.
BEAT_SECONDS = 2.0
_MOST_MISSED = 5


@dataclass(slots=True, eq=False)
class Child:
    """A forked process. ``exited`` resolves once its output was read."""

    job_id: int
    output: OutputPipe
    parent: WarmParent
    exited: asyncio.Future[Exit]
    started: asyncio.Future[int]
    pid: int = 0
    connection: LeanSockets | None = None
    reloads: socket.socket | None = None
    debugger: asyncio.Future[int] | None = None
    network: ReplicaNetwork | None = None

    def terminate(self) -> None:
        self.parent.signal(self.job_id, signal.SIGTERM, whole_group=False)

    killed_because: str = ""

    def kill_for(self, why: str) -> None:
        """End it for this reason."""
        self.killed_because = why
        self.kill()

    def kill(self) -> None:
        self.parent.signal(self.job_id, signal.SIGKILL, whole_group=True)


class WarmParent:
    """The emulator's end of the socket to one, or rather to its keeper. ``named``: which interpreter it is, for
    messages. ``beat``: how often it is asked whether it still answers, in seconds."""

    def __init__(self, named: str, *, beat: float = BEAT_SECONDS) -> None:
        self._named = named
        self._beat = beat
        self._missed = 0
        self._timer: asyncio.TimerHandle | None = None
        self._control: socket.socket | None = None
        self._children: dict[int, Child] = {}
        self._ids = itertools.count()
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._unsent: deque[tuple[bytes, list[int]]] = deque()

    def attach(self, control: socket.socket) -> None:
        """From now on hear what it says."""
        control.setblocking(False)
        self._control = control
        asyncio.get_running_loop().add_reader(control, self._receive)
        self._wait_a_beat()

    async def ready(self) -> None:
        """Wait until it has imported the SDK. Raises ``ModelError`` when it cannot."""
        await asyncio.shield(self._ready)

    @property
    def is_ready(self) -> bool:
        """Tell whether it has imported the SDK."""
        return self._ready.done() and self._ready.exception() is None

    @property
    def is_alive(self) -> bool:
        """Tell whether it can fork."""
        return self._control is not None

    def fork(self, job: Mapping[str, Any], output: OutputPipe, *more_fds: int) -> Child:
        """Fork a child for this job; it prints to ``output``. Raises ``ModelError`` when the parent is gone."""
        if self._control is None:
            output.close()
            raise ModelError(f"A model's interpreter could not be started: {self._named} has ended.")
        loop = asyncio.get_running_loop()
        child = Child(next(self._ids), output, self, loop.create_future(), loop.create_future())
        self._children[child.job_id] = child
        self._send({**job, "id": child.job_id}, output.write_fd, *more_fds)
        output.give_away()
        return child

    def signal(self, job_id: int, number: int, *, whole_group: bool) -> None:
        """Send a signal to a child (by its parent, which knows whether that pid is still its child)."""
        if self._control is not None and job_id in self._children:
            self._send({"op": "signal", "id": job_id, "signal": int(number), "group": whole_group})

    def close(self) -> None:
        """End it and all its children; it kills them when the socket closes."""
        self._disconnect("the emulator has stopped")

    # What differs by where it runs.

    def _stillborn(self, why: str) -> ModelError:
        """Why it never became ready."""
        return ModelError(f"A model's interpreter could not be started: {why}.")

    def _is_stopped(self) -> bool:
        """Tell whether somebody has stopped it, where that can be seen."""
        return False

    def _end_by_force(self) -> None:
        """End it and everything below it."""

    def _gone(self) -> None:
        """See to what is left of a parent whose socket is closed."""

    # Its heart.

    def _wait_a_beat(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._beat, self._ask)

    def _ask(self) -> None:
        """Ask whether it still answers. Counted are beats, not seconds: while this machine sleeps, nobody beats."""
        if self._missed >= (1 if self._is_stopped() else _MOST_MISSED):
            log.error(
                "%s, from which replicas are forked, does not answer any more. It is ended, with its replicas, "
                "which are started again.",
                self._named,
            )
            self._end_by_force()
            self._disconnect("it did not answer any more")
            return
        if self.is_ready:
            self._missed += 1
            self._send({"op": "ping"})
        self._wait_a_beat()

    def _send(self, message: Mapping[str, Any], *fds: int) -> None:
        """In order, each as soon as the socket takes it: it holds a dozen jobs, and many may start at once."""
        self._unsent.append((json.dumps(message).encode(), [os.dup(fd) for fd in fds]))
        if len(self._unsent) == 1:
            self._flush()

    def _flush(self) -> None:
        control = self._control
        while control is not None and self._unsent:
            data, fds = self._unsent[0]
            try:
                socket.send_fds(control, [data], fds)
            except BlockingIOError:
                asyncio.get_running_loop().add_writer(control, self._flush)
                return
            except OSError as error:
                self._disconnect(f"the interpreter {self._named} cannot be reached: {error}")
                return
            self._drop_first_unsent()
        if control is not None:
            asyncio.get_running_loop().remove_writer(control)

    def _drop_first_unsent(self) -> None:
        for fd in self._unsent.popleft()[1]:
            os.close(fd)

    def _receive(self) -> None:
        assert self._control is not None
        while True:
            try:
                data = self._control.recv(_PACKET)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._disconnect(f"the interpreter {self._named} ended unexpectedly")
                return
            try:
                self._handle(json.loads(data))
            except Exception:
                # Whoever waits for what it says would wait for ever.
                self._disconnect(f"the interpreter {self._named} said what cannot be understood")
                raise

    def _tell_network(self, message: dict[str, Any]) -> None:
        """Pass on what is said of a child's network: by another thread of the keeper, also when it has ended."""
        child = self._children.get(message["id"])
        if child is None or child.network is None:
            return
        if message["event"] == "network":
            child.network.take(message["kind"], message["address"], message["because"])
        else:
            child.network.listens(message["port"], was_mistaken=message["was_mistaken"])

    def _handle(self, message: dict[str, Any]) -> None:
        event = message["event"]
        if event == "started":
            child = self._children[message["id"]]
            child.pid = message["pid"]
            if not child.started.done():
                child.started.set_result(child.pid)
        elif event in ("network", "listens"):
            self._tell_network(message)
        elif event == "exited":
            self._end(self._children.pop(message["id"]), Exit(message.get("code"), message.get("signal")))
        elif event == "ready":
            self._ready.set_result(None)
        elif event == "pong":
            self._missed = 0
        elif event == "replaced":
            log.warning(
                "%s, from which replicas are forked, %s. Another one has taken its place; replicas go on.",
                self._named,
                message["why"],
            )
        elif event == "failed":
            trace = str(message["error"]).rstrip()
            self._fail(broken_sdk(self._named, trace.splitlines()[-1], trace, message["packages"]))

    def _end(self, child: Child, exit_: Exit) -> None:
        child.output.close()
        if not child.started.done():
            child.started.set_result(0)
        if not child.exited.done():
            child.exited.set_result(Exit(why=child.killed_because) if child.killed_because else exit_)

    def _fail(self, error: ModelError) -> None:
        if not self._ready.done():
            self._ready.set_exception(error)
            self._ready.exception()  # seen, even when nobody waits any more

    def _disconnect(self, why: str) -> None:
        if self._control is None:
            return
        asyncio.get_running_loop().remove_reader(self._control)
        asyncio.get_running_loop().remove_writer(self._control)
        self._control.close()
        self._control = None
        if self._timer is not None:
            self._timer.cancel()
        while self._unsent:
            self._drop_first_unsent()
        if not self._ready.done():
            self._fail(self._stillborn(why))
        for child in tuple(self._children.values()):
            self._end(child, Exit(signal=int(signal.SIGKILL)))
        self._children.clear()
        self._gone()
