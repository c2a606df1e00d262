"""Runs a container as a replica's process: its output line by line, its end with the reason, its health.

A thread follows each container: what it prints, then how it ended. Docker's attach is read, not its log files: it
costs less, and every line comes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from functools import partial
from typing import TYPE_CHECKING, Any

from clarifai_emulator.backends.backend import Exit
from clarifai_emulator.backends.docker.attachment import Attachment
from clarifai_emulator.backends.docker.dockerfile import HEALTH_PORT
from clarifai_emulator.backends.docker.engine import Engine
from clarifai_emulator.backends.docker.leftovers import remove_container
from clarifai_emulator.backends.health_watch import HealthWatch
from clarifai_emulator.backends.replica_output import LINES_AT_ONCE, PAUSE_SECONDS
from clarifai_emulator.background_work import begin_thread, nobody_waits, submit
from clarifai_emulator.dispatch.lean import LeanEnd

if TYPE_CHECKING:
    from docker import DockerClient

log = logging.getLogger(__name__)

# What is printed is read together, so that reading does not take a request's time.
_EVERY_SECONDS = 0.005
# How long an engine that does not answer may be gone (a restart) before its containers are given up.
_ENGINE_AWAY_SECONDS = 10.0


class ContainerProcess:
    """A container from its creation to its removal: a ``ReplicaProcess``. ``answer``: a file to read at the end.
    ``leave`` is called with its id when it could not be removed, because its engine was away."""

    def __init__(
        self,
        client: DockerClient,
        engine: Engine,
        threads: Executor,
        on_line: Callable[[str], None],
        leave: Callable[[str], None],
        *,
        answer: str = "",
    ) -> None:
        self.id = ""
        self.pid = 0
        self.connection: LeanEnd | None = None
        self.reloads: socket.socket | None = None  # edited code comes with a new image
        self.debugger: asyncio.Future[int] | None = None
        self.network = None
        self.answer = b""
        self._client = client
        self._engine = engine
        self._threads = threads
        self._on_line = on_line
        self._leave = leave
        self._answer_path = answer
        self._loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[Exit] = self._loop.create_future()
        self._ends: list[signal.Signals] = []
        self._health = ("", 0)
        self._watch: HealthWatch | None = None
        self._killed_because = ""
        self._unwanted = False

    # In a thread of the backend, in this order.

    def created(self, container_id: str) -> None:
        """The engine has made it."""
        self.id = container_id

    def start(self) -> None:
        """Listen to it, start it, and follow it from here on. Raises the engine's errors."""
        output = Attachment(self._client, self.id)
        try:
            self._client.api.start(self.id)
        except BaseException:
            output.close()
            raise
        state = self._client.api.inspect_container(self.id)
        if self._engine.is_local and self._engine.kind != "docker desktop":
            self.pid = int(state["State"].get("Pid") or 0)
        if self._engine.is_local:
            self._health = _health_address(state)
        if self._unwanted:  # since before there was anything to end
            self._send(signal.SIGKILL)
        follow, name = partial(self._follow, output), f"follower of container {self.id[:8]}"
        begin_thread(follow, name, self._follow_failed, loop=self._loop)

    def abandon(self) -> None:
        """Give up a container that never started: nothing is to be followed. Runs in the event loop."""
        if self.id:
            submit(self._threads, self._remove, "removal of a container", nobody_waits)
        if not self.exited.done():
            self.exited.set_result(Exit(why="it was never started"))

    # Its end.

    def terminate(self) -> None:
        """SIGTERM, which the container's init passes on."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, to everything in it, at once or as soon as it is there."""
        self._unwanted = True
        self._signal(signal.SIGKILL)

    def kill_for(self, why: str) -> None:
        """End it, and say why."""
        self._killed_because = why
        self.kill()

    def lose(self, why: str) -> None:
        """End it, and count it as ended at once: it reaches nobody any more."""
        self.kill()
        self._ended(Exit(why=why))

    def _signal(self, number: signal.Signals) -> None:
        if not self.exited.done():
            submit(self._threads, partial(self._send, number), "signal to a container", nobody_waits)

    def _send(self, number: signal.Signals) -> None:
        from docker.errors import APIError
        from requests.exceptions import RequestException

        # One that has ended, or whose engine has, needs no signal.
        with contextlib.suppress(APIError, RequestException):
            if self.id and not self._engine.silence:
                self._client.api.kill(self.id, int(number))

    # In its own thread.

    def _follow(self, output: Attachment) -> None:
        exit_ = Exit(why="the emulator lost sight of its container")
        try:
            self._pass_on(output)
            exit_ = self._find_end()
        except Exception:
            log.exception("container %s", self.id)
        finally:
            self._remove()
            with contextlib.suppress(RuntimeError):  # the loop is gone: nobody waits
                self._loop.call_soon_threadsafe(self._ended, exit_)

    def _follow_failed(self, reason: str) -> None:
        self._ended(Exit(why=f"the emulator lost sight of its container: {reason}"))

    def _pass_on(self, output: Attachment) -> None:
        """Tell what it prints, until it ends or its engine goes away."""
        for lines in output.read():
            self._tell(lines)
            time.sleep(_EVERY_SECONDS)
        output.close()

    def _tell(self, lines: list[bytes]) -> None:
        """Tell lines in the event loop, not so many at once that others would have to wait."""
        for start in range(0, len(lines), LINES_AT_ONCE):
            if start:
                time.sleep(PAUSE_SECONDS)
            some = lines[start : start + LINES_AT_ONCE]
            texts = [line.decode("utf-8", "replace").rstrip("\r") for line in some]
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._tell_all, texts)

    def _tell_all(self, texts: list[str]) -> None:
        for text in texts:
            self._on_line(text)

    def _find_end(self) -> Exit:
        """Find out how the container ended. Waits for an engine that restarts."""
        from docker.errors import APIError, NotFound
        from requests.exceptions import RequestException

        deadline = time.monotonic() + _ENGINE_AWAY_SECONDS
        while True:
            try:
                silence = self._engine.silence
                if silence:
                    raise OSError(silence)
                self._client.api.wait(self.id)
                exit_ = _exit_of(self._client.api.inspect_container(self.id))
                if self._answer_path:
                    self.answer = self._read(self._answer_path)
                return exit_
            except NotFound:
                return Exit(why="its container was removed by somebody else")
            except (APIError, RequestException, OSError) as error:
                if time.monotonic() > deadline:
                    return Exit(why=f"the container engine at {self._engine.address} went away ({error})")
                time.sleep(0.2)

    def _read(self, path: str) -> bytes:
        """A file of the ended container; empty when it has none of this name."""
        import io
        import tarfile

        from docker.errors import APIError

        try:
            chunks, _ = self._client.api.get_archive(self.id, path)
        except APIError:
            return b""
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
            file = tar.extractfile(tar.getmembers()[0])
            return file.read() if file is not None else b""

    def _remove(self) -> None:
        from requests.exceptions import RequestException

        with contextlib.suppress(RequestException, OSError):
            if not self._engine.silence:
                remove_container(self._client, self.id)
                return
        self._leave(self.id)

    def _ended(self, exit_: Exit) -> None:
        if self._watch is not None:
            self._watch.end()
        if not self.exited.done():
            self.exited.set_result(Exit(why=self._killed_because) if self._killed_because else exit_)

    # Its health.

    def watch_health(self, every: float) -> None:
        """Ask the runner's probes from now on, where they can be reached. An answer may take as long as ``every``
        seconds, too."""
        host, port = self._health
        if port:
            ask = partial(ask_probe, host, port)
            self._watch = HealthWatch(ask, every=every, on_line=self._on_line, kill=self.kill_for)
            self._watch.begin(f"container {self.id[:8]}")


async def ask_probe(host: str, port: int, probe: str, patience: float) -> str | None:
    """Ask one of the runner's probes; why it failed, empty when it did not."""
    try:
        async with asyncio.timeout(patience):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(f"GET /healthz/{probe} HTTP/1.0\r\n\r\n".encode())
                status = (await reader.readline()).split()
            finally:
                writer.close()
    except TimeoutError:
        return f"no answer within {patience:g} s"
    except OSError as error:
        return f"{error.strerror or error}"
    code = status[1].decode("latin-1") if len(status) > 1 else "no status"
    return "" if code == "200" else f"it answered {code}"


def _health_address(state: Mapping[str, Any]) -> tuple[str, int]:
    """Return where the runner's probes answer: a published port, else the container's own address; port 0 for
    nowhere."""
    settings: Mapping[str, Any] = state.get("NetworkSettings") or {}
    published = (settings.get("Ports") or {}).get(f"{HEALTH_PORT}/tcp")
    if published:
        return "127.0.0.1", int(published[0]["HostPort"])
    networks: Mapping[str, Any] = settings.get("Networks") or {}
    address = next((str(each["IPAddress"]) for each in networks.values() if each.get("IPAddress")), "")
    return address, HEALTH_PORT if address else 0


def out_of_memory(limit: int) -> Exit:
    """Describe that a container was killed for the memory it took; ``limit`` in bytes, 0 for none."""
    allowed = f" than its limit of {limit // 1024**2}Mi" if limit else " than there is"
    return Exit(
        why=f"its container used more memory{allowed} and was killed (out of memory): "
        "let config.yaml ask for more (inference_compute_info.cpu_memory, or a larger compute.instance), up to "
        "what the nodepool's instance type has"
    )


def _exit_of(state: Mapping[str, Any]) -> Exit:
    ended: Mapping[str, Any] = state["State"]
    code = int(ended.get("ExitCode") or 0)
    if ended.get("OOMKilled"):
        return out_of_memory(int((state.get("HostConfig") or {}).get("Memory") or 0))
    if ended.get("Error"):
        return Exit(why=f"its container failed: {ended['Error']}")
    # The container's init says 128 + the signal that ended the runner.
    return Exit(signal=code - 128) if 128 < code < 128 + 65 else Exit(code)
