"""Talks to one warm parent (``zygote_main.py``): starts it, asks it to fork, hears of its children's ends."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clarifai_emulator.errors import ModelError
from clarifai_emulator.runners.backend import Exit
from clarifai_emulator.runners.output import OutputPipe

SCRIPT = Path(__file__).with_name("zygote_main.py")
_PACKET = 1 << 20


@dataclass(slots=True, eq=False)
class Child:
    """One forked process. ``exited`` resolves once its output was read."""

    job_id: int
    output: OutputPipe
    zygote: Zygote
    exited: asyncio.Future[Exit]
    started: asyncio.Future[int]
    pid: int = 0
    connection: socket.socket | None = None
    reloads: socket.socket | None = None

    def terminate(self) -> None:
        self.zygote.signal(self.job_id, signal.SIGTERM, whole_group=False)

    def kill(self) -> None:
        self.zygote.signal(self.job_id, signal.SIGKILL, whole_group=True)


@dataclass(slots=True, eq=False)
class Zygote:
    """A warm parent for one interpreter. ``start`` once, then ``fork`` as often as needed."""

    python: Path
    environ: Mapping[str, str]
    _control: socket.socket | None = None
    _process: subprocess.Popen[bytes] | None = None
    _children: dict[int, Child] = field(default_factory=dict[int, Child])
    _ids: itertools.count[int] = field(default_factory=itertools.count)
    _ready: asyncio.Future[None] | None = None
    _printed: deque[str] = field(default_factory=lambda: deque(maxlen=50))
    _output: OutputPipe | None = None
    _unsent: deque[tuple[bytes, list[int]]] = field(default_factory=deque[tuple[bytes, list[int]]])

    async def start(self) -> None:
        """Start the process and wait until it has imported the SDK. Raises ``ModelError`` when it cannot."""
        if self._ready is None:
            self._ready = asyncio.get_running_loop().create_future()
            self._launch()
        await asyncio.shield(self._ready)

    def _launch(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        # A pipe of its own: what an import prints is for a log, and a child can take over only what is no file.
        output = self._output = OutputPipe(self._printed.append)
        try:
            with theirs:
                self._process = subprocess.Popen(
                    [self.python, SCRIPT, str(theirs.fileno())],
                    env=dict(self.environ),
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=output.write_fd,
                    stderr=output.write_fd,
                    start_new_session=True,
                )
        except OSError as error:
            ours.close()
            output.close()
            self._fail(cannot_run(self.python, error))
            return
        output.give_away()
        self._control = ours
        asyncio.get_running_loop().add_reader(ours, self._receive)

    def fork(self, job: Mapping[str, Any], output: OutputPipe, *more_fds: int) -> Child:
        """Fork a child for this job; it prints to ``output``. Raises ``ModelError`` when the parent is gone."""
        if self._control is None:
            output.close()
            raise ModelError(f"A model's interpreter could not be started: {self.python} has ended.")
        loop = asyncio.get_running_loop()
        child = Child(next(self._ids), output, self, loop.create_future(), loop.create_future())
        self._children[child.job_id] = child
        self._send({**job, "id": child.job_id}, output.write_fd, *more_fds)
        output.give_away()
        return child

    def signal(self, job_id: int, number: int, *, whole_group: bool) -> None:
        """Send a signal to a child (by the zygote, which knows whether that pid is still its child)."""
        if self._control is not None and job_id in self._children:
            self._send({"op": "signal", "id": job_id, "signal": int(number), "group": whole_group})

    @property
    def is_alive(self) -> bool:
        """Whether it can fork."""
        return self._control is not None

    def close(self) -> None:
        """End it and all its children; they are killed by the zygote when the socket closes."""
        self._disconnect("the emulator has stopped")

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
                self._disconnect(f"the interpreter {self.python} cannot be reached: {error}")
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
                self._disconnect(f"the interpreter {self.python} ended unexpectedly")
                return
            self._handle(json.loads(data))

    def _handle(self, message: dict[str, Any]) -> None:
        event = message["event"]
        if event == "started":
            child = self._children[message["id"]]
            child.pid = message["pid"]
            if not child.started.done():
                child.started.set_result(child.pid)
        elif event == "exited":
            self._end(self._children.pop(message["id"]), Exit(message.get("code"), message.get("signal")))
        elif event == "ready":
            assert self._ready is not None
            self._ready.set_result(None)
        elif event == "failed":
            self._fail(
                ModelError(
                    f"The Clarifai SDK cannot be imported by {self.python}.",
                    hint="Name `clarifai` in the model's requirements.txt, or mend the environment.",
                    log=message["error"],
                )
            )

    def _end(self, child: Child, exit_: Exit) -> None:
        child.output.close()
        if not child.started.done():
            child.started.set_result(0)
        if not child.exited.done():
            child.exited.set_result(exit_)

    def _fail(self, error: ModelError) -> None:
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(error)
            self._ready.exception()  # seen, even when nobody waits any more

    def _stillborn(self, why: str) -> ModelError:
        """Why it never became ready."""
        assert self._process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        code = self._process.returncode
        if self._output is not None:
            self._output.close()
        printed = "\n".join(self._printed)
        if code is not None and code < 0:
            return ModelError(
                f"{self.python} was ended by signal {-code} while it imported the Clarifai SDK.",
                hint="clarifai-protocol 0.0.60 and later crash on Python 3.13.0: install an older one, or set "
                'build_info.python_version in config.yaml to "3.12".',
                log=printed,
            )
        return ModelError(f"A model's interpreter could not be started: {why}.", log=printed)

    def _disconnect(self, why: str) -> None:
        if self._control is None:
            return
        asyncio.get_running_loop().remove_reader(self._control)
        asyncio.get_running_loop().remove_writer(self._control)
        self._control.close()
        self._control = None
        while self._unsent:
            self._drop_first_unsent()
        if self._ready is not None and not self._ready.done():
            self._fail(self._stillborn(why))
        for child in tuple(self._children.values()):
            self._end(child, Exit(signal=int(signal.SIGKILL)))
        self._children.clear()
        if self._process is not None:
            try:
                self._process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._output is not None:
            self._output.close()


def cannot_run(python: Path, error: OSError) -> ModelError:
    """The interpreter of a model's environment is not there, or is none."""
    return ModelError(
        f"A model's interpreter could not be started: {python}: {error.strerror or error}.",
        hint="If its environment was removed, deploy the model again to build it anew.",
    )


def runner_environ(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The part of this process's environment that a replica inherits: all but the user's own Clarifai settings."""
    inherited = {name: value for name, value in environ.items() if not name.startswith("CLARIFAI_")}
    for name in ("no_proxy", "NO_PROXY"):
        # The runner's gRPC would go through a proxy even to this machine.
        inherited[name] = ",".join(filter(None, [inherited.get(name), "127.0.0.1", "localhost"]))
    return inherited
